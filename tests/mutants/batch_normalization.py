"""Mutants of the chapter on batch normalization."""

from tools.proof.mutants import Mutant

RUNNING = "f56b532c"
ARMS, REPRODUCED, RATE = "3ce96e31", "9dfe0e0e", "5c6ded40"
SHAKEN, SHAKEN_RUN, SHIFT = "4b38e65f", "5bfbca0e", "43d2f735"
SWEEP, SWEPT = "807e2695", "3688b978"
SCALES, SCALED = "90977c95", "750a5268"
STANDARDIZE, BACKWARD, BATCHES, GROWTH = "c8c3a38f", "6263e3db", "bfebc67f", "6b7dc003"
BENDS, BENT = "9dfe91f7", "bc8b224a"
KINDS, BESIDE = "42cab7b6", "aa93d969"
HEIGHTS, KNOBS = "363f1972", "83a6a941"
DEEP, ENDS, PROFILE = "85f79c93", "40472228", "5f8b13a6"

SWAPPED = 'network({"batch": None, None: "batch"}.get(norm, norm))'
DEEP_BATCH = '"80, batch norm": run(network("batch", depth=80)'
STRAIGHTER = '"80, batch norm": run(network("batch", 80, **straighter)'
LAYER_NORM = '"layer": lambda z: standardize(z, 2)'

MUTANTS = [
    # running statistics
    Mutant(RUNNING, "2 * torch.randn", "torch.randn", "18fc2957", "agree(variances", quick=True),
    Mutant(RUNNING, "+ 3)", "+ 2)", "18fc2957", "agree(means", quick=True),
    # a learning rate that kills
    Mutant(ARMS, 'network("batch")', 'network("layer")', REPRODUCED, "reproduce batch-normalization-batch"),
    Mutant(ARMS, "network(None), lr=0.3)", "network(None), lr=0.03)", RATE, "few(none", quick=True),
    Mutant(ARMS, "lr=0.03)", "lr=0.003)", RATE, "most(small_rate"),
    Mutant(ARMS, "network(None), lr=0.3)", 'network("batch"), lr=0.3)', RATE, "above(batch"),
    # covariate shift
    Mutant(SHAKEN_RUN, "kind=Shaken", "kind=MLP", SHAKEN_RUN, "reproduce batch-normalization-shaken"),
    Mutant(SHAKEN_RUN, "lr=0.03)", "lr=0.3)", SHIFT, "between(shifts"),
    Mutant(SHAKEN, "0.3 * shift", "3.0 * shift", SHIFT, "above(shaken, small_rate"),
    Mutant(SHAKEN, "0.15 * scale", "1.5 * scale", SHIFT, "above(shaken, batch"),
    # the bracket and the jitter
    Mutant("f5e99455", "(g - g.mean(0) - z_hat", "(g - z_hat", "3e44f57d", "agree((ratios"),
    Mutant("1abf200e", "z[0] = place", "z[0] = place / 2", "7d1e04ab", "agree((torch.stack"),
    # higher rates
    Mutant(SWEEP, "lr=each", "lr=[3 * lr for lr in each]", SWEPT, 'between((reached["batch"]'),
    Mutant(SWEEP, "lr=each", "lr=[10 * lr for lr in each]", SWEPT, "between(none[0.1]"),
    Mutant(SWEEP, "lr=each", "lr=[3 * lr for lr in each]", SWEPT, "between(batch[0.1]"),
    Mutant(SWEEP, "lr=each", "lr=[10 * lr for lr in each]", SWEPT, "above(batch[0.3], batch[0.1]"),
    Mutant(SWEEP, "lr=each", "lr=[lr / 10 for lr in each]", SWEPT, "above(none[0.1], none[0.3]"),
    Mutant(SWEEP, "lr=each", "lr=[lr / 10 for lr in each]", SWEPT, "between(lost"),
    Mutant(SWEEP, "lr=each", "lr=[lr / 10 for lr in each]", SWEPT, "few(torch.cat"),
    Mutant(SWEEP, "network(norm)", SWAPPED, SWEPT, "above(batch[3.0], none[0.3]"),
    Mutant(SWEEP, "network(norm)", SWAPPED, SWEPT, "above(batch[0.3], layer[0.3]"),
    # the scale of the weights
    Mutant(SCALES, "[0.3] * 16", "[1.4] * 16", SCALED, "agree(plain.loss"),
    Mutant(SCALES, "[3.0] * 16", "[1.5] * 16", SCALED, "most(~np.isfinite"),
    Mutant(SCALES, "[0.3] * 16", "[1.4] * 16", SCALED, "few(plain.accuracy"),
    Mutant(SCALES, "lr=0.1", "lr=0.0001", SCALED, "most(normed"),
    Mutant(SCALES, "[0.3] * 16 + [3.0] * 16", "[3.0] * 16 + [0.3] * 16", SCALED, "above(normed"),
    # the other face
    Mutant(STANDARDIZE, "z - z.mean(dim, keepdim=True)", "z", GROWTH, "agree(torch.stack([logs"),
    Mutant(BACKWARD, "phi(norm(z[-1]))", "phi(norm(z[-1]) - 1)", GROWTH, "between(logs[4]"),
    Mutant(BATCHES, "batch=batch)", "batch={4: 8, 8: 4}.get(batch, batch))", GROWTH, "above(logs[4]"),
    Mutant(
        BACKWARD,
        "normal(nets, batch, width), []",
        "normal(nets, batch, width).relu(), []",
        GROWTH,
        "agree(bend",
    ),
    Mutant(BACKWARD, "* scale / width", "* 1.1 * scale / width", "c4a1e67d", "agree(level"),
    Mutant(BENDS, "(over_batch, batch=64", "(lambda z: standardize(z, 2), batch=64", BENT, "between(regular"),
    Mutant(
        BENDS,
        "(over_batch, batch=64",
        "(lambda z: standardize(z, 2), batch=64",
        BENT,
        "between(torch.stack([off",
    ),
    Mutant(STANDARDIZE, "standardize(z, 1)", "standardize(z, 2)", "9ce7d350", "between(longest(F.silu)"),
    Mutant(
        STANDARDIZE, "standardize(z, 1)", "3 * standardize(z, 1)", "9ce7d350", "between(longest(torch.tanh)"
    ),
    # layer, group and RMS norm beside it
    Mutant(
        KINDS, '"batch": over_batch', '"batch": lambda z: standardize(z, 2)', BESIDE, 'agree(slopes["batch"]'
    ),
    Mutant(KINDS, "scale=2**0.5", "scale=1.0", BESIDE, "agree(torch.stack([slopes"),
    Mutant(KINDS, LAYER_NORM, '"layer": over_batch', BESIDE, "between(torch.stack([cosines"),
    Mutant(
        KINDS, '"batch": over_batch', '"batch": lambda z: z / z.std(1, keepdim=True)', BESIDE, "agree(cosines"
    ),
    Mutant(KINDS, LAYER_NORM, '"layer": lambda z: z', "d7451c82", "agree(2 * (tanh_layer"),
    # the knobs
    Mutant(HEIGHTS, ".relu()", ".tanh()", KNOBS, "agree(torch.stack(normed"),
    Mutant(HEIGHTS, "* scale / width", "* scale**2 / width", KNOBS, "agree(plain"),
    # before and after
    Mutant(
        DEEP,
        DEEP_BATCH,
        DEEP_BATCH.replace('("batch"', '("layer"'),
        "ecd59534",
        "reproduce batch-normalization-deep",
    ),
    Mutant(DEEP, DEEP_BATCH, STRAIGHTER, ENDS, "few(ends"),
    Mutant(DEEP, "network(None, depth=80)", "network(None, depth=3)", ENDS, "few(no_norm"),
    Mutant(DEEP, 'network("batch", depth=10)', 'network("batch", depth=2)', ENDS, "between(np.stack"),
    Mutant(DEEP, '"slope": 0.8', '"slope": 0.0', ENDS, "above(straight_ends"),
    Mutant("8e798fb3", 'network("batch", 80)', 'network("batch", 10)', ENDS, "few(search"),
    Mutant(DEEP, "network(None, depth=80)", "network(None, depth=80, gain=1.0)", ENDS, "agree(2 * (level"),
    Mutant(DEEP, DEEP_BATCH, STRAIGHTER, PROFILE, "between(before_and_after[0]"),
    Mutant(DEEP, '"lr": 0.05', '"lr": 1e-9', PROFILE, "between(before_and_after[1]"),
    Mutant(DEEP, '"slope": 0.8', '"slope": 0.0', PROFILE, "between((straight"),
    Mutant("71a75474", "p.data -= 0.05", "p.data -= 5", PROFILE, "between(longer"),
    Mutant("71a75474", "p.data -= 0.05", "p.data -= 5", PROFILE, "between(thrown"),
    Mutant(
        "3893c731",
        'network("batch", depth=80)',
        'network("batch", 80, **straighter)',
        PROFILE,
        "between((unscaled",
    ),
    Mutant("b0185639", "over_batch, slope)", "over_batch, 0.8 - slope)", PROFILE, "between(kept"),
    Mutant("b0185639", "over_batch, slope)", "over_batch, 0.8 - slope)", PROFILE, "above(kept"),
]
