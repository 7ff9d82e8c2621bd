# %% [markdown]
# Wrong answers to the lab on the chain rule, as students give them; the hidden tests must refuse each.

# %% deltas: forgets the transpose
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        w = W[level] if W[level].shape[1] == W[level].shape[2] else W[level].mT
        back.append((back[-1] @ w) * (1 - a[level].square()))
    return back[::-1]

# %% deltas: forgets the slope
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append(back[-1] @ W[level].mT)
    return back[::-1]

# %% deltas: takes tanh of the activation once more
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - torch.tanh(a[level]).square()))
    return back[::-1]

# %% deltas: forgets the square
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[level]))
    return back[::-1]

# %% deltas: the slope of the layer above
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[min(level + 1, len(a) - 1)].square()))
    return back[::-1]

# %% deltas: a slope for the readout, too
def deltas(W, a, dlogits):
    back = [dlogits * (1 - dlogits.square())]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[level].square()))
    return back[::-1]

# %% deltas: in the order of the backward pass
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[level].square()))
    return back

# %% deltas: forgets the first layer
def deltas(W, a, dlogits):
    back = [dlogits]
    for level in range(len(W) - 1, 1, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[level].square()))
    return back[::-1]

# %% gradients: divides by the batch once more
def gradients(a, delta):
    dW = [below.mT @ d / d.shape[1] for below, d in zip(a, delta)]
    return dW, [d.mean(1, keepdim=True) for d in delta]

# %% gradients: the bias as a mean
def gradients(a, delta):
    return [below.mT @ d for below, d in zip(a, delta)], [d.mean(1, keepdim=True) for d in delta]

# %% gradients: the activation of the layer itself
def gradients(a, delta):
    dW = [own.mT @ d for own, d in zip(a[1:] + a[-1:], delta)]
    return dW, [d.sum(1, keepdim=True) for d in delta]

# %% gradients: transposed
def gradients(a, delta):
    return [d.mT @ below for below, d in zip(a, delta)], [d.sum(1, keepdim=True) for d in delta]

# %% gradients: the bias sums over the neurons
def gradients(a, delta):
    return [below.mT @ d for below, d in zip(a, delta)], [d.sum(2, keepdim=True) for d in delta]

# %% growth_rate: divides by the layers instead of the steps between them
def growth_rate(norms):
    rates = (norms[:, 0] / norms[:, -1]).log() / norms.shape[1]
    return rates.mean(), rates.std() / len(rates) ** 0.5

# %% growth_rate: the mean before the logarithm
def growth_rate(norms):
    rates = (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    center = norms.mean(0)
    return (center[0] / center[-1]).log() / (norms.shape[1] - 1), rates.std() / len(rates) ** 0.5

# %% growth_rate: the deviation without the root of n
def growth_rate(norms):
    rates = (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rates.mean(), rates.std()

# %% growth_rate: biased variance
def growth_rate(norms):
    rates = (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rates.mean(), rates.std(correction=0) / len(rates) ** 0.5

# %% growth_rate: the wrong direction
def growth_rate(norms):
    rates = (norms[:, -1] / norms[:, 0]).log() / (norms.shape[1] - 1)
    return rates.mean(), rates.std() / len(rates) ** 0.5

# %% growth_rate: powers of ten
def growth_rate(norms):
    rates = (norms[:, 0] / norms[:, -1]).log10() / (norms.shape[1] - 1)
    return rates.mean(), rates.std() / len(rates) ** 0.5

# %% predicted_rate: of the squared norm
def predicted_rate(sigma_w, sigma_b):
    q = 1.0
    for _ in range(100):
        q = sigma_w**2 * average(lambda z: torch.tanh(z) ** 2, q) + sigma_b**2
    return math.log(sigma_w**2 * average(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q))

# %% predicted_rate: forgets the bias
def predicted_rate(sigma_w, sigma_b):
    q = 1.0
    for _ in range(100):
        q = sigma_w**2 * average(lambda z: torch.tanh(z) ** 2, q)
    return math.log(sigma_w**2 * average(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)) / 2

# %% predicted_rate: the slope at zero
def predicted_rate(sigma_w, sigma_b):
    return math.log(sigma_w)

# %% predicted_rate: the first layer's variance
def predicted_rate(sigma_w, sigma_b):
    q = sigma_w**2 + sigma_b**2
    return math.log(sigma_w**2 * average(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q)) / 2

# %% predicted_rate: the square of the mean slope
def predicted_rate(sigma_w, sigma_b):
    q = 1.0
    for _ in range(100):
        q = sigma_w**2 * average(lambda z: torch.tanh(z) ** 2, q) + sigma_b**2
    return math.log(sigma_w * average(lambda z: 1 - torch.tanh(z) ** 2, q))

# %% predicted_rate: adds the bias to chi
def predicted_rate(sigma_w, sigma_b):
    q = 1.0
    for _ in range(100):
        q = sigma_w**2 * average(lambda z: torch.tanh(z) ** 2, q) + sigma_b**2
    return math.log(sigma_w**2 * average(lambda z: (1 - torch.tanh(z) ** 2) ** 2, q) + sigma_b**2) / 2

# %% layers_to_overflow: starts at 1
def layers_to_overflow(rate, start, largest):
    return math.floor(math.log(largest) / rate) + 1

# %% layers_to_overflow: rounds down
def layers_to_overflow(rate, start, largest):
    return math.floor(math.log(largest / start) / rate)

# %% layers_to_overflow: the rate of the squared norm
def layers_to_overflow(rate, start, largest):
    return math.floor(math.log(largest / start) / (2 * rate)) + 1

# %% layers_to_overflow: takes the rate for the factor
def layers_to_overflow(rate, start, largest):
    return math.floor(math.log(largest / start) / math.log(1 + rate)) + 1

# %% layers_to_overflow: hard-coded
def layers_to_overflow(rate, start, largest):
    return {1.0: 10, 300.0: 2}.get(start, 430)

# %% first_nonfinite: the first column of the row
def first_nonfinite(log):
    row = int((~log.isfinite()).any(1).nonzero()[0])
    return row, int((~log[row].isfinite()).nonzero()[0])

# %% first_nonfinite: looks for the infinity alone
def first_nonfinite(log):
    places = log.isinf().nonzero()
    return tuple(places[0].tolist()) if len(places) else (0, 0)

# %% first_nonfinite: the last entry of all
def first_nonfinite(log):
    return tuple((~log.isfinite()).nonzero()[-1].tolist())

# %% first_nonfinite: looks for nan alone
def first_nonfinite(log):
    places = log.isnan().nonzero()
    return tuple(places[0].tolist()) if len(places) else (0, 0)

# %% first_nonfinite: counts from 1
def first_nonfinite(log):
    row = int((~log.isfinite()).any(1).nonzero()[0])
    return row + 1, int((~log[row].isfinite()).nonzero()[-1]) + 1

# %% critical_scale: the chapter's
def critical_scale(sigma_b):
    return 1.0

# %% critical_scale: hard-coded
def critical_scale(sigma_b):
    return 1.3956

# %% critical_scale: a guess that adds the variances
def critical_scale(sigma_b):
    return math.sqrt(1 + sigma_b**2)

# %% critical_scale: keeps the wrong half
def critical_scale(sigma_b):
    low, high = 0.5, 4.0
    while high - low > 1e-3:
        middle = (low + high) / 2
        if predicted_rate(middle, sigma_b) < 0:
            high = middle
        else:
            low = middle
    return (low + high) / 2

# %% critical_scale: stops after five halvings
def critical_scale(sigma_b):
    low, high = 0.5, 4.0
    for _ in range(5):
        middle = (low + high) / 2
        low, high = (middle, high) if predicted_rate(middle, sigma_b) < 0 else (low, middle)
    return (low + high) / 2

# %% improvement: as if the runs were strangers
def improvement(before, after):
    p, q = 100 * before[:, -1], 100 * after[:, -1]
    return (q - p).mean(), ((p.var() + q.var()) / len(p)).sqrt()

# %% improvement: the wrong way round
def improvement(before, after):
    gain = 100 * (before[:, -1] - after[:, -1])
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% improvement: the deviation without the root of n
def improvement(before, after):
    gain = 100 * (after[:, -1] - before[:, -1])
    return gain.mean(), gain.std()

# %% improvement: in shares of 1
def improvement(before, after):
    gain = after[:, -1] - before[:, -1]
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% improvement: averages all records
def improvement(before, after):
    gain = 100 * (after - before).mean(1)
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% improvement: the medians
def improvement(before, after):
    gain = 100 * (after[:, -1] - before[:, -1])
    return gain.median(), gain.std() / len(gain) ** 0.5
