"""Mutants of the chapter on initialization."""

from tools.proof.mutants import Mutant

MUTANTS = [
    # No activation; half of the variance; a sum in place of a mean; half of He.
    Mutant(
        cell="cbb7be89",
        old="a = (W @ a).relu()",
        new="a = W @ a",
        check="ea2696e1",
        law="agree(sample",
        quick=True,
    ),
    Mutant(
        cell="800bec2f",
        old="(2 / (n_in + n_out))",
        new="(1 / (n_in + n_out))",
        check="ea2696e1",
        law="agree(forward[:, 0]",
        quick=True,
    ),
    Mutant(
        cell="45abcdd8",
        old="squares = [delta.square().mean((1, 2))]",
        new="squares = [delta.square().sum((1, 2))]",
        check="ea2696e1",
        law="agree(back[:, -1]",
        quick=True,
    ),
    Mutant(
        cell="800bec2f",
        old="(2 / n_in)",
        new="(1 / n_in)",
        check="ea2696e1",
        law='between(torch.stack(runs["He"]',
    ),
    # A readout of ones has a sign; the masks are missing on the way back.
    Mutant(
        cell="32760fdf",
        old="torch.randn(nets, width, 1, generator=rng) * on",
        new="torch.ones(nets, width, 1) * on",
        check="d81718ac",
        law="agree(torch.stack([values",
    ),
    Mutant(
        cell="32760fdf",
        old="delta = on[layer - 1] * (",
        new="delta = (",
        check="d81718ac",
        law="agree(sample, law[:, None]",
    ),
    # The variance where the standard deviation belongs.
    Mutant(
        cell="ccda51d5",
        old="z = std * ",
        new="z = std**2 * ",
        check="513b694c",
        law="agree(growth(400**-0.5)",
    ),
    Mutant(
        cell="ccda51d5",
        old="z = std * ",
        new="z = std**2 * ",
        check="513b694c",
        law="agree(growth(400**-0.25)",
    ),
    # Another number of inputs.
    Mutant(
        cell="065871cb",
        old="torch.nn.Linear(400, 400)",
        new="torch.nn.Linear(300, 400)",
        check="065871cb",
        law="agree(400 * layer.weight",
    ),
    Mutant(
        cell="065871cb",
        old="torch.nn.Linear(400, 400)",
        new="torch.nn.Linear(300, 400)",
        check="065871cb",
        law="agree(400 * layer.bias",
    ),
    # No activations.
    Mutant(
        cell="70518d0a", old="torch.nn.ReLU()", new="torch.nn.Identity()", check="065871cb", law="agree(z_rms"
    ),
    Mutant(
        cell="70518d0a",
        old="torch.nn.ReLU()",
        new="torch.nn.Identity()",
        check="065871cb",
        law="agree(2 * delta_rms",
    ),
    # Four layers.
    Mutant(
        cell="d4e6f8a0",
        old="default_net()[:-1]",
        new="default_net(4)[:-1]",
        check="d4e6f8a0",
        law="between(np.log(apart)",
    ),
    Mutant(
        cell="d4e6f8a0",
        old="default_net()[:-1]",
        new="default_net(4)[:-1]",
        check="d4e6f8a0",
        law="between(np.log(weight_ratio)",
    ),
    # Not doubled for the ReLU.
    Mutant(cell="e02aa49e", old="2**0.5 * glorot", new="glorot", check="da04d89e", law="agree(sample"),
    # Half of the variance; no border.
    Mutant(
        cell="783bf842",
        old="(2 / (9 * channels))",
        new="(1 / (9 * channels))",
        check="681a521e",
        law="between(circle",
    ),
    Mutant(cell="783bf842", old="mode=mode", new='mode="circular"', check="681a521e", law="between(zeros"),
    Mutant(cell="783bf842", old="mode=mode", new='mode="circular"', check="681a521e", law="agree(sample"),
    # Weights a little too small; a linear network; no masks; half of the variance.
    Mutant(
        cell="eb4dd8f1", old="(2 / width)", new="(2 / (width + 1))", check="e19d7aec", law="agree(end, -2.5"
    ),
    Mutant(
        cell="eb4dd8f1",
        old="(2 / width)",
        new="(1 / width)",
        check="e19d7aec",
        law="agree(end, 5",
        also=(("eb4dd8f1", "a = (W @ a).relu()", "a = W @ a"),),
    ),
    Mutant(
        cell="45abcdd8", old="delta = mask * (", new="delta = (", check="e19d7aec", law="agree(back, -2.5"
    ),
    Mutant(cell="45abcdd8", old="delta = mask * (", new="delta = (", check="e19d7aec", law="agree(back, 5"),
    Mutant(
        cell="eb4dd8f1", old="(2 / width)", new="(1 / width)", check="e19d7aec", law="agree(torch.stack([two"
    ),
    # Twice the variance; the last Jacobian alone; a ReLU that deletes nothing.
    Mutant(cell="33f2cf65", old="/ n**0.5", new="/ (n / 2) ** 0.5", check="0cc464d1", law="agree(largest"),
    Mutant(
        cell="175dadb0",
        old="J, a = W @ J, W @ a",
        new="J, a = W, W @ a",
        check="0cc464d1",
        law="between(sixteen[:, 0]",
    ),
    Mutant(
        cell="175dadb0",
        old="J, a = W @ J, W @ a",
        new="J, a = W, W @ a",
        check="0cc464d1",
        law="between(sixteen[:, 1]",
    ),
    Mutant(
        cell="175dadb0", old="((a > 0) * J, a.relu())", new="(J, a.relu())", check="f6a8b0c2", law="agree(off"
    ),
    Mutant(
        cell="175dadb0", old="J, a = W @ J, W @ a", new="J, a = W, W @ a", check="f6a8b0c2", law="between(top"
    ),
    # A rate a hundred times too small; one scale for all; the right scale missed; scales of 3.
    Mutant(cell="f27563ad", old="lr=0.01", new="lr=0.0001", check="12483f5f", law="most(grid[power < 0.5]"),
    Mutant(cell="f27563ad", old="lr=0.01", new="lr=0.0001", check="12483f5f", law="most(grid[0]"),
    Mutant(
        cell="f27563ad",
        old="f * 2**0.5 for f",
        new="2**0.5 for f",
        check="12483f5f",
        law="few(grid[power > 2]",
    ),
    Mutant(
        cell="f27563ad",
        old="f * 2**0.5 for f",
        new="2**0.5 for f",
        check="12483f5f",
        law="few(grid[-1][~near]",
    ),
    Mutant(cell="f27563ad", old="f * 2**0.5 for f", new="2**0.5 for f", check="12483f5f", law="most(blown"),
    Mutant(
        cell="f27563ad",
        old="f * 2**0.5 for f",
        new="(3.0 if abs(f - 1) < 0.15 else 2**0.5) for f",
        check="12483f5f",
        law="most(grid[-1][near]",
    ),
    Mutant(cell="f27563ad", old="f * 2**0.5 for f", new="f * 3 for f", check="12483f5f", law="few(blown"),
    # The number format is not heeded, or both are float16.
    Mutant(
        cell="cf7fcc92",
        old='number_format == "float16"',
        new='number_format == "float8"',
        check="337a4085",
        law="most((half",
    ),
    Mutant(
        cell="cf7fcc92",
        old='number_format == "float16"',
        new='number_format == "float8"',
        check="337a4085",
        law="most(dies",
    ),
    Mutant(
        cell="cf7fcc92",
        old='number_format == "float16"',
        new='number_format != "float64"',
        check="337a4085",
        law="few((full",
    ),
    Mutant(cell="e8a87d3b", old="delta = gain * (", new="delta = (", check="337a4085", law="agree(sample"),
    # Training: arms swapped, half of the scale.
    Mutant(
        cell="3ce96e31",
        old='layers": run(1.0, 30)',
        new='layers": run(2**0.5, 30)',
        check="b8c0d2e4",
        law='few(final["glorot-30"]',
    ),
    Mutant(
        cell="3ce96e31",
        old='layers": run(1.0, 30)',
        new='layers": run(2**0.5, 30)',
        check="b8c0d2e4",
        law='between(arms["Glorot, 30 layers"]',
    ),
    Mutant(
        cell="3ce96e31",
        old="run(2**0.5, 30)",
        new="run(1.0, 30)",
        check="b8c0d2e4",
        law='most(final["he-30"]',
    ),
    Mutant(
        cell="3ce96e31",
        old="run(1.0, 10)",
        new="run(0.5, 10)",
        check="b8c0d2e4",
        law='most(final["glorot-10"]',
    ),
    Mutant(
        cell="3ce96e31",
        old="run(2**0.5, 10)",
        new="run(0.5, 10)",
        check="b8c0d2e4",
        law='above(final["he-10"]',
    ),
    Mutant(
        cell="3ce96e31",
        old="run(2**0.5, 10)",
        new="run(1.0, 10)",
        check="b8c0d2e4",
        law='between(final["he-10"]',
    ),
    Mutant(
        cell="97c498b2", old="lr=0.005", new="lr=0.001", check="9dfe0e0e", law="reproduce initialization-"
    ),
    # A rate that grows with depth; one depth with less than half.
    *[
        Mutant(cell="7daa34cf", old="lr=0.02", new="lr=0.0003 * depth**2", check="080e2c63", law=law)
        for law in ("between(slope", "between(logs[:, 0]")
    ],
    Mutant(
        cell="7daa34cf",
        old="lr=0.02",
        new="lr=0.008 if depth == 8 else 0.02",
        check="080e2c63",
        law="between((logs - line)",
    ),
    # bfloat16 reaches further; the fans exchanged.
    Mutant(
        cell="cf7fcc92",
        old="x.half().float()",
        new="x.bfloat16().float()",
        check="2c8c8ef4",
        law="between(first_zero",
    ),
    Mutant(cell="800bec2f", old="(2 / n_in)", new="(2 / n_out)", check="2c8c8ef4", law="agree(down"),
    Mutant(cell="e02aa49e", old="(2 / n_out)", new="(2 / n_in)", check="2c8c8ef4", law="agree(up"),
]
