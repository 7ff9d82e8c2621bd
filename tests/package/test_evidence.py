"""The helpers of evidence: false alarms as rare as they say, power against what is false, clear errors."""

import math

import numpy as np
import pytest
import torch

from blowup import evidence
from blowup.evidence import NotHeld, above, agree, between, certain, equals, few, most, published, rounds_to

RNG = np.random.default_rng(20)


def alarms(check, tries):
    """How many of ``tries`` calls of ``check`` raise NotHeld."""
    count = 0
    for _ in range(tries):
        try:
            check()
        except NotHeld:
            count += 1
    return count


def log_spread(values):
    return np.log(values.std())


FAIR = {
    "agree": lambda: agree(RNG.normal(3.0, 2.0, 16), 3.0),
    "agree, six entries": lambda: agree(RNG.normal(3.0, 2.0, (16, 6)), np.full(6, 3.0)),
    "agree, a spread": lambda: agree(
        RNG.normal(0, 2.0, 64), math.log(2), statistic=lambda v: np.log(v.std())
    ),
    "between, at its edge": lambda: between(RNG.normal(0, 1, 12), low=0.0),
    "above, no difference": lambda: above(RNG.exponential(1, 14), RNG.exponential(1, 15)),
    "above, ties": lambda: above(RNG.integers(0, 3, 14), RNG.integers(0, 3, 15)),
    "most": lambda: most(RNG.random(40) < 0.8, 0.8),
    "few": lambda: few(RNG.random(40) < 0.1, 0.1),
}


@pytest.mark.parametrize("name", FAIR)
def test_false_alarms_are_as_rare_as_the_level_says(name, monkeypatch):
    """At a level that can be counted, 1 in 50; the jackknife is an approximation and gets twice that."""
    level, tries = 0.02, 3000
    monkeypatch.setattr(evidence, "LEVEL", level)
    count, allowed = alarms(FAIR[name], tries), level * (2 if "spread" in name else 1)
    monkeypatch.undo()
    few(np.arange(tries) < count, allowed)


BROKEN = {
    "agree": lambda: agree(RNG.normal(3.0, 0.1, 16), 3.5, within=0.1),
    "agree, one entry of six": lambda: agree(RNG.normal(0, 0.1, (16, 6)), np.eye(6)[2]),
    "agree, a nan": lambda: agree([1.0, 1.0, math.nan], 1.0),
    "agree, no spread": lambda: agree(np.ones(16), 1.1),
    "agree, a statistic": lambda: agree(RNG.normal(0, 2, 64), 0.5, statistic=np.std),
    "between, below": lambda: between(RNG.normal(0, 0.1, 16), low=1.0),
    "between, above": lambda: between(RNG.normal(0, 0.1, 16), high=-1.0),
    "above": lambda: above(np.arange(16), np.arange(16) + 20),
    "above, by": lambda: above(np.arange(16) + 1, np.arange(16), by=30),
    "above, nan": lambda: above(np.full(16, np.nan), np.zeros(16)),
    "most": lambda: most(np.zeros(16), 0.75),
    "few": lambda: few(np.ones(16), 0.25),
    "certain": lambda: certain(2 < 1, "two is less than one"),
    "certain, one entry": lambda: certain(torch.tensor([True, False])),
    "equals": lambda: equals(1 + 1e-11, 1.0),
    "equals, one entry": lambda: equals(torch.tensor([1.0, 2.0]), [1.0, 2.1]),
    "rounds_to": lambda: rounds_to(0.27, "0.28"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_false_is_refused_in_one_line(name):
    with pytest.raises(NotHeld) as told:
        BROKEN[name]()
    assert "\n" not in str(told.value) and str(told.value).startswith(name.split(",")[0])


def test_exact_checks_bear_rounding_and_no_more():
    equals(0.1 + 0.2, 0.3)
    equals([math.inf, math.nan], [math.inf, math.nan])
    equals(torch.tensor([[2.0, 4.0]], requires_grad=True) / 2, [[1, 2]])
    certain([True, 1 < 2])


@pytest.mark.parametrize(
    ("value", "printed"),
    [
        (0.27846, "0.2785"),
        (3049.7, "3,050"),
        (-1.5, "−1.50"),
        (2.774e-5, "2.77e-5"),
        (0.125, "0.13"),  # a tie prints either way
        (0.125, "0.12"),
        (94.49, "94"),
    ],
)
def test_a_number_prints_as_the_text_has_it(value, printed):
    rounds_to(value, printed)


WRONG = {
    "never refute": lambda: most(np.ones(16), 0.5),
    "never tell": lambda: above(np.arange(8), np.arange(8)),
    "at least 3 members": lambda: agree([1.0, 2.0], 1.0),
    r"one value for each member, \(members,\)": lambda: most(np.ones((4, 4)), 0.9),
    "between 0 and 1": lambda: few(np.ones(30), 1.5),
    "low, or high": lambda: between(np.ones(16)),
    "number as text": lambda: rounds_to(1.0, "one"),
    "no published curves called 'nothing'; known are activations": lambda: published("nothing"),
}


@pytest.mark.parametrize("words", WRONG)
def test_a_check_that_cannot_fail_or_makes_no_sense_is_an_error(words):
    with pytest.raises(ValueError, match=words):
        WRONG[words]()


def test_published_reads_the_file():
    assert published("chain-rule-critical").accuracy.shape[0] == 16


def test_the_rank_sum_is_exact():
    """The 20 orders of three against three are equally likely, and one of them has no win."""
    assert math.isclose(evidence._behind(np.array([0, 1, 2]), np.array([3, 4, 5])), 1 / 20)
    assert evidence._behind(np.zeros(3), np.zeros(3)) == 1.0
