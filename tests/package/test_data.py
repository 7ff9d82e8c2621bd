"""The data sets are what the book says they are: raw, finite, split by similarity, small."""

import numpy as np
import pytest
import torch

from blowup import data
from blowup.data.real import AMINO_ACIDS, FOLDER, protein_image, protein_records
from tools.upkeep.make_proteins import FAMILIES, SHARED, choose_test, clusters, kmers, similarity


@pytest.mark.parametrize("name", data.LOADERS)
def test_every_data_set_is_finite_labeled_and_split(name):
    d = data.load(name)
    for x, y in ((d.x_train, d.y_train), (d.x_test, d.y_test)):
        assert x.dtype == torch.float32 and y.dtype == torch.int64
        assert len(x) == len(y) > 0 and torch.isfinite(x).all()
        assert set(y.tolist()) == set(range(len(d.classes)))


def test_an_unknown_data_set_is_refused_with_the_known_names():
    with pytest.raises(ValueError, match="proteins, digits, clusters, spirals"):
        data.load("mnist")


def test_raw_pixels_stay_raw():
    proteins, digits = data.load("proteins"), data.load("digits")
    assert torch.equal(proteins.x_train, proteins.x_train.round())
    assert proteins.x_train.amax((1, 2)).eq(255).all() and proteins.x_train.amin() == 0
    assert digits.x_train.amax() == 16 and digits.x_train.amin() == 0


def test_proteins_are_457_distinct_images_of_ten_families():
    d = data.load("proteins")
    images = torch.cat([d.x_train, d.x_test]).flatten(1)
    assert len(images) == 457 == len(images.unique(dim=0))
    assert d.classes == tuple(FAMILIES)
    largest = d.y_test.bincount().max() / len(d.y_test)
    assert largest < 0.2  # a network that always answers the largest family stays under 20 %


def test_no_near_identical_proteins_on_both_sides():
    words = {
        side: [kmers(s) for _, _, at, s in protein_records() if at == side] for side in ("train", "test")
    }
    closest = max(similarity(a, b) for a in words["train"] for b in words["test"])
    assert closest < SHARED


def test_a_random_split_would_have_leaked():
    sequences = [s for *_, s in protein_records()]
    words = [kmers(s) for s in sequences]
    test = np.random.default_rng(0).permutation(len(words)) < len(words) // 4
    near = [
        max(similarity(words[i], words[j]) for j in np.flatnonzero(~test)) >= SHARED
        for i in np.flatnonzero(test)
    ]
    assert np.mean(near) > 0.5  # more than half of the test proteins would have a near twin to learn from


def test_the_shipped_split_is_the_one_that_the_script_makes():
    for family in FAMILIES:
        entries = [(name, s) for name, f, _, s in protein_records() if f == family]
        stored = {name for name, f, side, _ in protein_records() if f == family and side == "test"}
        assert choose_test(entries) == stored


def test_clusters_join_through_a_chain_and_stay_apart_otherwise():
    letters = np.random.default_rng(1).choice(list(AMINO_ACIDS), size=400)
    a, b, c = (
        "".join(letters[i : i + 100]) for i in (0, 30, 60)
    )  # a-b and b-c share two thirds, a-c a third
    other = "".join(letters[200:300])
    assert sorted(map(tuple, clusters([a, other, c, b]))) == [(0, 2, 3), (1,)]


def test_a_pixel_counts_how_often_one_amino_acid_follows_another():
    image = protein_image("GAGAGAA")  # GA three times, AG twice, AA once
    assert AMINO_ACIDS[:2] == "GA"
    assert image[0, 1] == 255 and image[1, 0] == 170 and image[1, 1] == 85 and image.sum() == 510
    assert protein_image("GXGA").sum() == 255  # X is not an amino acid: only GA is left


def test_a_sequence_without_a_pair_is_refused():
    with pytest.raises(ValueError, match="at least two neighboring"):
        protein_image("GX")


def test_the_files_are_small():
    assert (FOLDER / "proteins.fasta.xz").stat().st_size < 300_000
    assert (FOLDER / "digits.npz").stat().st_size < 100_000


@pytest.mark.parametrize("bad", [{"classes": 0}, {"spread": -1}, {"spread": float("nan")}, {"n": 0}])
def test_impossible_clusters_are_refused(bad):
    with pytest.raises(ValueError, match=f"^{next(iter(bad))}: expected .* of at least [01], got"):
        data.clusters(**bad)


@pytest.mark.parametrize("bad", [{"arms": 0}, {"noise": -1}, {"turns": float("inf")}])
def test_impossible_spirals_are_refused(bad):
    with pytest.raises(ValueError, match=f"^{next(iter(bad))}: expected a.*, got"):
        data.spirals(**bad)
