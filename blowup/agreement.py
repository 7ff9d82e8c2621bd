"""Do two ensembles of learning curves come from one experiment? Permutation tests over the seeds.

The seeds of the two runs are two samples. Were the experiments the same, any way of dealing the pooled
seeds into two hands would have been as likely as the one that happened, and so would any exchange of a
seed with its namesake; so the tests count how often a random deal, or random exchanges, differ as much
as the two runs do (Fisher 1935, §21; the largest of many statistics: Westfall and Young 1993). They work
on ranks: so they hold whatever the distributions, with inf and nan, for curves correlated over steps, and
for chaotic runs in which rounding alone sends one seed elsewhere. Where the random numbers are those of
the published run the exchanges see small changes; where a later torch draws others, the deals still see
large ones, and neither raises an alarm about luck.
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
    """What became of each seed, (members,) strings.

    "non-finite": the loss, a gradient or a parameter was inf or nan at some step; "diverged": the last
    recorded loss is above the first; "learned": at least half of the examples right at the end; else "stuck".
    """
    diverged = ~(curves.loss[:, -1] <= curves.loss[:, 0])
    learned = curves.accuracy[:, -1] >= 0.5
    rest = np.where(diverged, "diverged", np.where(learned, "learned", "stuck"))
    return np.where(curves.first_nonfinite >= 0, "non-finite", rest)


def columns(curves):
    """Every number that is compared: [((quantity, step), values (members,))], a nan as inf."""
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


def unpaired(pairs):
    """Mean rank difference of the two hands, and shares (2 seeds, columns) from which others are dealt."""
    seeds = len(pairs[0][1])
    shares = np.stack([ranks(np.concatenate([a, b])) for _, a, b in pairs], axis=1)
    error = np.sqrt(np.square(shares).sum(axis=0) * seeds / (2 * (2 * seeds - 1)))
    shares /= np.where(error > 0, error, np.inf)
    return shares[:seeds].sum(axis=0) * [apart(label[0], a, b) for label, a, b in pairs], shares


def paired(pairs):
    """Signed rank of the change of each seed (Wilcoxon 1945), and shares (seeds, columns) of that sum.

    Were the experiments the same, every change would be as likely to go the other way.
    """
    shares = []
    for (quantity, _), a, b in pairs:
        absolute, relative = TOLERANCES.get(quantity, (0.0, 0.0))
        with np.errstate(invalid="ignore"):
            change = np.where(a == b, 0.0, a - b)
            change[np.abs(change) <= absolute + relative * np.where(np.isfinite(b), np.abs(b), 0.0)] = 0.0
        rank = ranks(np.abs(change)) + (len(a) + 1) / 2
        shares.append(np.sign(change) * rank / np.sqrt(np.square(rank[change != 0]).sum() or 1.0))
    shares = np.stack(shares, axis=1)
    return shares.sum(axis=0), shares


def chance(z, dealt):
    """How often a deal differs as much as z (columns,): in one number far off, or in many a little off."""
    largest = (np.square(dealt).max(axis=1) >= np.square(z).max() - 1e-3).mean()
    return min(largest, (np.square(dealt).mean(axis=1) >= np.square(z).mean() - 1e-3).mean())


def evidence(fresh, published):
    """The chance p of a difference this large between two runs of one experiment, and what differs.

    Both are Curves with the same steps and the same number of seeds, at least LEAST_SEEDS. Returns p and
    [(quantity, step, z)], worst first, of what lies outside the tolerances; z is the difference of the
    mean ranks, or of the signed ranks, in standard errors.
    """
    pairs = [(label, a, b) for (label, a), (_, b) in zip(columns(fresh), columns(published), strict=True)]
    # The same deals every time, so that the verdict on two given files never changes.
    generator, seeds = np.random.default_rng(0), len(fresh.seeds)
    hands = generator.random((DEALS, 2 * seeds)).argsort(axis=1) < seeds
    signs = generator.choice([-1.0, 1.0], (DEALS, seeds))
    z, shares = unpaired(pairs)
    z_paired, shares_paired = paired(pairs)
    looks = chance(z, hands @ shares), chance(z_paired, signs @ shares_paired)
    z = np.where(np.abs(z_paired) > np.abs(z), z_paired, z)
    worst = [(*pairs[k][0], float(z[k])) for k in np.argsort(-np.abs(z)) if z[k]]
    return min(1.0, 4 * min(looks)), worst  # four looks: Bonferroni


def differences(fresh, published):
    """What differs, [(quantity, step, z)], worst first; empty when the two may be one experiment."""
    p, found = evidence(fresh, published)
    return found if p <= FALSE_ALARMS else []
