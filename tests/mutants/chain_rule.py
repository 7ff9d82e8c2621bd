"""Mutants of the chapter on the chain rule."""

from tools.proof.mutants import Mutant

HALF = "/ (2 * h)"
"""The divisor of the central difference."""

MUTANTS = [
    # The difference quotient: the 2 forgotten, or one side only.
    Mutant(cell="92e976c2", old=HALF, new="/ h", check="3910f589", law="agree(slope_over(low)", quick=True),
    *[
        Mutant(
            cell="92e976c2",
            old="loss_of(W - move, x, y)) / (2 * h)",
            new="loss_of(W, x, y)) / h",
            check="3910f589",
            law=law,
        )
        for law in ("most((slope_over(high)", "agree(decades[", "agree(digits")
    ],
    # Forty matrices: the scale squared.
    *[
        Mutant(cell="b7059bf2", old="* scale /", new="* scale**2 /", check="585ca39a", law=law)
        for law in ("agree(norms", "between(bound", "agree(grown")
    ],
    # Exponents: the scale dropped.
    Mutant(
        cell="c8053734",
        old=" * scale / width**0.5",
        new=" / width**0.5",
        check="1ed8e8af",
        law="agree(torch.cat",
        quick=True,
    ),
    # Typical and average: entries too large by an eighth.
    *[
        Mutant(cell="3a4b053c", old="/ width**0.5", new="/ (width - 2) ** 0.5", check="c99bf5fe", law=law)
        for law in ("agree(squared[:, -1]", "agree((squared[:, late]", "agree(squared[:, 1:4]", "few(")
    ],
    # Networks: the slopes forgotten on the way back, and on the way forward.
    Mutant(cell="fc0a5ca8", old="slopes[layer] * (", new="(", check="edbcf432", law="agree(measured_logs"),
    *[
        Mutant(
            cell="13bc0b9b", old="(1 - a**2) * (W", new="(W", check="f3c4f21f", law=law, quick="sign" in law
        )
        for law in ("between(sign", "agree(exponents[:, -1]", "agree(exponents[:, 0]")
    ],
    # Training: a rate four times as large, none at all; critical weights where large ones belong; too deep.
    Mutant(
        cell="448efd76", old="lr=0.005", new="lr=0.02", check="9dfe0e0e", law="reproduce chain-rule-critical"
    ),
    Mutant(cell="448efd76", old="lr=0.005", new="lr=1e-6", check="5c6ded41", law='final["'),
    Mutant(
        cell="3ce96e31",
        old="run(gain=3.0),",
        new="run(gain=1.0),",
        check="5c6ded41",
        law='between(torch.stack([final["exploding"]',
    ),
    Mutant(
        cell="3ce96e31",
        old="gain=3.0, clip=1.0",
        new="gain=1.0, clip=1.0",
        check="9dfe0e0e",
        law="reproduce chain-rule-clipped",
    ),
    Mutant(
        cell="3ce96e31", old="depth=3", new="depth=20", check="9dfe0e0e", law="reproduce chain-rule-shallow"
    ),
    # The first gradients: every weight twice as large, which fails all three laws of that cell.
    Mutant(cell="448efd76", old="gain=gain", new="gain=2 * gain", check="a46ae8e1", law="math.log("),
    # The solution's product: a factor too many, a factor too few.
    Mutant(cell="7047eed8", old="100_000, 20", new="100_000, 21", check="7047eed8", law="agree("),
    Mutant(cell="7047eed8", old="100_000, 20", new="100_000, 21", check="7047eed8", law="most("),
    Mutant(cell="7047eed8", old="100_000, 20", new="100_000, 19", check="7047eed8", law="few("),
]
