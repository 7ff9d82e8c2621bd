"""Do two ensembles of learning curves come from one experiment? A permutation test over the seeds.

The seeds of the two runs are two samples. Were the experiments the same, any way of dealing the pooled
seeds into two hands would have been as likely as the one that happened; so the test counts how often a
random deal differs as much as the two runs do (Fisher 1935, §21; max-statistic over many quantities:
Westfall and Young 1993). It holds whatever the distributions, for inf and nan, for curves that are
correlated over steps, and for chaotic runs in which rounding alone sends one seed elsewhere; and where
seeds agree one by one, as they do on the same torch, it is only more forgiving.
"""

import numpy as np

TOLERANCES = {
    "loss": (1e-3, 0.01),
    "accuracy": (5e-3, 0.0),
    "grad_norm": (0.0, 0.01),
    "update_norms": (0.0, 0.01),
}
"""How far two medians may lie apart whatever the test says: absolute, and as a share of the published one."""

FALSE_ALARMS = 5e-4
"""How often two runs of one experiment with different seeds are told apart."""

DEALS = 20_000
LEAST_SEEDS = 8  # 12,870 ways to deal two hands of 8: fewer could never reach the level above


def outcomes(curves):
    """What became of each seed, (M,) strings.

    "non-finite": the loss, a gradient or a parameter was inf or nan at some step; "diverged": the last
    recorded loss is above the first; "learned": at least half of the examples right at the end; else "stuck".
    """
    diverged = ~(curves.loss[:, -1] <= curves.loss[:, 0])
    learned = curves.accuracy[:, -1] >= 0.5
    rest = np.where(diverged, "diverged", np.where(learned, "learned", "stuck"))
    return np.where(curves.first_nonfinite >= 0, "non-finite", rest)


def columns(curves):
    """Every number that is compared: [((quantity, step), values (M,))], a nan as inf."""
    found = []
    for quantity in TOLERANCES:
        values = getattr(curves, quantity)
        values = np.where(np.isnan(values), np.inf, values)
        found += [((quantity, int(step)), values[:, k]) for k, step in enumerate(curves.steps)]
    first = np.where(curves.first_nonfinite < 0, np.inf, curves.first_nonfinite)
    found.append((("first non-finite step", None), first))
    kinds = outcomes(curves)
    return found + [((kind, None), (kinds == kind) * 1.0) for kind in ("non-finite", "diverged", "learned")]


def ranks(values):
    """Ranks of values (n,), equal values sharing their mean rank, centered on 0."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place] - (len(values) + 1) / 2


def apart(quantity, fresh, published):
    """Whether the medians lie further apart than rounding may move them."""
    if quantity not in TOLERANCES:
        return True  # a count of seeds
    absolute, relative = TOLERANCES[quantity]
    a, b = np.median(fresh), np.median(published)
    if not np.isfinite([a, b]).all():
        return bool(a != b)
    return bool(abs(a - b) > absolute + relative * abs(b))


def evidence(fresh, published):
    """The chance p of a difference this large between two runs of one experiment, and what differs.

    Both are Curves with the same steps and the same number of seeds, at least LEAST_SEEDS. Returns p and
    [(quantity, step, z)], worst first, of what lies outside the tolerances; z is the difference of the
    mean ranks in standard errors.
    """
    pairs = [(label, a, b) for (label, a), (_, b) in zip(columns(fresh), columns(published), strict=True)]
    seeds = len(fresh.seeds)
    pooled = np.stack([ranks(np.concatenate([a, b])) for _, a, b in pairs], axis=1)  # (2 seeds, columns)
    error = np.sqrt(np.square(pooled).sum(axis=0) * seeds / (2 * (2 * seeds - 1)))
    pooled /= np.where(error > 0, error, np.inf)
    z = pooled[:seeds].sum(axis=0) * [apart(label[0], a, b) for label, a, b in pairs]
    # The same deals every time, so that the verdict on two given files never changes.
    deals = np.random.default_rng(0).random((DEALS, 2 * seeds)).argsort(axis=1) < seeds
    dealt = np.square(deals.astype(np.float32) @ pooled.astype(np.float32))  # (DEALS, columns)
    # One number far off, or many a little off: two looks, so twice the smaller chance (Bonferroni).
    largest = (dealt.max(axis=1) >= np.square(z).max() - 1e-3).mean()
    mean = (dealt.mean(axis=1) >= np.square(z).mean() - 1e-3).mean()
    worst = [k for k in np.argsort(-np.abs(z)) if z[k]]
    return min(1.0, 2 * min(largest, mean)), [(*pairs[k][0], float(z[k])) for k in worst]


def differences(fresh, published):
    """What differs, [(quantity, step, z)], worst first; empty when the two may be one experiment."""
    chance, found = evidence(fresh, published)
    return found if chance <= FALSE_ALARMS else []
