"""Two real data sets: proteins from UniProt and handwritten digits from UCI."""

import lzma
from functools import cache
from pathlib import Path

import numpy as np
import torch

from blowup.data.table import split

FOLDER = Path(__file__).parent

AMINO_ACIDS = "GAVLIMPFWYCSTNQHKRDE"
"""The 20 amino acids ordered by chemistry: small, aliphatic, aromatic, polar, positive, negative."""


def protein_image(sequence):
    """One protein as an 8-bit gray image, (20, 20) uint8.

    Row i, column j counts how often amino acid j follows amino acid i in ``sequence`` (order of
    ``AMINO_ACIDS``), scaled so that the largest count is 255. Pairs with any other letter are left out.
    """
    order = np.full(128, -1)
    order[[ord(letter) for letter in AMINO_ACIDS]] = range(20)
    letters = order[np.frombuffer(sequence.encode("ascii"), dtype=np.uint8)]
    first, second = letters[:-1], letters[1:]
    known = (first >= 0) & (second >= 0)
    if not known.any():
        raise ValueError("sequence: needs at least two neighboring amino acids, in one-letter code")
    counts = np.bincount(20 * first[known] + second[known], minlength=400).reshape(20, 20)
    return np.rint(255 * counts / counts.max()).astype(np.uint8)


@cache
def protein_records():
    """Every protein of the data set as (accession, family, side, sequence); side is "train" or "test"."""
    text = lzma.decompress((FOLDER / "proteins.fasta.xz").read_bytes()).decode()
    records = (entry.split("\n") for entry in text[1:].rstrip().split("\n>"))
    return tuple((*header.split("|"), sequence) for header, sequence in records)


def proteins():
    """Ten protein families as images: x (n, 20, 20) with raw pixels 0 to 255, y the family.

    342 training and 115 test images, one for each distinct UniProt entry (CC BY 4.0) of the Debian package
    mmseqs2-examples that carries one of ten recommended names; ``tools/upkeep/make_proteins.py`` makes the
    file. The split is by similarity: no two sequences that share 59 % of their 5-mers (90 % identity) stand
    on different sides.
    """
    records = protein_records()
    classes = tuple(dict.fromkeys(family for _, family, _, _ in records))
    images = np.stack([protein_image(sequence) for *_, sequence in records])
    labels = [classes.index(family) for _, family, _, _ in records]
    return split(images, labels, classes, [side == "test" for _, _, side, _ in records])


def digits():
    """Handwritten digits: x (n, 8, 8) with raw pixels 0 to 16, y the digit.

    1,797 images from the UCI repository (Alpaydin and Kaynak, CC BY 4.0), the test part of their
    "Optical Recognition of Handwritten Digits", as scikit-learn ships them. A fixed quarter is for testing.
    """
    with np.load(FOLDER / "digits.npz") as file:
        images, labels = file["images"], file["labels"]
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return split(images, labels, map(str, range(10)), order < len(labels) // 4)
