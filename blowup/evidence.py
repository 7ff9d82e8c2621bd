"""How a sentence of the book is held to a run: exactly, to the published run, or as a law over seeds.

A hidden check says one of three things, and nothing else (chapters, labs and tests alike):

1. **Exact**: no luck is in it; the same on every machine with any seed. ``equals`` (an identity, to
   rounding), ``rounds_to`` (the digits that the text prints), ``certain`` (any other such statement).
2. **Published**: a digit or a count of a chaotic run is a fact about the *published* run: read it with
   ``published`` and hold it with the exact checks. The fresh run is held to that file by
   :func:`blowup.curves.reproduce`.
3. **Law**: a statement about the distribution over seeds, held to the fresh run by a test whose false alarm
   is known: ``agree`` and ``between`` (means and smooth statistics), ``above`` (one arm against another),
   ``most`` and ``few`` (shares). A check alarms with a probability of at most LEVEL if the law is true, and
   raises ValueError where the sample is so small that it could never alarm: a test that cannot fail.

What does not hold raises ``NotHeld``, an AssertionError whose one line says the claim and the numbers.
"""

import math
import re

import numpy as np
import torch

EXACT = ("certain", "equals", "rounds_to")
LAWS = ("above", "agree", "between", "few", "most")
__all__ = [*EXACT, *LAWS, "LEVEL", "NotHeld", "published"]

LEVEL = 1e-6
"""How often a check alarms although its law is true, at the most."""


class NotHeld(AssertionError):
    """A sentence that the run does not bear out: its message is one line with the numbers."""


def certain(statement, words=""):
    """Hold a statement without luck: ``certain(0.9**21 > 0.1 > 0.9**22)``. ``words`` say it in the message.

    For everything that is the same on every machine with any seed: a count, a shape, an order of derived
    numbers, a bound that arithmetic guarantees, a fact about a published file. Arrays: every entry must hold.
    """
    if not bool(np.all(_array(statement, bool))):
        raise NotHeld(f"certain: {words or 'the statement'} does not hold")


def equals(value, expected, rtol=1e-12, atol=0.0):
    """Hold an identity: ``value`` is ``expected`` up to ``atol + rtol·|expected|``, entry by entry.

    Numbers or arrays of one shape (or one that broadcasts). The tolerance is the rounding of the arithmetic:
    1e-12 serves float64; float32 gives about 1e-6 times the number of operations in a row; a truncated
    series or a grid has its own derived error. Infinities and nans equal themselves.
    """
    got, want = np.broadcast_arrays(_array(value), _array(expected))
    same = np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    if not same.all():
        at, place = _first(~same)
        raise NotHeld(
            f"equals: {got[at]:.15g}{place}, expected {want[at]:.15g} "
            f"(rtol {rtol:g}, atol {atol:g}; {int((~same).sum())} of {same.size} differ)"
        )


def rounds_to(value, printed):
    """Hold the digits that the text prints: ``value`` is within half a unit of the last one of ``printed``.

    ``printed`` is text, as a page has it: "0.2785", "-1.50", "2.77e-5", "3,050", "94" (trailing zeros of
    "3,050" count as digits; write "3.05e3" for three). Only for values without luck: derived numbers,
    deterministic runs, published files.
    """
    form = re.fullmatch(r"\s*([+\-−]?)([\d,]+)(?:\.(\d+))?(?:e([+-]?\d+))?\s*", str(printed))
    if form is None:
        raise ValueError(
            f'printed: expected a number as text, such as "0.2785" or "2.77e-5", got {printed!r}'
        )
    sign, whole, decimals, power = form.groups()
    decimals, power = decimals or "", int(power or 0)
    number = float(f"{sign.replace('−', '-')}{whole.replace(',', '')}.{decimals or 0}e{power}")
    half = 0.5 * 10.0 ** (power - len(decimals))
    got = float(_array(value))
    # A tie may print either way, and rounding may put it on either side: hence the billionth.
    if not abs(got - number) <= half * (1 + 1e-9) + 1e-12 * abs(number):
        raise NotHeld(f"rounds_to: {got:.10g} does not print as {printed}")


def published(name):
    """The published :class:`blowup.curves.Curves` called ``name`` (``book/curves/name.csv``).

    Its numbers never change until ``make curves`` publishes anew, so they are held with the exact checks.
    ValueError for an unknown name or a damaged file.
    """
    from blowup.curves import load, published_folder

    path = published_folder() / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.csv"))) or "none yet"
        raise ValueError(f"name: no published curves called {name!r}; known are {known}")
    return load(path)


def agree(sample, predicted, within=0.0, statistic=None):
    """Hold a law for a mean: the mean of ``sample`` over members is ``predicted``, give or take ``within``.

    sample: (members, …), one independent number (or array) for each member; predicted: a number, or of the
    shape of one member's array. ``within`` is the law's own error (1/width, a finite depth, a first-order
    formula), derived and not tuned; absolute. For products of many factors take logarithms first.

    Test: Student's t for the mean (Student 1908), two-sided at LEVEL, divided by the number of entries
    compared (Bonferroni). The level is that of members that are about normal. Simulated for 16 members of
    which each is one draw: normal 1e-6, Student with 3 degrees less, the logarithm of a squared normal 8e-5,
    exponential 6e-4, log-normal 3e-3. So take logarithms, let a member be a sum of many terms, and leave
    outcomes of two kinds to ``most`` and ``few``.

    With ``statistic``, a smooth function of a (members, …) array such as a ratio of means, a standard
    deviation or a fitted slope, its jackknife standard error takes the place of the mean's (Tukey 1958; not
    for medians and quantiles, which it does not serve).
    """
    predicted, within = _array(predicted), _array(within)
    _hold_between("agree", sample, predicted - within, predicted + within, statistic)


def between(sample, low=-math.inf, high=math.inf, statistic=None):
    """Hold bounds for a mean: the mean of ``sample`` over members lies from ``low`` to ``high``.

    As ``agree``, with two bounds instead of a prediction and its error; one of them may be left out. For
    "A is at least twice B" with the same members: ``between((A / B).log(), low=math.log(2))``.
    """
    if np.all(np.isinf(_array(low))) and np.all(np.isinf(_array(high))):
        raise ValueError("between: give low, or high, or both")
    _hold_between("between", sample, _array(low), _array(high), statistic)


def above(higher, lower, by=0.0):
    """Hold an order of two arms: members of ``higher`` tend to lie above those of ``lower``, by ``by``.

    higher (n,) and lower (m,), independent members, whatever their distributions; a nan counts as the
    smallest number of all. Test: Wilcoxon's rank sum, exact (Mann and Whitney 1947), one-sided at LEVEL
    against "a member of ``lower + by`` is the larger one more often than not"; ties count for the claim.
    Needs about 12 members an arm: with fewer no order of the ranks is rare enough.
    """
    a, b = _members(higher, "higher"), _members(lower, "lower")
    a, b = (np.where(np.isnan(v), -np.inf, v) for v in (a, b + by))
    n, m = len(a), len(b)
    if math.comb(n + m, n) * LEVEL < 1:
        raise ValueError(
            f"above: {n} against {m} members can never tell at a level of {LEVEL:g}: take 12 or more"
        )
    wins = int((a[:, None] >= b[None, :]).sum())
    chance = _behind(a, b)
    if chance < LEVEL:
        raise NotHeld(
            f"above: the first arm is ahead in {wins} of {n * m} pairs, medians {np.median(a):.5g} and "
            f"{np.median(b):.5g}{f' ({by:g} in it)' if by else ''}: chance {chance:.1g}"
        )


def most(outcomes, share):
    """Hold a lower bound on a share: each member has the property with a probability of at least ``share``.

    outcomes: (members,) of booleans, independent. Test: the exact binomial, one-sided at LEVEL.
    ValueError where even no member of so many could refute it: sixteen cannot refute a half.
    """
    _hold_share("most", outcomes, share, lambda k, n, p: _binomial_tail(k, n, p))


def few(outcomes, share):
    """Hold an upper bound on a share: each member has the property with a probability of at most ``share``.

    "Nearly none" is ``few(outcomes, 0.05)``. As ``most``, from the other side.
    """
    _hold_share("few", outcomes, share, lambda k, n, p: _binomial_tail(n - k, n, 1 - p))


def _hold_share(name, outcomes, share, tail):
    outcomes = _members(outcomes, "outcomes").astype(bool)
    if not 0 < share < 1:
        raise ValueError(f"share: expected a number between 0 and 1, got {share!r}")
    n, k = len(outcomes), int(outcomes.sum())
    worst = tail(0 if name == "most" else n, n, share)
    if worst >= LEVEL:
        raise ValueError(
            f"{name}: {n} members can never refute a share of {share:g} at a level of {LEVEL:g}: "
            "take more members or say more"
        )
    chance = tail(k, n, share)
    if chance < LEVEL:
        bound = "at least" if name == "most" else "at most"
        raise NotHeld(f"{name}: {k} of {n} members, {bound} {share:g} of them expected: chance {chance:.1g}")


def _hold_between(name, sample, low, high, statistic):
    """Student's interval of the mean (or of a statistic, by the jackknife) meets [low, high]."""
    from scipy.stats import t as student

    values = _array(sample)
    if values.ndim == 0 or len(values) < 3:
        raise ValueError(f"sample: expected (members, …) with at least 3 members, got shape {values.shape}")
    n = len(values)
    if statistic is None:
        estimate, error = values.mean(axis=0), values.std(axis=0, ddof=1) / math.sqrt(n)
    else:
        estimate = _array(statistic(values))
        left_out = np.stack([_array(statistic(np.delete(values, k, axis=0))) for k in range(n)])
        error = np.sqrt((n - 1) * left_out.var(axis=0))
    estimate, error, low, high = np.broadcast_arrays(estimate, error, low, high)
    reach = student.isf(LEVEL / 2 / estimate.size, n - 1) * error
    slack = 1e-12 * np.maximum(np.abs(estimate), 1e-300)  # rounding, where the members do not differ
    held = (estimate + reach + slack >= low) & (estimate - reach - slack <= high)
    if not held.all():
        at, place = _first(~held)
        raise NotHeld(
            f"{name}: {estimate[at]:.6g} ± {error[at]:.2g} (standard error, {n} members){place}, "
            f"expected from {low[at]:.6g} to {high[at]:.6g} ({int((~held).sum())} of {held.size} off)"
        )


def _first(wrong):
    """The index of the first True of an array, and " at [index]" for a message: empty for a number."""
    at = tuple(int(i) for i in np.argwhere(wrong)[0])
    return at, f" at {list(at)}" if at else ""


def _array(value, dtype=np.float64):
    """A number, tensor, array or nested list as a numpy array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    elif isinstance(value, (list, tuple)) and any(isinstance(v, torch.Tensor) for v in value):
        value = torch.stack([torch.as_tensor(v).detach().cpu() for v in value])
    return np.asarray(value, dtype=dtype)


def _members(values, name):
    values = _array(values)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{name}: expected one value for each member, (members,), got shape {values.shape}")
    return values


def _binomial_tail(k, n, p):
    """P(at most k of n) with probability p each."""
    from scipy.stats import binom

    return float(binom.cdf(k, n, p))


def _behind(a, b):
    """Chance that a is behind b as far as it is, were both of one distribution: the exact rank-sum test."""
    from scipy.stats import mannwhitneyu

    place = np.empty(len(a) + len(b))
    is_a = np.arange(len(place)) < len(a)
    place[np.lexsort((is_a, np.concatenate([a, b])))] = np.arange(len(place))  # in a tie a comes out above
    return float(mannwhitneyu(place[is_a], place[~is_a], alternative="less", method="exact").pvalue)
