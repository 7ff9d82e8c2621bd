"""Mutants of the chapter on regularization."""

from tools.proof.mutants import Mutant


def mutant(cell, old, new, check, law, **more):
    """A Mutant in one line."""
    return Mutant(cell=cell, old=old, new=new, check=check, law=law, **more)


UNDECAYED, DECAYED = ("147b075e", "= run()\n"), ("147b075e", "run(weight_decay=0.005)")
CALM = {"cell": "147b075e", "old": "= run()\n", "new": "= run(lr=0.04)\n"}
HALF_AT_FULL = ("1d96e942", "run(lr=0.04)", "run()")
SLOW = {
    "cell": "1d96e942",
    "old": "run(lr=0.04)",
    "new": "run(lr=2e-4)",
    "also": (("1d96e942", "run(clip=1.0)", "run(lr=2e-4)"),),
    "check": "15c38315",
}
TOO_LONG = {"cell": "fde914ac", "old": "gain=2**0.5))", "new": "gain=2**0.5), lr=1.0)", "check": "cd9294f2"}
CRITICAL = {"cell": "bca7a0b9", "old": "gain=3.0", "new": "gain=1.0"}
WEAK = {"cell": "bca7a0b9", "old": "weight_decay=0.1,", "new": "weight_decay=0.01,", "check": "4444dae9"}
SHORT = {"cell": "64b99693", "old": "return W /", "new": "return 0.7 * W /", "check": "ecca240b"}
OTHER_RATE = {"cell": "1aecafd6", "old": "lr=0.1", "new": "lr=0.05", "check": "89bce646"}
NO_SCALE = {"cell": "d40109a4", "old": " / others.std(1, correction=0)", "new": "", "check": "c82d529b"}
SMALLER = {"cell": "ff67c779", "old": "gain=3.0", "new": "gain=2.0", "check": "713a69d7"}
UNDIVIDED = {"cell": "a2be52ef", "old": "< keep) / keep", "new": "< keep) / 1.0", "check": "6d00a535"}
NO_FALL = {"cell": "4d56e58c", "old": "0.08)", "new": "0.02)", "check": "3dabd47d"}
HARMLESS = {
    "cell": "3cbd9572",
    "old": "0.08, 0.16], [0.0, 0.001, 0.005, 0.02, 0.1]",
    "new": "0.02, 0.02], [0.0, 0.001, 0.005, 0.005, 0.005]",
    "check": "71417d4b",
}

MUTANTS = [
    # The first step: ten times the decay, and pixels of a sensible size.
    mutant("679fe772", "0.01 *", "0.1 *", "aaf9d2f5", "most((share", quick=True),
    mutant("eb956ab4", "proteins.x_train,", "proteins.x_train / 255,", "aaf9d2f5", "most(abs(raw", quick=True,
           also=(("eb956ab4", "**raw,", "x_test=proteins.x_test / 255, y_test=proteins.y_test,"),)),
    # The late explosion: arms swapped, steps that are never or always too long.
    mutant(*UNDECAYED, "= run(weight_decay=5e-3)\n", "7662a4eb", "above(final",
           also=((*DECAYED, "run(lr=0.5)"),)),
    mutant(*DECAYED, "run(lr=0.5)", "7662a4eb", "few(lost"),
    mutant(*DECAYED, "run(lr=0.5)", "7662a4eb", "between(final"),
    mutant(*UNDECAYED, "= run(lr=1.0)\n", "7662a4eb", 'most(arms["no decay"]'),
    mutant("99667eac", "lr=0.08", "lr=1.0", "23369767", "agree(calm"),
    mutant("99667eac", "lr=0.08", "lr=0.04", "23369767", "most(torch"),
    mutant(**CALM, check="9dfe0e0e", law="reproduce regularization-undecayed"),
    mutant("1f7d12bb", "gain=2**0.5", "gain=2.0", "15c38315", 'agree(size["no decay"]'),
    mutant(**CALM, check="15c38315", law='most((size["no decay"]'),
    mutant(**CALM, check="15c38315", law="above(growth", also=(HALF_AT_FULL,)),
    mutant(**CALM, check="15c38315", law="above(final[name]", also=(HALF_AT_FULL,)),
    mutant(**CALM, check="15c38315", law='above(arms["half the rate"]', also=(HALF_AT_FULL,)),
    mutant(*DECAYED, "run(weight_decay=0.01)", "15c38315", "agree(shrunk"),
    mutant(**SLOW, law="agree(both, 22.5"),
    mutant(**SLOW, law="agree(both / size"),
    mutant(**SLOW, law="between(torch"),
    mutant("2083699a", "argmin(2)", "argmax(2)", "2083699a", "between((large", quick=True),
    # The matrices held, at a step that is too long for any.
    mutant(**TOO_LONG, law="few(lost"),
    mutant(**TOO_LONG, law="between(held"),
    mutant(**TOO_LONG, law="above(held", also=((*UNDECAYED, "= run(lr=0.04)\n"),)),
    mutant(*DECAYED, "run(lr=0.5)", "cd9294f2", 'above(final["decay'),
    # Twenty layers: critical from the start, a weak decay, another decay.
    mutant(**CRITICAL, check="4444dae9", law="few(all_three"),
    mutant("bca7a0b9", "gain=3.0", "gain=1.5", "4444dae9", "between(slow[80]"),
    mutant(**WEAK, law="agree(slow[200]"),
    mutant(**WEAK, law="between(slow[160]"),
    mutant("bca7a0b9", "weight_decay=0.01,", "weight_decay=0.02,", "4444dae9", "agree(scale_then"),
    # Spectral normalization to another norm.
    mutant(**CRITICAL, check="ecca240b", law='between(ratio["no'),
    mutant(**SHORT, law='agree(ratio["norm 1"]'),
    mutant(**SHORT, law='agree(ratio["norm 2"]'),
    mutant("e60f89ac", "lr=0.005", "lr=1e-6", "ecca240b", "between(final"),
    mutant("ecca240b", "* 3 /", "* 2 /", "ecca240b", "agree(torch.linalg"),
    mutant(**SHORT, law="between(torch.linalg"),
    # The balance: no noise, another rate, decay in both.
    mutant("6900d6b6", " + torch.randn(*w.shape[:-1], 8, 1, generator=rng)", "", "89bce646", "agree(own"),
    mutant(**OTHER_RATE, law="agree((decayed"),
    mutant(**OTHER_RATE, law="agree(measured"),
    mutant(**OTHER_RATE, law="agree((free"),
    mutant("f40bc3a0", "[0.01, 0.0]", "[0.01, 0.01]", "89bce646", "between(free"),
    mutant(**NO_SCALE, law="between(ratios"),
    mutant(**NO_SCALE, law="agree(ratios"),
    # The penalty: smaller weights, the gradient's length in place of its square.
    mutant(**SMALLER, law="agree(slopes"),
    mutant("9ab10310", "part.square().sum()", "part.abs().sum()", "713a69d7", "between(slopes"),
    mutant(**SMALLER, law="between(norms_of"),
    mutant(**UNDIVIDED, law="agree(growth"),
    mutant(**UNDIVIDED, law='between(ways["p = 0.5"]'),
    mutant("a2be52ef", "(variance / width)", "(2 * variance / width)", "6d00a535", "agree(quiet"),
    # The net: a rate at which nothing falls, no smaller rate, a checkpoint taken by the clock.
    mutant(**NO_FALL, law="most(falls[:32] >= 1"),
    mutant(**NO_FALL, law="most(falls[:32] >= 2"),
    mutant("9c5e3f80", "[0.5] * 32", "[1.0] * 32", "3dabd47d", "few(falls[32:]"),
    mutant("d767459e", "k[better] = p.data[better]", "k.copy_(p.data)", "3dabd47d", "few(end"),
    mutant("3cbd9572", "[0.02, 0.04,", "[0.5, 0.5,", "71417d4b", "most(each"),
    mutant(**HARMLESS, law="few(each[3]"),
    mutant(**HARMLESS, law="few(each[:, 4]"),
]  # fmt: skip
