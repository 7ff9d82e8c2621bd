"""Mutants of the chapter on data normalization."""

from tools.proof.mutants import Mutant

MUTANTS = [
    # Raw against scaled: the two arms made one.
    Mutant(
        cell="e2c28d53",
        old='"raw, 0 to 255": run()',
        new='"raw, 0 to 255": run(scale=255)',
        check="4e12dd6d",
        law="raw",
    ),
    Mutant(cell="e2c28d53", old="run(scale=255)", new="run(scale=1)", check="4e12dd6d", law="between(scaled"),
    Mutant(
        cell="e2c28d53",
        old="run(scale=255)",
        new="run(scale=1)",
        check="4f60a8de",
        law="reproduce data-normalization-scaled",
    ),
    # One step: a hundredth of the rate, which fails all laws on raw pixels; one that kills scaled ones.
    Mutant(cell="c4ff2ab0", old="lr=0.02", new="lr=0.0002", check="51b70e3f", law="[:, "),
    Mutant(cell="c4ff2ab0", old="lr=0.02", new="lr=20.0", check="51b70e3f", law="few("),
    # The factor in the input squared; tanh forgotten.
    Mutant(
        cell="19e945cb",
        old="a = c * inputs",
        new="a = c**2 * inputs",
        check="4fae0b64",
        law='ratios_of["cross',
        quick=True,
    ),
    Mutant(
        cell="19e945cb",
        old="activation(a @ w)",
        new="torch.relu(a @ w)",
        check="4fae0b64",
        law='ratios_of["tanh',
    ),
    # The curvature: Gaussian pixels; the mean left in.
    Mutant(
        cell="b3649e1e",
        old="torch.rand(",
        new="torch.randn(",
        check="a488256b",
        law="agree(uncentered",
        quick=True,
    ),
    Mutant(
        cell="a6d9cbb4",
        old="x - x.mean(1, keepdim=True)",
        new="x",
        check="a488256b",
        law="between(",
        quick=True,
    ),
    Mutant(cell="b3649e1e", old="torch.rand(", new="torch.randn(", check="098c34d7", law="between(top"),
    # Rescues: scaled pixels where raw ones belong; a clip and a rate far too small; three times the rate.
    Mutant(
        cell="47635b39",
        old="run(lr=3e-5)",
        new="run(scale=255)",
        check="fc676909",
        law='["scaled"]',
        also=(
            ("47635b39", "run(clip=1.0)", "run(scale=255)"),
            ("47635b39", 'run(optimizer="adam", lr=1e-3)', "run(scale=255)"),
        ),
    ),
    Mutant(cell="47635b39", old="clip=1.0", new="clip=1e-3", check="fc676909", law='above(late["scaled"]'),
    Mutant(
        cell="47635b39", old="lr=3e-5", new="lr=3e-8", check="fc676909", law='between(torch.stack([end["small'
    ),
    Mutant(
        cell="47635b39",
        old="lr=3e-5",
        new="lr=1e-4",
        check="5400713e",
        law="reproduce data-normalization-small-rate",
    ),
    # The map: a curvature of raw pixels, and a limit that lies too low.
    Mutant(cell="9acc2f81", old="x_train[::3] / 255", new="x_train[::3]", check="ffe70992", law="reached["),
    Mutant(cell="457e02b0", old="3.8 /", new="0.02 /", check="ffe70992", law="few(reached"),
    # Leaks: statistics of twenty images; the farthest neighbor; the borders in reverse.
    Mutant(
        cell="a3374fb3", old="images if leak", new="images[:20] if leak", check="f69bb916", law="agree(leaky"
    ),
    Mutant(cell="a3374fb3", old="argmin(1)", new="argmax(1)", check="f69bb916", law="0.94"),
    Mutant(cell="a3374fb3", old="argmin(1)", new="argmax(1)", check="f69bb916", law="by_border[-1]"),
    Mutant(
        cell="875d5514",
        old="borders.values()",
        new="reversed(borders.values())",
        check="f69bb916",
        law="between(",
    ),
    Mutant(
        cell="e2c28d53",
        old="run(scale=255)",
        new="run(scale=1)",
        check="fc676909",
        law='end["clipped"], by=0.1',
    ),
    # The solution's twins: the farthest in the place of the nearest.
    Mutant(cell="098c34d7", old="argmin(1)", new="argmax(1)", check="098c34d7", law="most("),
]
