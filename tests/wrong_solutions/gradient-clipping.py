# %% [markdown]
# Wrong answers to the lab on gradient clipping, as students give them; the hidden tests must refuse each.

# %% bptt: forgets to add up over time
def bptt(params, x, states, dlogits):
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    grads["V"] = states[-1].mT @ dlogits
    grads["d"] = dlogits.sum(1, keepdim=True)
    dh = dlogits @ params["V"].mT
    for t in range(len(states) - 1, 0, -1):
        delta = dh * (1 - states[t].square())
        grads["W"] = states[t - 1].mT @ delta
        grads["U"] = x[:, :, t - 1].mT @ delta
        grads["b"] = delta.sum(1, keepdim=True)
        dh = delta @ params["W"].mT
    return grads

# %% bptt: W instead of its transpose
def bptt(params, x, states, dlogits):
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    grads["V"] = states[-1].mT @ dlogits
    grads["d"] = dlogits.sum(1, keepdim=True)
    dh = dlogits @ params["V"].mT
    for t in range(len(states) - 1, 0, -1):
        delta = dh * (1 - states[t].square())
        grads["W"] += states[t - 1].mT @ delta
        grads["U"] += x[:, :, t - 1].mT @ delta
        grads["b"] += delta.sum(1, keepdim=True)
        dh = delta @ params["W"]
    return grads

# %% bptt: the slope of tanh at the step before
def bptt(params, x, states, dlogits):
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    grads["V"] = states[-1].mT @ dlogits
    grads["d"] = dlogits.sum(1, keepdim=True)
    dh = dlogits @ params["V"].mT
    for t in range(len(states) - 1, 0, -1):
        delta = dh * (1 - states[t - 1].square())
        grads["W"] += states[t - 1].mT @ delta
        grads["U"] += x[:, :, t - 1].mT @ delta
        grads["b"] += delta.sum(1, keepdim=True)
        dh = delta @ params["W"].mT
    return grads

# %% bptt: stops one step early
def bptt(params, x, states, dlogits):
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    grads["V"] = states[-1].mT @ dlogits
    grads["d"] = dlogits.sum(1, keepdim=True)
    dh = dlogits @ params["V"].mT
    for t in range(len(states) - 1, 1, -1):
        delta = dh * (1 - states[t].square())
        grads["W"] += states[t - 1].mT @ delta
        grads["U"] += x[:, :, t - 1].mT @ delta
        grads["b"] += delta.sum(1, keepdim=True)
        dh = delta @ params["W"].mT
    return grads

# %% global_norm: adds the norms instead of the squares
def global_norm(grads):
    return torch.stack([g.flatten(1).norm(dim=1) for g in grads]).sum(0)

# %% global_norm: forgets the square root
def global_norm(grads):
    return torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0)

# %% global_norm: one number for all networks
def global_norm(grads):
    return torch.stack([g.norm() for g in grads]).norm()

# %% global_norm: the wrong axis
def global_norm(grads):
    return torch.stack([g.flatten(1).square().sum(0).sum().expand(len(g)) for g in grads]).sum(0).sqrt()

# %% global_norm: hard-coded
def global_norm(grads):
    return torch.tensor([5.0, 2.0])

# %% clip_by_norm: clips by value
def clip_by_norm(grads, tau):
    return [g.clamp(-tau, tau) for g in grads], global_norm(grads)

# %% clip_by_norm: each tensor by its own norm
def clip_by_norm(grads, tau):
    norms = global_norm(grads)
    out = []
    for g in grads:
        factor = (tau / (g.flatten(1).norm(dim=1) + 1e-6)).clamp(max=1)
        out.append(g * factor.view(-1, *[1] * (g.dim() - 1)))
    return out, norms

# %% clip_by_norm: lengthens short gradients
def clip_by_norm(grads, tau):
    norms = global_norm(grads)
    factor = tau / (norms + 1e-6)
    return [g * factor.view(-1, *[1] * (g.dim() - 1)) for g in grads], norms

# %% clip_by_norm: returns the norm after clipping
def clip_by_norm(grads, tau):
    norms = global_norm(grads)
    factor = (tau / (norms + 1e-6)).clamp(max=1)
    return [g * factor.view(-1, *[1] * (g.dim() - 1)) for g in grads], norms.clamp(max=tau)

# %% clip_by_norm: forgets eps, so that zero becomes nan
def clip_by_norm(grads, tau):
    norms = global_norm(grads)
    factor = torch.where(norms >= 0, tau / norms, 1).clamp(max=1)
    out = [g / norms.view(-1, *[1] * (g.dim() - 1)) * (norms * factor).view(-1, *[1] * (g.dim() - 1)) for g in grads]
    return out, norms

# %% predicted_angle: the cosine is 1/d
def predicted_angle(d):
    return math.degrees(math.acos(1 / d))

# %% predicted_angle: in radians
def predicted_angle(d):
    return math.acos(1 / math.sqrt(d))

# %% predicted_angle: hard-coded
def predicted_angle(d):
    return 45.0

# %% predicted_angle: the angle to the other entries
def predicted_angle(d):
    return 90 - math.degrees(math.acos(1 / math.sqrt(d)))

# %% step: clips the velocity instead of the gradient
def step(params, velocity, grads, lr, beta, tau=None):
    names = list(params)
    norms = global_norm([grads[name] for name in names])
    for name in names:
        velocity[name].mul_(beta).add_(grads[name])
    if tau is not None:
        held, _ = clip_by_norm([velocity[name] for name in names], tau)
        for name, v in zip(names, held):
            velocity[name].copy_(v)
    for name in names:
        params[name].sub_(lr * velocity[name])
    return norms

# %% step: never clips
def step(params, velocity, grads, lr, beta, tau=None):
    for name in params:
        velocity[name].mul_(beta).add_(grads[name])
        params[name].sub_(lr * velocity[name])
    return global_norm(list(grads.values()))

# %% step: forgets momentum
def step(params, velocity, grads, lr, beta, tau=None):
    flat = list(grads.values())
    clipped, norms = clip_by_norm(flat, 1e30 if tau is None else tau)
    for name, g in zip(grads, clipped):
        params[name].sub_(lr * g)
    return norms

# %% step: an average instead of a sum
def step(params, velocity, grads, lr, beta, tau=None):
    flat = list(grads.values())
    clipped, norms = clip_by_norm(flat, 1e30 if tau is None else tau)
    for name, g in zip(grads, clipped):
        velocity[name].mul_(beta).add_((1 - beta) * g)
        params[name].sub_(lr * velocity[name])
    return norms

# %% longest_step: without the sum
def longest_step(lr, beta, tau):
    return lr * tau

# %% longest_step: the wrong series
def longest_step(lr, beta, tau):
    return lr * tau * (1 + beta)

# %% longest_step: forgets the learning rate
def longest_step(lr, beta, tau):
    return tau / (1 - beta)

# %% choose_threshold: the mean
def choose_threshold(log):
    return log[log.isfinite()].mean()

# %% choose_threshold: keeps inf and nan
def choose_threshold(log):
    return log.median()

# %% choose_threshold: the largest
def choose_threshold(log):
    return log[log.isfinite()].max()

# %% choose_threshold: hard-coded
def choose_threshold(log):
    return 2.0

# %% learned: counts the first record
def learned(accuracies):
    return int((accuracies[:, 0] > 0.9).sum())

# %% learned: counts every record
def learned(accuracies):
    return int((accuracies > 0.9).sum())

# %% learned: the best record of each
def learned(accuracies):
    return int((accuracies.max(1).values > 0.9).sum())

# %% learned: a share
def learned(accuracies):
    return (accuracies[:, -1] > 0.9).float().mean()
