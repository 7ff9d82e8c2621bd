"""Make ``blowup/data/proteins.fasta.xz`` from the FASTA file of Debian's package mmseqs2-examples.

    apt-get download mmseqs2-examples && dpkg -x mmseqs2-examples_*.deb unpacked
    python -m tools.upkeep.make_proteins unpacked/usr/share/doc/mmseqs2/example-data/DB.fasta.gz

It keeps the ten families below, drops repeated sequences, and splits by similarity: sequences that share
59 % of their 5-mers (as two that are 90 % identical do, the customary threshold), directly or through
others, form one cluster, and a cluster goes to one side whole.
"""

import gzip
import lzma
import sys
from itertools import groupby
from pathlib import Path

from tools import ROOT

OUTPUT = ROOT / "blowup" / "data" / "proteins.fasta.xz"
FAMILIES = {  # the short name that the book uses: the recommended name in UniProt
    "ThrRS": "Threonine--tRNA ligase",
    "LeuRS": "Leucine--tRNA ligase",
    "MetN": "Methionine import ATP-binding protein MetN",
    "DNA ligase": "DNA ligase",
    "S6": "30S ribosomal protein S6",
    "IF-2": "Translation initiation factor IF-2",
    "SecA": "Protein translocase subunit SecA",
    "DnaK": "Chaperone protein DnaK",
    "MutS": "DNA mismatch repair protein MutS",
    "GrpE": "Protein GrpE",
}
SHARED = 0.9**5  # two sequences that are 90 % identical share about this many of their 5-mers
TEST_SHARE = 0.25


def read_fasta(path):
    """Yield (header, sequence) for each entry of a gzipped FASTA file."""
    with gzip.open(path, "rt") as lines:
        groups = (list(group) for _, group in groupby(lines, lambda line: line.startswith(">")))
        for header, sequence in zip(groups, groups, strict=True):
            yield header[-1][1:].strip(), "".join(line.strip() for line in sequence)


def kmers(sequence, k=5):
    """The set of all runs of k letters in a sequence."""
    return {sequence[i : i + k] for i in range(len(sequence) - k + 1)}


def similarity(a, b):
    """Share of the smaller set of k-mers that the other set holds too, from 0 to 1."""
    return len(a & b) / min(len(a), len(b))


def clusters(sequences):
    """Single-linkage clusters at ``SHARED``: a list of lists of indices into ``sequences``."""
    found = []
    for i, words in enumerate(map(kmers, sequences)):
        near, far = [(i, words)], []
        for cluster in found:
            joins = any(similarity(words, other) >= SHARED for _, other in cluster)
            if joins:
                near += cluster
            else:
                far.append(cluster)
        found = [*far, near]
    return [sorted(i for i, _ in cluster) for cluster in found]


def choose_test(entries):
    """Accessions for testing: clusters in alphabetical order, each taken if the quota still holds it."""
    groups = clusters([sequence for _, sequence in entries])
    groups = sorted(sorted(entries[i][0] for i in group) for group in groups)
    test, quota = set(), round(TEST_SHARE * len(entries))
    for group in groups:
        if len(test) + len(group) <= quota:
            test.update(group)
    return test


def main(path):
    by_name = {name.lower(): short for short, name in FAMILIES.items()}
    families, seen = {short: [] for short in FAMILIES}, set()
    for header, sequence in read_fasta(path):
        identifier, description = header.split(" ", 1)
        short = by_name.get(description.split(" OS=")[0].lower())  # None for a fragment: its name says so
        if short and sequence not in seen:
            seen.add(sequence)
            families[short].append((identifier.split("|")[1], sequence))
    records = []
    for short, entries in families.items():
        test = choose_test(entries)
        print(f"{short:12}{len(entries):4} sequences, {len(test):3} for testing")
        for accession, sequence in sorted(entries):
            side = "test" if accession in test else "train"
            records.append(f">{accession}|{short}|{side}\n{sequence}\n")
    OUTPUT.write_bytes(lzma.compress("".join(records).encode(), preset=9 | lzma.PRESET_EXTREME))
    print(f"{len(records)} sequences, {OUTPUT.stat().st_size} bytes in {OUTPUT.name}")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        sys.exit(__doc__)
    main(sys.argv[1])
