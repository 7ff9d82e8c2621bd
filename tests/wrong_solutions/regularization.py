# %% [markdown]
# Wrong answers to the lab on regularization, as students give them; the hidden tests must refuse each.

# %% weight_decay_for: loses the factor 2
def weight_decay_for(c):
    return c

# %% weight_decay_for: the factor the wrong way
def weight_decay_for(c):
    return c / 2

# %% weight_decay_for: squares it
def weight_decay_for(c):
    return 2 * c**2

# %% weight_decay_for: hard-coded
def weight_decay_for(c):
    return 1.0

# %% sgd_step: decay beside the velocity
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        velocity[name].mul_(beta).add_(grads[name])
        w.sub_(lr * (velocity[name] + lam * w))

# %% sgd_step: twice the decay
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        velocity[name].mul_(beta).add_(grads[name] + 2 * lam * w)
        w.sub_(lr * velocity[name])

# %% sgd_step: an average instead of a sum
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        velocity[name].mul_(beta).add_((1 - beta) * (grads[name] + lam * w))
        w.sub_(lr * velocity[name])

# %% sgd_step: forgets the velocity
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        w.sub_(lr * (grads[name] + lam * w))

# %% sgd_step: not in place
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        v = beta * velocity[name] + grads[name] + lam * w
        w = w - lr * v

# %% sgd_step: new tensors in the dictionary
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name in params:
        velocity[name] = beta * velocity[name] + grads[name] + lam * params[name]
        params[name] = params[name] - lr * velocity[name]

# %% sgd_step: the old velocity moves the weight
def sgd_step(params, velocity, grads, lr, beta, lam):
    for name, w in params.items():
        old = velocity[name].clone()
        velocity[name].mul_(beta).add_(grads[name] + lam * w)
        w.sub_(lr * old)

# %% adam_step: decoupled in either case
def adam_step(w, state, g, lr, lam, decoupled):
    state["t"] += 1
    w.mul_(1 - lr * lam)
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / (v.sqrt() + 1e-8))

# %% adam_step: L2 in either case
def adam_step(w, state, g, lr, lam, decoupled):
    state["t"] += 1
    g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / (v.sqrt() + 1e-8))

# %% adam_step: no bias correction
def adam_step(w, state, g, lr, lam, decoupled):
    if decoupled:
        w.mul_(1 - lr * lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    w.sub_(lr * state["m"] / (state["v"].sqrt() + 1e-8))

# %% adam_step: never counts its steps
def adam_step(w, state, g, lr, lam, decoupled):
    if decoupled:
        w.mul_(1 - lr * lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    w.sub_(lr * (state["m"] / 0.1) / ((state["v"] / 0.001).sqrt() + 1e-8))

# %% adam_step: the decoupled decay without the learning rate
def adam_step(w, state, g, lr, lam, decoupled):
    state["t"] += 1
    if decoupled:
        w.mul_(1 - lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / (v.sqrt() + 1e-8))

# %% adam_step: forgets eps
def adam_step(w, state, g, lr, lam, decoupled):
    state["t"] += 1
    if decoupled:
        w.mul_(1 - lr * lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / v.sqrt())

# %% adam_step: forgets the root
def adam_step(w, state, g, lr, lam, decoupled):
    state["t"] += 1
    if decoupled:
        w.mul_(1 - lr * lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / (v + 1e-8))

# %% half_life: forgets momentum
def half_life(lr, beta, lam):
    return math.log(2) / (lr * lam)

# %% half_life: down to 1/e
def half_life(lr, beta, lam):
    return (1 - beta) / (lr * lam)

# %% half_life: momentum the wrong way
def half_life(lr, beta, lam):
    return math.log(2) / (lr * lam * (1 - beta))

# %% half_life: a straight line instead of an exponential
def half_life(lr, beta, lam):
    return (1 - beta) * 0.5 / (lr * lam)

# %% balance: the square root instead of the fourth
def balance(lr, lam, G):
    return (lr * G**2 / (2 * lam)) ** 0.5, math.degrees(math.sqrt(2 * lr * lam))

# %% balance: loses the factor 2
def balance(lr, lam, G):
    return (lr * G**2 / lam) ** 0.25, math.degrees(math.sqrt(lr * lam))

# %% balance: in radians
def balance(lr, lam, G):
    return (lr * G**2 / (2 * lam)) ** 0.25, math.sqrt(2 * lr * lam)

# %% balance: the turn without the root
def balance(lr, lam, G):
    return (lr * G**2 / (2 * lam)) ** 0.25, math.degrees(2 * lr * lam)

# %% balance: the balance of a weight with a steady push
def balance(lr, lam, G):
    return G / lam, math.degrees(math.sqrt(2 * lr * lam))

# %% diagnose: the best record decides
def diagnose(accuracies):
    return "working" if accuracies.max() >= 0.5 else "never learned"

# %% diagnose: any fall is a death
def diagnose(accuracies):
    if accuracies.max() < 0.5:
        return "never learned"
    return "working" if (accuracies.diff() >= 0).all() else "late explosion"

# %% diagnose: the last record alone
def diagnose(accuracies):
    return "working" if accuracies[-1] >= 0.5 else "late explosion"

# %% diagnose: hard-coded
def diagnose(accuracies):
    return "late explosion"

# %% spectral_norm: the Frobenius norm
def spectral_norm(W, rounds=60):
    return W.flatten(1).norm(dim=1)

# %% spectral_norm: the square
def spectral_norm(W, rounds=60):
    return torch.linalg.matrix_norm(W, 2).square()

# %% spectral_norm: one round, whatever is asked
def spectral_norm(W, rounds=60):
    u = torch.ones(len(W), 1, W.shape[2], dtype=W.dtype)
    v = torch.nn.functional.normalize(u @ W.mT, dim=-1)
    u = torch.nn.functional.normalize(v @ W, dim=-1)
    return (u @ W.mT).norm(dim=(1, 2))

# %% spectral_norm: one number for all networks
def spectral_norm(W, rounds=60):
    return torch.linalg.matrix_norm(W, 2).max().expand(len(W))

# %% spectral_norm: the longest row
def spectral_norm(W, rounds=60):
    return W.norm(dim=2).amax(1)

# %% spectral_norm: the smallest singular value
def spectral_norm(W, rounds=60):
    return torch.linalg.svdvals(W)[:, -1]

# %% growth: per record instead of per step
def growth(steps, values):
    t = torch.arange(len(steps), dtype=values.dtype)
    t = t - t.mean()
    slopes = (t * values).sum(1) / t.square().sum()
    return slopes.mean(), slopes.std() / len(slopes) ** 0.5

# %% growth: the last minus the first
def growth(steps, values):
    slopes = (values[:, -1] - values[:, 0]) / (steps[-1] - steps[0])
    return slopes.mean(), slopes.std() / len(slopes) ** 0.5

# %% growth: a line through the origin
def growth(steps, values):
    slopes = (steps * values).sum(1) / steps.square().sum()
    return slopes.mean(), slopes.std() / len(slopes) ** 0.5

# %% growth: the standard deviation for the standard error
def growth(steps, values):
    t = steps - steps.mean()
    slopes = (t * values).sum(1) / t.square().sum()
    return slopes.mean(), slopes.std()

# %% growth: n instead of n − 1
def growth(steps, values):
    t = steps - steps.mean()
    slopes = (t * values).sum(1) / t.square().sum()
    return slopes.mean(), slopes.std(correction=0) / len(slopes) ** 0.5

# %% keep: keeps the tensor and not a copy
def keep(params, kept, best, score):
    if (score > best).any():
        for name in params:
            kept[name] = params[name]
        best[score > best] = score[score > best]

# %% keep: all networks when one is better
def keep(params, kept, best, score):
    if (score > best).any():
        for name in params:
            kept[name].copy_(params[name])
    best[score > best] = score[score > best]

# %% keep: the newest, by the clock
def keep(params, kept, best, score):
    for name in params:
        kept[name].copy_(params[name])
    best.copy_(score)

# %% keep: forgets to raise the bar
def keep(params, kept, best, score):
    better = score > best
    for name in params:
        kept[name][better] = params[name][better]

# %% keep: takes nan for better
def keep(params, kept, best, score):
    better = ~(score <= best)
    for name in params:
        kept[name][better] = params[name][better]
    best[better] = score[better]

# %% keep: the worst
def keep(params, kept, best, score):
    better = (score < best) | (best < 0)
    for name in params:
        kept[name][better] = params[name][better]
    best[better] = score[better]
