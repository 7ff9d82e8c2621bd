# %% [markdown]
# Wrong answers to the lab of the clinic, as students give them; the hidden tests must refuse each.

# %% treat_a: clips
def treat_a(patient):
    return 'step too long', patient | {"clip": 1.0}

# %% treat_a: smaller weights
def treat_a(patient):
    return 'product grows', patient | {"gain": 0.5}

# %% treat_a: the right cure, the wrong illness
def treat_a(patient):
    return 'product grows', patient | {"inputs": "standardized"}

# %% treat_a: two changes at once
def treat_a(patient):
    return 'step too long', patient | {"inputs": "standardized", "lr": 0.02}

# %% treat_a: a rate a thousand times smaller
def treat_a(patient):
    return 'step too long', patient | {"lr": 5e-5}

# %% treat_b: clips
def treat_b(patient):
    return 'product grows', patient | {"clip": 0.1}

# %% treat_b: a smaller rate
def treat_b(patient):
    return 'product grows', patient | {"lr": 0.002}

# %% treat_b: the right cure, the wrong illness
def treat_b(patient):
    return 'step too long', patient | {"gain": 1.0}

# %% treat_b: other weights and fewer layers at once
def treat_b(patient):
    return 'product grows', patient | {"gain": 1.0, "depth": 5}

# %% treat_b: smaller weights, but far too small
def treat_b(patient):
    return 'product grows', patient | {"gain": 0.3}

# %% treat_c: smaller weights
def treat_c(patient):
    return 'step too long', patient | {"gain": 0.5}

# %% treat_c: a rate that is still too high
def treat_c(patient):
    return 'step too long', patient | {"lr": 0.35}

# %% treat_c: takes the noise of the growth for an illness
def treat_c(patient):
    return 'product vanishes', patient | {"lr": 0.03}

# %% treat_c: clips where no gradient reaches the threshold
def treat_c(patient):
    return 'step too long', patient | {"clip": 1000.0}

# %% treat_d: treats the symptom
def treat_d(patient):
    return 'step too long', patient | {"lr": 0.01}

# %% treat_d: changes nothing
def treat_d(patient):
    return 'step too long', patient

# %% treat_d: clips the heap
def treat_d(patient):
    return 'step too long', patient | {"clip": 0.1}

# %% treat_d: takes the noise of the growth for an illness
def treat_d(patient):
    return 'product vanishes', patient | {"zero_grad": True}

# %% treat_d: two changes at once
def treat_d(patient):
    return 'step too long', patient | {"zero_grad": True, "lr": 0.1}

# %% treat_e: a larger rate
def treat_e(patient):
    return 'step too short', patient | {"lr": 3.0}

# %% treat_e: gives up the clip, and with it the step
def treat_e(patient):
    return 'step too short', patient | {"step": plain_step, "clip": None}

# %% treat_e: without the loss scale
def treat_e(patient):
    return 'step too short', patient | {"loss_scale": 1.0}

# %% treat_e: the plain step, which never unscales
def treat_e(patient):
    return 'step too short', patient | {"step": plain_step}

# %% treat_e: a product that vanishes
def treat_e(patient):
    return 'product vanishes', patient | {"step": mixed_step}

# %% treat_f: a larger rate
def treat_f(patient):
    return 'product vanishes', patient | {"lr": 1.0}

# %% treat_f: clips
def treat_f(patient):
    return 'product vanishes', patient | {"clip": 1.0}

# %% treat_f: the right cure, the wrong illness
def treat_f(patient):
    return 'step too short', patient | {"activation": "tanh"}

# %% treat_f: weights twice as large
def treat_f(patient):
    return 'product vanishes', patient | {"gain": 2.0}

# %% helps: all medicines help everybody
def helps(name):
    return {"clip", "rate", "weights"}

# %% helps: mixes up the patients
def helps(name):
    return {"C": {"weights"}, "B": {"clip", "rate"}}[name]

# %% helps: a smaller rate always helps
def helps(name):
    return {"B": {"weights", "rate"}, "C": {"clip", "rate"}}[name]

# %% helps: believes that clipping cures a product
def helps(name):
    return {"B": {"weights", "clip"}, "C": {"clip", "rate"}}[name]

# %% period: half a swing
def period(lr, curvature):
    return math.pi / math.acos(1 - lr * curvature / 2)

# %% period: the angle without the half
def period(lr, curvature):
    return 2 * math.pi / math.acos(max(-1.0, 1 - lr * curvature))

# %% period: the small-angle formula of a spring
def period(lr, curvature):
    return 2 * math.pi / math.sqrt(lr * curvature)

# %% period: hard-coded
def period(lr, curvature):
    return 4.0

# %% mixed_step: clips, then divides the scale out
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor) / scale
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name]))
    return stepped

# %% mixed_step: a skipped network is multiplied by zero
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor)
        new = times(g, factor * stepped) + beta * velocity[name]
        velocity[name].copy_(new)
        params[name].sub_(lr * new)
    return stepped

# %% mixed_step: all networks skip when one does
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite().all().expand(len(norms))
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor)
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name]))
    return stepped

# %% mixed_step: a skipped network rolls on by momentum
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor)
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name] - lr * velocity[name]))
    return stepped

# %% mixed_step: divides the scale out in place
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    for g in grads.values():
        g.div_(scale)
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor)
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name]))
    return stepped

# %% mixed_step: one norm for each tensor
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, torch.ones_like(norms) if tau is None else (tau / (g.flatten(1).norm(dim=1) + 1e-6)).clamp(max=1))
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name]))
    return stepped

# %% mixed_step: clips the velocity
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = times(beta * velocity[name] + g, factor)
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        params[name].copy_(torch.where(stepped.view(shape), params[name] - lr * new, params[name]))
    return stepped

# %% benefit: the standard deviation
def benefit(before, after):
    gain = after - before
    return gain.mean(), gain.std()

# %% benefit: errors of two independent samples
def benefit(before, after):
    n = len(before)
    return after.mean() - before.mean(), (before.var() / n + after.var() / n) ** 0.5

# %% benefit: the wrong way
def benefit(before, after):
    gain = before - after
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% benefit: divides the variance by n
def benefit(before, after):
    gain = after - before
    return gain.mean(), gain.std(correction=0) / len(gain) ** 0.5
