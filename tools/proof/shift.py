"""Give every random generator another seed, without a word in the code that uses it.

Shifted are torch's generators (its own and those that code makes), numpy's and Python's. Left alone are the
generators of the data sets and splits that ship (``blowup.data.real``) and those of the permutation test
(``blowup.agreement``), whose verdict on two given runs is fixed.
"""

import contextlib
import random
import sys
from unittest import mock

import numpy as np
import torch

STRIDE = 10_000_019  # seeds in use lie below it, so that two shifts share no seed
SHIFTS = 100_000  # 0 to 99,999
FIXED = {"blowup.data.real", "blowup.agreement"}


def checked(shift):
    """``shift`` if it is a whole number from 0 to 99,999; ValueError otherwise."""
    if isinstance(shift, bool) or not isinstance(shift, int) or not 0 <= shift < SHIFTS:
        raise ValueError(f"a shift is a whole number from 0 to {SHIFTS - 1:,}, not {shift!r}")
    return shift


@contextlib.contextmanager
def shifted(shift):
    """Within: every seed that code passes to a generator is ``shift`` · STRIDE larger. 0 changes nothing."""
    by = checked(shift) * STRIDE
    plain_generator, plain_seed = torch.Generator, torch.manual_seed
    plain_rng, plain_state, plain_numpy = np.random.default_rng, np.random.RandomState, np.random.seed
    plain_random = random.seed

    def moved(seed, modulus=2**63):
        """The seed that the caller's caller gets."""
        fixed = sys._getframe(2).f_globals.get("__name__") in FIXED
        return seed if fixed or not isinstance(seed, int | np.integer) else int(seed + by) % modulus

    class Generator(plain_generator):
        def manual_seed(self, seed):
            return super().manual_seed(moved(seed))

    class RandomState(plain_state):
        def __init__(self, seed=None):
            super().__init__(moved(seed, 2**32))

    state = random.getstate(), np.random.get_state(), torch.random.get_rng_state()
    with (
        mock.patch.object(torch, "Generator", Generator),
        mock.patch.object(torch, "manual_seed", lambda seed: plain_seed(moved(seed))),
        mock.patch.object(np.random, "default_rng", lambda seed=None: plain_rng(moved(seed))),
        mock.patch.object(np.random, "RandomState", RandomState),
        mock.patch.object(np.random, "seed", lambda seed=None: plain_numpy(moved(seed, 2**32))),
        mock.patch.object(random, "seed", lambda seed=None, version=2: plain_random(moved(seed), version)),
    ):
        # The generators that code uses without seeding them start from torch's own default, and 0.
        plain_seed(67280421310721 + by)
        plain_numpy(by % 2**32)
        plain_random(by)
        try:
            yield
        finally:
            random.setstate(state[0])
            np.random.set_state(state[1])
            torch.random.set_rng_state(state[2])
