# %% [markdown]
# Wrong answers to the lab on batch normalization, as students give them; the hidden tests must refuse each.

# %% batch_norm: the unbiased variance
def batch_norm(z, gamma, beta, eps=EPS):
    s = (z.var(1, keepdim=True) + eps).sqrt()
    z_hat = (z - z.mean(1, keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm: forgets eps
def batch_norm(z, gamma, beta, eps=EPS):
    s = z.std(1, correction=0, keepdim=True)
    z_hat = (z - z.mean(1, keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm: eps outside the root
def batch_norm(z, gamma, beta, eps=EPS):
    s = z.std(1, correction=0, keepdim=True) + eps
    z_hat = (z - z.mean(1, keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm: over the units, as layer norm does
def batch_norm(z, gamma, beta, eps=EPS):
    s = (z.var(2, correction=0, keepdim=True) + eps).sqrt()
    z_hat = (z - z.mean(2, keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm: all networks together
def batch_norm(z, gamma, beta, eps=EPS):
    s = (z.var((0, 1), correction=0, keepdim=True) + eps).sqrt()
    z_hat = (z - z.mean((0, 1), keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm: the variance instead of its root
def batch_norm(z, gamma, beta, eps=EPS):
    s = z.var(1, correction=0, keepdim=True) + eps
    z_hat = (z - z.mean(1, keepdim=True)) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm_backward: mean and deviation taken as constants
def batch_norm_backward(dy, z_hat, s, gamma):
    return gamma * dy / s, (dy * z_hat).sum(1, keepdim=True), dy.sum(1, keepdim=True)

# %% batch_norm_backward: follows the mean but not the deviation
def batch_norm_backward(dy, z_hat, s, gamma):
    g = gamma * dy
    return (g - g.mean(1, keepdim=True)) / s, (dy * z_hat).sum(1, keepdim=True), dy.sum(1, keepdim=True)

# %% batch_norm_backward: forgets gamma on the way back
def batch_norm_backward(dy, z_hat, s, gamma):
    dz = (dy - dy.mean(1, keepdim=True) - z_hat * (dy * z_hat).mean(1, keepdim=True)) / s
    return dz, (dy * z_hat).sum(1, keepdim=True), dy.sum(1, keepdim=True)

# %% batch_norm_backward: one gamma for all networks
def batch_norm_backward(dy, z_hat, s, gamma):
    g = gamma * dy
    dz = (g - g.mean(1, keepdim=True) - z_hat * (g * z_hat).mean(1, keepdim=True)) / s
    return dz, (dy * z_hat).sum((0, 1)).expand_as(gamma), dy.sum((0, 1)).expand_as(gamma)

# %% batch_norm_backward: B − 1 instead of B
def batch_norm_backward(dy, z_hat, s, gamma):
    g, B = gamma * dy, dy.shape[1]
    dz = (g - g.mean(1, keepdim=True) - z_hat * (g * z_hat).sum(1, keepdim=True) / (B - 1)) / s
    return dz, (dy * z_hat).sum(1, keepdim=True), dy.sum(1, keepdim=True)

# %% batch_norm_backward: the mean over the batch for gamma and beta
def batch_norm_backward(dy, z_hat, s, gamma):
    g = gamma * dy
    dz = (g - g.mean(1, keepdim=True) - z_hat * (g * z_hat).mean(1, keepdim=True)) / s
    return dz, (dy * z_hat).mean(1, keepdim=True), dy.mean(1, keepdim=True)

# %% batch_norm_layer: the biased variance in the running one
def batch_norm_layer(z, gamma, beta, running, training):
    if not training:
        s = (running["variance"] + EPS).sqrt()
        z_hat = (z - running["mean"]) / s
        return gamma * z_hat + beta, z_hat, s
    if z.shape[1] < 2:
        raise ValueError("a batch of one")
    running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
    running["variance"] = 0.9 * running["variance"] + 0.1 * z.var(1, correction=0, keepdim=True)
    return batch_norm(z, gamma, beta)

# %% batch_norm_layer: 0.9 of the new batch
def batch_norm_layer(z, gamma, beta, running, training):
    if not training:
        s = (running["variance"] + EPS).sqrt()
        z_hat = (z - running["mean"]) / s
        return gamma * z_hat + beta, z_hat, s
    if z.shape[1] < 2:
        raise ValueError("a batch of one")
    running["mean"] = 0.1 * running["mean"] + 0.9 * z.mean(1, keepdim=True)
    running["variance"] = 0.1 * running["variance"] + 0.9 * z.var(1, keepdim=True)
    return batch_norm(z, gamma, beta)

# %% batch_norm_layer: the batch's statistics in evaluation, too
def batch_norm_layer(z, gamma, beta, running, training):
    if training:
        if z.shape[1] < 2:
            raise ValueError("a batch of one")
        running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
        running["variance"] = 0.9 * running["variance"] + 0.1 * z.var(1, keepdim=True)
    return batch_norm(z, gamma, beta)

# %% batch_norm_layer: the running statistics in training, too
def batch_norm_layer(z, gamma, beta, running, training):
    if training:
        if z.shape[1] < 2:
            raise ValueError("a batch of one")
        running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
        running["variance"] = 0.9 * running["variance"] + 0.1 * z.var(1, keepdim=True)
    s = (running["variance"] + EPS).sqrt()
    z_hat = (z - running["mean"]) / s
    return gamma * z_hat + beta, z_hat, s

# %% batch_norm_layer: evaluation changes the running statistics
def batch_norm_layer(z, gamma, beta, running, training):
    s = (running["variance"] + EPS).sqrt()
    z_hat = (z - running["mean"]) / s
    running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
    if z.shape[1] > 1:
        running["variance"] = 0.9 * running["variance"] + 0.1 * z.var(1, keepdim=True)
    elif training:
        raise ValueError("a batch of one")
    return batch_norm(z, gamma, beta) if training else (gamma * z_hat + beta, z_hat, s)

# %% batch_norm_layer: a batch of one is not refused
def batch_norm_layer(z, gamma, beta, running, training):
    n = z.shape[1]
    if not training:
        s = (running["variance"] + EPS).sqrt()
        z_hat = (z - running["mean"]) / s
        return gamma * z_hat + beta, z_hat, s
    running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
    running["variance"] = 0.9 * running["variance"] + 0.1 * z.var(1, correction=0, keepdim=True) * (n / max(n - 1, 1))
    return batch_norm(z, gamma, beta)

# %% brake: adds the lengths
def brake(length, gradient, lr):
    return length + lr * gradient, math.degrees(math.atan2(lr * gradient, length))

# %% brake: in radians
def brake(length, gradient, lr):
    return math.hypot(length, lr * gradient), math.atan2(lr * gradient, length)

# %% brake: forgets the learning rate
def brake(length, gradient, lr):
    return math.hypot(length, gradient), math.degrees(math.atan2(gradient, length))

# %% brake: the sine for the tangent
def brake(length, gradient, lr):
    step = lr * gradient
    return math.hypot(length, step), math.degrees(math.asin(min(1.0, step / length)))

# %% diagnose: reads the size of the gradient
def diagnose(norms):
    largest = norms.max()
    return "growing product" if largest > 100 else "vanishing product" if largest < 0.01 else "level"

# %% diagnose: the mean instead of the median
def diagnose(norms):
    ratio = (norms[:, 0] / norms[:, -1]).mean()
    return "growing product" if ratio > 100 else "vanishing product" if ratio < 0.01 else "level"

# %% diagnose: the last layer over the first
def diagnose(norms):
    ratio = (norms[:, -1] / norms[:, 0]).median()
    return "growing product" if ratio > 100 else "vanishing product" if ratio < 0.01 else "level"

# %% diagnose: always the same
def diagnose(norms):
    return "growing product"

# %% growth: of the norm instead of its square
def growth(norms):
    values = (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return values.mean(), values.std() / len(norms) ** 0.5

# %% growth: as many gaps as layers
def growth(norms):
    values = 2 * (norms[:, 0] / norms[:, -1]).log() / norms.shape[1]
    return values.mean(), values.std() / len(norms) ** 0.5

# %% growth: the standard deviation for the standard error
def growth(norms):
    values = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return values.mean(), values.std()

# %% growth: n instead of n − 1
def growth(norms):
    values = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return values.mean(), values.std(correction=0) / len(norms) ** 0.5

# %% growth: the wrong way
def growth(norms):
    values = 2 * (norms[:, -1] / norms[:, 0]).log() / (norms.shape[1] - 1)
    return values.mean(), values.std() / len(norms) ** 0.5

# %% growth: the log of the mean instead of the mean of the logs
def growth(norms):
    values = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return values.exp().mean().log(), values.std() / len(norms) ** 0.5

# %% predicted_growth: divides by the mean square, as layer norm does
def predicted_growth(a):
    return 1.0

# %% predicted_growth: the ReLU's factor for all
def predicted_growth(a):
    return math.pi / (math.pi - 1)

# %% predicted_growth: a straight line between the ends
def predicted_growth(a):
    return a + (1 - a) * math.pi / (math.pi - 1)

# %% predicted_growth: the sign of the negative half lost in the mean
def predicted_growth(a):
    square = (1 + a**2) / 2
    return square / (square - (1 + a) ** 2 / (2 * math.pi))

# %% predicted_growth: of the norm
def predicted_growth(a):
    square = (1 + a**2) / 2
    return (square / (square - (1 - a) ** 2 / (2 * math.pi))) ** 0.5

# %% slope_for: of the squared norm
def slope_for(depth, factor):
    grid = torch.linspace(0, 1, 5001, dtype=torch.float64).tolist()
    return next(a for a in grid if 1 / (1 - (1 - a) ** 2 / (math.pi * (1 + a**2))) ** depth <= factor)

# %% slope_for: one layer for all
def slope_for(depth, factor):
    grid = torch.linspace(0, 1, 5001, dtype=torch.float64).tolist()
    return next(a for a in grid if 1 / (1 - (1 - a) ** 2 / (math.pi * (1 + a**2))) <= factor)

# %% slope_for: too safe, a straight line
def slope_for(depth, factor):
    return 1.0

# %% slope_for: hard-coded
def slope_for(depth, factor):
    return 0.0 if depth == 2 else 0.3756

# %% benefit: the error of two independent groups
def benefit(before, after):
    a, b = after[:, -1], before[:, -1]
    return (a - b).mean(), ((a.var() + b.var()) / len(a)) ** 0.5

# %% benefit: the first record
def benefit(before, after):
    d = after[:, 0] - before[:, 0]
    return d.mean(), d.std() / len(d) ** 0.5

# %% benefit: the standard deviation for the standard error
def benefit(before, after):
    d = after[:, -1] - before[:, -1]
    return d.mean(), d.std()

# %% benefit: before minus after
def benefit(before, after):
    d = before[:, -1] - after[:, -1]
    return d.mean(), d.std() / len(d) ** 0.5
