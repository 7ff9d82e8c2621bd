"""A shift reaches every generator, and not the data that ship."""

import random

import numpy as np
import pytest
import torch

from blowup.data import load
from blowup.networks import MLP
from blowup.training import batches
from tools.proof.shift import checked, shifted

DRAWS = {
    "a torch generator": lambda: torch.randn(3, generator=torch.Generator().manual_seed(0)).tolist(),
    "torch, seeded": lambda: [torch.manual_seed(5), torch.randn(3).tolist()][1],
    "numpy's default_rng": lambda: np.random.default_rng(0).normal(size=3).tolist(),
    "numpy's RandomState": lambda: np.random.RandomState(0).normal(size=3).tolist(),
    "numpy, seeded": lambda: [np.random.seed(0), np.random.normal(size=3).tolist()][1],
    "Python, seeded": lambda: [random.seed(0), random.random()][1],
    "the package's weights": lambda: MLP(3, 2, depth=1, width=2).init(2)["readout.W"].tolist(),
    "the package's batches": lambda: batches(range(2), 10, 4, 3).tolist(),
}


@pytest.mark.parametrize("name", DRAWS)
def test_every_generator_is_shifted_and_comes_back(name):
    plain = DRAWS[name]()
    with shifted(0):
        assert DRAWS[name]() == plain
    seen = [plain]
    for shift in (1, 2):
        with shifted(shift):
            seen += [DRAWS[name]()]
            assert DRAWS[name]() == seen[-1], "the shift is not random"
    assert seen[0] != seen[1] != seen[2] != seen[0]
    assert DRAWS[name]() == plain


@pytest.mark.parametrize("draw", [lambda: torch.randn(3).tolist(), lambda: np.random.normal(size=3).tolist()])
def test_generators_that_nobody_seeds_are_shifted_too(draw):
    seen = []
    for shift in (1, 1, 2):
        with shifted(shift):
            seen.append(draw())
    assert seen[0] == seen[1] != seen[2]


def test_shifts_share_no_seed():
    """Shift 1 of seed 0 is not seed 1: sixteen seeds and their shift have none in common."""
    with shifted(1):
        moved = {torch.Generator().manual_seed(seed).initial_seed() for seed in range(16)}
    assert not moved & set(range(10_000_000))


def test_the_data_and_their_splits_stay():
    load.cache_clear() if hasattr(load, "cache_clear") else None
    plain = load("digits").x_test
    with shifted(3):
        assert torch.equal(load("digits").x_test, plain)


def test_a_generator_made_by_code_is_still_a_generator():
    with shifted(1):
        generator = torch.Generator().manual_seed(1)
        torch.randperm(5, generator=generator), torch.nn.init.normal_(torch.empty(2), generator=generator)
    assert isinstance(generator, torch.Generator)


@pytest.mark.parametrize("shift", [-1, 1.5, "two", True, 100_000])
def test_a_shift_is_a_whole_number(shift):
    with pytest.raises(ValueError, match="whole number from 0 to 99,999"):
        checked(shift)
