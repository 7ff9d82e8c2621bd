"""Mutants of the chapter on gradient clipping."""

from tools.proof.mutants import Mutant


def mutant(cell, old, new, check, law, **more):
    """A Mutant in one line."""
    return Mutant(cell=cell, old=old, new=new, check=check, law=law, **more)


SWAPPED = {
    "cell": "3ce96e31",
    "old": '"unclipped": run(),\n    "clipped to 1": run(clip=1.0),',
    "new": '"unclipped": run(clip=1.0),\n    "clipped to 1": run(),',
}
ONE_BATCH = {"cell": "b315ae34", "old": "(0, size)", "new": "(0, 0)", "check": "8e8f469b"}
LESS = {
    "cell": "216dd814",
    "old": "initial = deep(gain)",
    "new": "initial = deep(gain**0.5)",
    "check": "b5c9a060",
}
LARGE_TWICE = {"cell": "ea6281f1", "old": "(deep(gain)", "new": "(deep(3.0)", "check": "8e8f469b"}
CRITICAL_TWICE = {"cell": "ea6281f1", "old": "(deep(gain)", "new": "(deep(1.0)", "check": "8e8f469b"}

MUTANTS = [
    # The wall: the clipped run, and 361 starts.
    mutant("50577636", "lr=0.1", "lr=0.2", "b7d1c0e4", "agree(bump", quick=True),
    mutant("50577636", ".clamp(max=1)", ".clamp(min=1, max=1)", "b7d1c0e4", "few(late"),
    mutant("50577636", "lr=0.1", "lr=0.001", "38443a99", "agree(far"),
    mutant("1148b0de", "[1.0]]", "[100.0]]", "38443a99", "few(far"),
    mutant("50577636", "steps=400", "steps=100", "38443a99", "agree(done"),
    # The direction: weights of another scale, Gaussian entries.
    mutant("1d5bca79", "gain=gain)", "gain=3.0)", "216dd814", "agree(widest[1.0]"),
    mutant("1d5bca79", "gain=gain)", "gain=gain**0.5)", "216dd814", "between(widest[3.0]"),
    mutant(
        "216dd814",
        "torch.cat([a.flatten(1) for a in g], 1)",
        "torch.randn(32, 20_000)",
        "216dd814",
        "between(tails[1.0]",
        quick=True,
    ),
    mutant("1d5bca79", "gain=gain)", "gain=1.5 * gain)", "216dd814", "between(parts[1.0]"),
    mutant(**LESS, law="between((parts[3.0]"),
    mutant(**LESS, law="agree(squares"),
    mutant(**LESS, law="between(parts[3.0].norm"),
    mutant("8023dcaf", ".clamp(-taus, taus)", "", "1d836f85", "agree(settled"),
    # Sensitivity of the recurrent network: other weights, and the slope left out.
    mutant("5c20e1f6", "gain=gain)", "gain=2 * gain)", "59f003a6", "agree(torch.stack"),
    mutant("5c20e1f6", "gain=gain)", "gain=2 * gain)", "59f003a6", "most(sigma[0.45]"),
    mutant("5c20e1f6", "gain=gain)", "gain=2 * gain)", "59f003a6", "agree(at_end[0.45]", quick=True),
    mutant("5c20e1f6", "W * (1 - h.square())", "W", "59f003a6", "most(at_end[1.4].abs()"),
    mutant("5c20e1f6", "W * (1 - h.square())", "W", "59f003a6", "most(at_end[1.4] < 0"),
    mutant("5c20e1f6", "gain=gain)", "gain=0.5 * gain)", "59f003a6", "few(at_end[1.4]"),
    mutant("5c20e1f6", "gain=gain)", "gain=0.5 * gain)", "59f003a6", "most(at_end[3.0] > 2"),
    mutant("5c20e1f6", "gain=gain)", "gain=0.5 * gain)", "59f003a6", "most(at_end[3.0] > 6"),
    mutant("59f003a6", "RNN(4, 4, 2, 200)", "RNN(4, 4, 2, 200, gain=0.5)", "59f003a6", "agree(torch.linalg"),
    # The logged norms.
    mutant("c26d3658", "steps=50", "steps=50, gain=3.0", "24834190", "agree(shares"),
    mutant("c26d3658", "steps=50", "steps=50, gain=3.0", "24834190", "between(shares"),
    # The arms swapped, and the published curves.
    mutant(**SWAPPED, check="04efdc31", law="above(final[name]"),
    mutant(**SWAPPED, check="9dfe0e0e", law="reproduce gradient-clipping-clipped"),
    mutant(
        "05e8ccb3",
        "orthogonal=True)\n",
        "orthogonal=True, clip=1.0)\n",
        "04efdc31",
        'above(final["orthogonal, clipped"]',
        also=(("05e8ccb3", "orthogonal=True, clip=1.0)\nrep", "orthogonal=True)\nrep"),),
    ),
    mutant("05e8ccb3", "orthogonal=True)\n", "orthogonal=True, clip=1.0)\n", "05e8ccb3",
           "reproduce gradient-clipping-orthogonal"),
    mutant("05e8ccb3", "orthogonal=True, clip=1.0)", "orthogonal=True, clip=0.01)", "05e8ccb3",
           "reproduce gradient-clipping-orthogonal-clipped"),
    # The maps: critical weights in the third, other rates and thresholds in the first.
    mutant("0d0190fd", "sweep(deep(3.0)", "sweep(deep(1.0)", "b33082c2", "few(torch"),
    mutant("b33082c2", "(1.0, 0.01)", "(1.0, 10.0)", "d96e20b5", "most(good",
           also=(("b33082c2", "(0.01, 1.0)", "(0.01, 0.01)"),)),
    mutant("b33082c2", "(0.001, 10.0)", "(0.001, 0.1)", "d96e20b5", 'most(right["small"]'),
    mutant("b33082c2", "(0.001, 10.0)", "(0.001, 0.1)", "d96e20b5", "few(short_of"),
    mutant("b33082c2", "(1.0, 0.01)", "(1.0, 10.0)", "d96e20b5", 'above(good, right["tenth"]',
           also=(("b33082c2", "(0.01, 1.0)", "(0.01, 0.01)"),)),
    mutant("b33082c2", "(1.0, 0.01)", "(1.0, 10.0)", "d96e20b5", 'above(good, right["tenfold"]',
           also=(("b33082c2", "(0.01, 1.0)", "(0.01, 0.001)"), ("b33082c2", "(0.1, 1.0)", "(0.1, 0.01)"))),
    mutant("b33082c2", "(1.0, 0.01)", "(1.0, 10.0)", "d96e20b5", 'above(good, right["hundredfold"]',
           also=(("b33082c2", "(0.01, 1.0)", "(0.01, 0.001)"), ("b33082c2", "(0.1, 10.0)", "(0.1, 0.01)"))),
    # Two batches: one batch twice, large or critical weights in both panels.
    mutant(**ONE_BATCH, law="agree(cos_1"),
    mutant(**ONE_BATCH, law="agree(cos_3"),
    mutant(**ONE_BATCH, law="between(cos_3"),
    mutant(**ONE_BATCH, law="between(other - 0.5"),
    mutant(**ONE_BATCH, law="agree(other"),
    mutant(**LARGE_TWICE, law="between(other[:, :10]"),
    mutant(**LARGE_TWICE, law="agree(drops_1"),
    mutant(**CRITICAL_TWICE, law="agree(own"),
    mutant(**CRITICAL_TWICE, law="between(own"),
]  # fmt: skip
