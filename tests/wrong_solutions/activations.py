# %% [markdown]
# Wrong answers to the lab on activations, as students give them; the hidden tests must refuse each.

# %% hardswish_slope: forgets the product rule
def hardswish_slope(z):
    return (z + 3).clamp(0, 6) / 6

# %% hardswish_slope: the parabola everywhere
def hardswish_slope(z):
    return (2 * z + 3) / 6

# %% hardswish_slope: held between 0 and 1
def hardswish_slope(z):
    return ((2 * z + 3) / 6).clamp(0, 1)

# %% hardswish_slope: forgets the six
def hardswish_slope(z):
    return torch.where(z <= -3, torch.zeros_like(z), torch.where(z >= 3, torch.ones_like(z), 2 * z + 3))

# %% hardswish_slope: hard-coded
def hardswish_slope(z):
    return torch.where(z > 0, torch.ones_like(z), torch.zeros_like(z)) if len(z) > 1 else 0.5 + 0 * z

# %% gaussian_mean: takes q for a standard deviation
def gaussian_mean(f, q):
    u = torch.linspace(-8, 8, 4000, dtype=torch.float64)
    weight = torch.exp(-u.square() / 2)
    return ((weight * f(q * u)).sum() / weight.sum()).item()

# %% gaussian_mean: forgets the variance
def gaussian_mean(f, q):
    u = torch.linspace(-8, 8, 4000, dtype=torch.float64)
    weight = torch.exp(-u.square() / 2)
    return ((weight * f(u)).sum() / weight.sum()).item()

# %% gaussian_mean: the variance twice, in the points and in the weights
def gaussian_mean(f, q):
    u = torch.linspace(-8, 8, 4000, dtype=torch.float64)
    weight = torch.exp(-u.square() / (2 * q))
    return ((weight * f(math.sqrt(q) * u)).sum() / weight.sum()).item()

# %% gaussian_mean: forgets the weights
def gaussian_mean(f, q):
    u = torch.linspace(-1.7320508, 1.7320508, 4000, dtype=torch.float64)
    return f(math.sqrt(q) * u).mean().item()

# %% gaussian_mean: a coarse sample
def gaussian_mean(f, q):
    u = torch.randn(300, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return f(math.sqrt(q) * u).mean().item()

# %% predicted_chi: forgets the bias
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    chi = []
    for _ in range(depth):
        chi.append(sigma_w**2 * gaussian_mean(lambda z: slope(z) ** 2, q))
        q = sigma_w**2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    return torch.tensor(chi)

# %% predicted_chi: one layer too late
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    chi = []
    for _ in range(depth):
        q = sigma_w**2 * gaussian_mean(lambda z: phi(z) ** 2, q) + sigma_b**2
        chi.append(sigma_w**2 * gaussian_mean(lambda z: slope(z) ** 2, q))
    return torch.tensor(chi)

# %% predicted_chi: the square of the mean slope
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    chi = []
    for _ in range(depth):
        chi.append(sigma_w**2 * gaussian_mean(slope, q) ** 2)
        q = sigma_w**2 * gaussian_mean(lambda z: phi(z) ** 2, q) + sigma_b**2
    return torch.tensor(chi)

# %% predicted_chi: q stays as it was
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    return torch.tensor([sigma_w**2 * gaussian_mean(lambda z: slope(z) ** 2, q)] * depth)

# %% predicted_chi: off by a square root
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    chi = []
    for _ in range(depth):
        chi.append(sigma_w * math.sqrt(gaussian_mean(lambda z: slope(z) ** 2, q)))
        q = sigma_w**2 * gaussian_mean(lambda z: phi(z) ** 2, q) + sigma_b**2
    return torch.tensor(chi)

# %% delta_norms: W instead of its transpose
def delta_norms(phi, slope, weights, biases, a, v):
    depth, slopes = weights.shape[1], []
    for layer in range(depth):
        z = weights[:, layer] @ a + biases[:, layer]
        slopes.append(slope(z))
        a = phi(z)
    delta = slopes[-1] * v
    norms = [delta.norm(dim=(1, 2))]
    for layer in range(depth - 2, -1, -1):
        delta = slopes[layer] * (weights[:, layer + 1] @ delta)
        norms.append(delta.norm(dim=(1, 2)))
    return torch.stack(norms[::-1], 1)

# %% delta_norms: the weights of the same layer
def delta_norms(phi, slope, weights, biases, a, v):
    depth, slopes = weights.shape[1], []
    for layer in range(depth):
        z = weights[:, layer] @ a + biases[:, layer]
        slopes.append(slope(z))
        a = phi(z)
    delta = slopes[-1] * v
    norms = [delta.norm(dim=(1, 2))]
    for layer in range(depth - 2, -1, -1):
        delta = slopes[layer] * (weights[:, layer].mT @ delta)
        norms.append(delta.norm(dim=(1, 2)))
    return torch.stack(norms[::-1], 1)

# %% delta_norms: the last layer first
def delta_norms(phi, slope, weights, biases, a, v):
    depth, slopes = weights.shape[1], []
    for layer in range(depth):
        z = weights[:, layer] @ a + biases[:, layer]
        slopes.append(slope(z))
        a = phi(z)
    delta = slopes[-1] * v
    norms = [delta.norm(dim=(1, 2))]
    for layer in range(depth - 2, -1, -1):
        delta = slopes[layer] * (weights[:, layer + 1].mT @ delta)
        norms.append(delta.norm(dim=(1, 2)))
    return torch.stack(norms, 1)

# %% delta_norms: the gradient by a instead of z
def delta_norms(phi, slope, weights, biases, a, v):
    depth, slopes = weights.shape[1], []
    for layer in range(depth):
        z = weights[:, layer] @ a + biases[:, layer]
        slopes.append(slope(z))
        a = phi(z)
    norms = [v.norm(dim=(1, 2))]
    for layer in range(depth - 1, 0, -1):
        v = weights[:, layer].mT @ (slopes[layer] * v)
        norms.append(v.norm(dim=(1, 2)))
    return torch.stack(norms[::-1], 1)

# %% delta_norms: the slope at the activation
def delta_norms(phi, slope, weights, biases, a, v):
    depth, slopes = weights.shape[1], []
    for layer in range(depth):
        a = phi(weights[:, layer] @ a + biases[:, layer])
        slopes.append(slope(a))
    delta = slopes[-1] * v
    norms = [delta.norm(dim=(1, 2))]
    for layer in range(depth - 2, -1, -1):
        delta = slopes[layer] * (weights[:, layer + 1].mT @ delta)
        norms.append(delta.norm(dim=(1, 2)))
    return torch.stack(norms[::-1], 1)

# %% growth_rate: the standard deviation for the standard error
def growth_rate(norms):
    rate = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rate.mean(), rate.std()

# %% growth_rate: counts the layers, not the crossings
def growth_rate(norms):
    rate = 2 * (norms[:, 0] / norms[:, -1]).log() / norms.shape[1]
    return rate.mean(), rate.std() / len(rate) ** 0.5

# %% growth_rate: forgets the square
def growth_rate(norms):
    rate = (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rate.mean(), rate.std() / len(rate) ** 0.5

# %% growth_rate: the biased variance
def growth_rate(norms):
    rate = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rate.mean(), rate.std(correction=0) / len(rate) ** 0.5

# %% growth_rate: upside down
def growth_rate(norms):
    rate = 2 * (norms[:, -1] / norms[:, 0]).log() / (norms.shape[1] - 1)
    return rate.mean(), rate.std() / len(rate) ** 0.5

# %% growth_rate: the logarithm of the mean
def growth_rate(norms):
    rate = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    mean = (norms[:, 0].square().mean() / norms[:, -1].square().mean()).log() / (norms.shape[1] - 1)
    return mean, rate.std() / len(rate) ** 0.5

# %% kind_of: the size of χ instead of its growth
def kind_of(scales, chi):
    return "straight" if chi[-1] > scales[-1] else "saturating"

# %% kind_of: the two words swapped
def kind_of(scales, chi):
    power = (chi[-1] / chi[0]).log() / (scales[-1] / scales[0]).log()
    return "saturating" if power > 1.5 else "straight"

# %% kind_of: any growth counts
def kind_of(scales, chi):
    return "straight" if (chi[-1] / chi[0]).log() / (scales[-1] / scales[0]).log() > 0.5 else "saturating"

# %% kind_of: a growth that forgets the scales
def kind_of(scales, chi):
    return "straight" if chi[-1] / chi[0] > 10 * (chi[-1] / chi[0]) ** 0.5 else "saturating"

# %% kind_of: hard-coded
def kind_of(scales, chi):
    return "straight"

# %% silent_share: forgets the size, so that a negative slope is silent
def silent_share(slope, q):
    return gaussian_mean(lambda z: (slope(z) < 0.1).double(), q)

# %% silent_share: takes q for a standard deviation
def silent_share(slope, q):
    return gaussian_mean(lambda z: (slope(z).abs() < 0.1).double(), q**2)

# %% silent_share: the share that is not silent
def silent_share(slope, q):
    return gaussian_mean(lambda z: (slope(z).abs() >= 0.1).double(), q)

# %% silent_share: only units with a slope of exactly zero
def silent_share(slope, q):
    return gaussian_mean(lambda z: (slope(z) == 0).double(), q)

# %% silent_share: hard-coded
def silent_share(slope, q):
    return 0.157

# %% own_scale: the squares instead of the scales
def own_scale(phi, slope, q):
    w2 = 1 / gaussian_mean(lambda z: slope(z) ** 2, q)
    b2 = q - w2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q) / q
    return w2, b2, r

# %% own_scale: a bias of size zero where there is no solution
def own_scale(phi, slope, q):
    w2 = 1 / gaussian_mean(lambda z: slope(z) ** 2, q)
    b2 = q - w2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q) / q
    return math.sqrt(w2), math.sqrt(max(b2, 0.0)), r

# %% own_scale: r without the division by q
def own_scale(phi, slope, q):
    w2 = 1 / gaussian_mean(lambda z: slope(z) ** 2, q)
    b2 = q - w2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q)
    return math.sqrt(w2), math.sqrt(b2) if b2 >= 0 else math.nan, r

# %% own_scale: the mean slope squared
def own_scale(phi, slope, q):
    w2 = 1 / gaussian_mean(slope, q) ** 2
    b2 = q - w2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q) / q
    return math.sqrt(w2), math.sqrt(b2) if b2 >= 0 else math.nan, r

# %% own_scale: the bias without the weights
def own_scale(phi, slope, q):
    w2 = 1 / gaussian_mean(lambda z: slope(z) ** 2, q)
    b2 = q - gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q) / q
    return math.sqrt(w2), math.sqrt(b2) if b2 >= 0 else math.nan, r

# %% advantage: the first record
def advantage(before, after):
    gain = after[:, 0] - before[:, 0]
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% advantage: before minus after
def advantage(before, after):
    gain = before[:, -1] - after[:, -1]
    return gain.mean(), gain.std() / len(gain) ** 0.5

# %% advantage: the error of two groups instead of pairs
def advantage(before, after):
    a, b = after[:, -1], before[:, -1]
    return (a - b).mean(), ((a.var() + b.var()) / len(a)) ** 0.5

# %% advantage: the standard deviation for the standard error
def advantage(before, after):
    gain = after[:, -1] - before[:, -1]
    return gain.mean(), gain.std()

# %% advantage: the biased variance
def advantage(before, after):
    gain = after[:, -1] - before[:, -1]
    return gain.mean(), gain.std(correction=0) / len(gain) ** 0.5
