"""Mutants of the chapter on activations."""

from tools.proof.mutants import Mutant

MUTANTS = [
    # The change v is not multiplied by the scale of the weights.
    Mutant(
        cell="5356a631",
        old="* (sigma_w * (stack[:, layer] @ v))",
        new="* (stack[:, layer] @ v)",
        check="a0eba53e",
        law="agree(sample",
    ),
    # The leak is on the way of the signal, not on that of the change.
    Mutant(cell="b24a61b1", old="leak * v)", new="0.0 * v)", check="18b025e3", law="agree(fixed", quick=True),
    # The adapted weights are a bare 2/(1 + s).
    Mutant(
        cell="1eb2b98a", old="(1 + s**2)", new="(1 + s)", check="18b025e3", law="agree(adapted", quick=True
    ),
    # Twice the weights than said.
    Mutant(
        cell="b118406e",
        old="sigma_w * (W @ a)",
        new="2 * sigma_w * (W @ a)",
        check="d1b0fab3",
        law="agree(sample",
    ),
    # The map of angles for a linear net: they stay.
    Mutant(
        cell="0aa011b8",
        old="(math.sin(theta) + (math.pi - theta) * math.cos(theta)) / math.pi",
        new="math.cos(theta)",
        check="d1b0fab3",
        law="agree(off_for_both",
    ),
    # Off for each of four digits is not off for all.
    Mutant(
        cell="10b96b7c",
        old="2**0.5, x_train)",
        new="2**0.5, x_train[:4])",
        check="d1b0fab3",
        law="between(off_for_all[0]",
    ),
    # Without the activation inputs do not come together.
    Mutant(
        cell="b118406e",
        old="a = PHI[name](z[-1])",
        new="a = z[-1]",
        check="d1b0fab3",
        law="between(off_for_all[-1]",
    ),
    # A step uphill half as long, eight times as long; other weights.
    Mutant(
        cell="daeee317", old="p - lr * g", new="p - 8 * lr * g", check="f767ae7e", law="agree(shares[:, 0]"
    ),
    Mutant(
        cell="980186ec",
        old='"leaky ReLU": 2**0.5',
        new='"leaky ReLU": 0.5',
        check="f767ae7e",
        law="agree(shares[:, :2]",
    ),
    Mutant(
        cell="980186ec", old='"ELU": 1.0', new='"ELU": 3.0', check="f767ae7e", law="between(shares, np.log"
    ),
    Mutant(cell="980186ec", old='"ELU": 1.0', new='"ELU": 3.0', check="f767ae7e", law="between(shares[:, 2]"),
    Mutant(
        cell="daeee317",
        old="p - lr * g",
        new="p - 8 * lr * g",
        check="c4d8e2f6",
        law='between(silenced["ReLU"][:, 2]',
    ),
    Mutant(
        cell="daeee317",
        old="p - lr * g",
        new="p - lr / 64 * g",
        check="c4d8e2f6",
        law='between(silenced["ReLU"][:, -1]',
    ),
    Mutant(
        cell="daeee317",
        old="p - lr * g",
        new="p - lr / 8 * g",
        check="c4d8e2f6",
        law='between(silenced["ReLU"][:, 6]',
    ),
    Mutant(
        cell="980186ec",
        old='"ELU": 1.0',
        new='"ELU": 3.0',
        check="c4d8e2f6",
        law='between(silenced["ELU"][:, 6]',
    ),
    Mutant(
        cell="980186ec",
        old='"SiLU": 2**0.5',
        new='"SiLU": 1.623',
        check="c4d8e2f6",
        law="between(both_scales",
    ),
    # The gradient does not pass the slopes; the scale is 2, or the slopes are those of another function.
    Mutant(cell="7f24ecbe", old="slopes[layer] * (", new="(", check="7ac4f9f9", law="agree(ends", quick=True),
    Mutant(
        cell="f3f76a3b",
        old="delta_norms(name, 3.0",
        new="delta_norms(name, 2.0",
        check="7ac4f9f9",
        law='between(end["ELU"] - end["tanh"]',
    ),
    Mutant(
        cell="f3f76a3b",
        old="delta_norms(name, 3.0",
        new="delta_norms(name, 2.0",
        check="7ac4f9f9",
        law='between(end["tanh"]',
    ),
    Mutant(
        cell="f3f76a3b",
        old="delta_norms(name, 3.0",
        new="delta_norms(name, 2.0",
        check="7ac4f9f9",
        law='between(end["ELU"], low',
    ),
    Mutant(cell="7f24ecbe", old="slopes[layer] * (", new="(", check="7ac4f9f9", law='between(end["sigmoid"]'),
    Mutant(
        cell="f3f76a3b",
        old="delta_norms(name, 3.0",
        new="delta_norms(name, 1.0",
        check="7ac4f9f9",
        law="between(ends[:, 1:]",
    ),
    # A scale that is a tenth too large; no biases where the scales ask for them.
    Mutant(
        cell="04d20d84",
        old="delta_norms(name, sigma_w, stack, sigma_b, shifts, q)    #",
        new="delta_norms(name, 1.1 * sigma_w, stack, sigma_b, shifts, q)    #",
        check="33d8acb0",
        law="between(tens[:, ~fans_out], -",
    ),
    # A ReLU in place of each.
    Mutant(
        cell="04d20d84",
        old="delta_norms(name, sigma_w, stack, sigma_b, shifts, q)    #",
        new='delta_norms("ReLU", 2**0.5, stack)    #',
        check="33d8acb0",
        law="between(tens[:, fans_out]",
    ),
    # The larger variances do not get their own scale.
    *[
        Mutant(
            cell="04d20d84",
            old='q = {q}"] = delta_norms(name, sigma_w',
            new='q = {q}"] = delta_norms(name, 1.5 * sigma_w',
            check="33d8acb0",
            law=law,
        )
        for law in ("above(tens[:, 6]", "above(tens[:, 7]")
    ],
    # The same input twice.
    Mutant(
        cell="03519bb3",
        old="a = torch.linalg.qr(a).Q",
        new="a = torch.linalg.qr(a).Q[..., :1].repeat(1, 1, 2)",
        check="0eb19b7b",
        law="agree(sample",
    ),
    # The narrower nets of the explorer keep the variance of the wide ones.
    Mutant(
        cell="d78ef7a5",
        old=":128, :128] * 2**0.5",
        new=":128, :128]",
        check="3ac8bd36",
        law="agree(tens * sample",
    ),
    Mutant(
        cell="7f24ecbe",
        old="slopes[layer] * (",
        new="(",
        check="3ac8bd36",
        law='between(states["sigmoid", 3.0, 40]',
    ),
    Mutant(
        cell="7f24ecbe",
        old="slopes[layer] * (sigma_w * ",
        new="slopes[layer] * (1.0 * ",
        check="3ac8bd36",
        law='between(states["ReLU", 3.0, 40]',
    ),
    # Training: arms swapped, no clipping, another scale or rate.
    Mutant(cell="2a0e2e1f", old="lr=0.005", new="lr=0.0005", check="9dfe0e0e", law="reproduce activations-"),
    Mutant(
        cell="3ce96e31",
        old='"ELU, σ_w = 2": run("elu", 2.0)',
        new='"ELU, σ_w = 2": run("elu", 1.0)',
        check="a7b9c1d3",
        law="most(",
    ),
    Mutant(
        cell="3ce96e31",
        old='"ELU, σ_w = 2": run("elu", 2.0)',
        new='"ELU, σ_w = 2": run("elu", 1.0)',
        check="a7b9c1d3",
        law="between(np.log(",
    ),
    Mutant(
        cell="3ce96e31",
        old='critical": run("elu", 1.0)',
        new='critical": run("elu", 0.5)',
        check="a7b9c1d3",
        law='above(final["own-scale"]',
    ),
    Mutant(
        cell="3ce96e31",
        old='"elu", 2.0, depth=3',
        new='"elu", 2.0, depth=20',
        check="a7b9c1d3",
        law='above(final["shallow"]',
    ),
    Mutant(
        cell="3ce96e31",
        old='run("elu", 2.0, clip=1.0)',
        new='run("elu", 1.0, clip=1.0)',
        check="a7b9c1d3",
        law='between(final["clipped"]',
    ),
    Mutant(
        cell="3ce96e31",
        old='run("sigmoid", 10.149)',
        new='run("tanh", 1.5)',
        check="a7b9c1d3",
        law='between(final["sigmoid"]',
    ),
]
