# %% [markdown]
# Wrong answers to the lab on initialization, as students give them; the hidden tests must refuse each.

# %% fans: swapped
def fans(shape):
    pixels = math.prod(shape[2:])
    return shape[0] * pixels, shape[1] * pixels

# %% fans: forgets the kernel
def fans(shape):
    return shape[1], shape[0]

# %% fans: the kernel on the way in alone
def fans(shape):
    return math.prod(shape[1:]), shape[0]

# %% fans: a square kernel taken for granted
def fans(shape):
    pixels = shape[2] ** 2 if len(shape) > 2 else 1
    return shape[1] * pixels, shape[0] * pixels

# %% he_init_: the variance as a standard deviation
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    return W.normal_(0, 2 / (n_in if mode == "fan_in" else n_out), generator=rng)

# %% he_init_: forgets the half that a ReLU deletes
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    return W.normal_(0, (1 / (n_in if mode == "fan_in" else n_out)) ** 0.5, generator=rng)

# %% he_init_: ignores the mode
def he_init_(W, mode, rng):
    return W.normal_(0, (2 / fans(W.shape)[0]) ** 0.5, generator=rng)

# %% he_init_: the modes swapped
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    return W.normal_(0, (2 / (n_out if mode == "fan_in" else n_in)) ** 0.5, generator=rng)

# %% he_init_: not in place
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    return torch.randn(W.shape, generator=rng) * (2 / (n_in if mode == "fan_in" else n_out)) ** 0.5

# %% he_init_: a generator of its own
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    rng = torch.Generator().manual_seed(0)
    return W.normal_(0, (2 / (n_in if mode == "fan_in" else n_out)) ** 0.5, generator=rng)

# %% he_init_: a uniform law
def he_init_(W, mode, rng):
    n_in, n_out = fans(W.shape)
    c = (6 / (n_in if mode == "fan_in" else n_out)) ** 0.5
    return W.uniform_(-c, c, generator=rng)

# %% glorot_init_: the standard deviation for the bound
def glorot_init_(W, rng):
    c = (2 / sum(fans(W.shape))) ** 0.5
    return W.uniform_(-c, c, generator=rng)

# %% glorot_init_: forgets the square root
def glorot_init_(W, rng):
    c = 6 / sum(fans(W.shape))
    return W.uniform_(-c, c, generator=rng)

# %% glorot_init_: the mean of the widths, counted once
def glorot_init_(W, rng):
    c = (3 / sum(fans(W.shape))) ** 0.5
    return W.uniform_(-c, c, generator=rng)

# %% glorot_init_: the inputs alone
def glorot_init_(W, rng):
    c = (3 / fans(W.shape)[0]) ** 0.5
    return W.uniform_(-c, c, generator=rng)

# %% glorot_init_: a normal law
def glorot_init_(W, rng):
    return W.normal_(0, (2 / sum(fans(W.shape))) ** 0.5, generator=rng)

# %% glorot_init_: positive weights
def glorot_init_(W, rng):
    c = (6 / sum(fans(W.shape))) ** 0.5
    return W.uniform_(0, c, generator=rng)

# %% orthogonal_: forgets the signs
def orthogonal_(W, gain, rng):
    rows, columns = max(W.shape), min(W.shape)
    Q, R = torch.linalg.qr(torch.randn(rows, columns, generator=rng))
    return W.copy_(gain * (Q if W.shape == Q.shape else Q.T))

# %% orthogonal_: the gain squared
def orthogonal_(W, gain, rng):
    rows, columns = max(W.shape), min(W.shape)
    Q, R = torch.linalg.qr(torch.randn(rows, columns, generator=rng))
    Q = Q * R.diagonal().sign()
    return W.copy_(gain**2 * (Q if W.shape == Q.shape else Q.T))

# %% orthogonal_: forgets the gain
def orthogonal_(W, gain, rng):
    rows, columns = max(W.shape), min(W.shape)
    Q, R = torch.linalg.qr(torch.randn(rows, columns, generator=rng))
    Q = Q * R.diagonal().sign()
    return W.copy_(Q if W.shape == Q.shape else Q.T)

# %% orthogonal_: columns of length one, but not orthogonal
def orthogonal_(W, gain, rng):
    A = torch.randn(W.shape, generator=rng)
    return W.copy_(gain * A / A.norm(dim=0, keepdim=True))

# %% orthogonal_: a piece of a larger orthogonal matrix
def orthogonal_(W, gain, rng):
    n = W.shape[0] + W.shape[1]
    Q, R = torch.linalg.qr(torch.randn(n, n, generator=rng))
    return W.copy_(gain * (Q * R.diagonal().sign())[: W.shape[0], : W.shape[1]])

# %% orthogonal_: the same matrix every time
def orthogonal_(W, gain, rng):
    return W.copy_(gain * torch.eye(*W.shape))

# %% gains: the variance instead of the second moment
def gains(phi, slope):
    def spread(f):
        return gaussian_mean(lambda z: f(z) ** 2) - gaussian_mean(f) ** 2

    return tuple(max(spread(f), 1e-12) ** -0.5 for f in (phi, slope))

# %% gains: forgets the square root
def gains(phi, slope):
    return tuple(1 / gaussian_mean(lambda z: f(z) ** 2) for f in (phi, slope))

# %% gains: the mean of the size
def gains(phi, slope):
    return tuple(1 / gaussian_mean(lambda z: f(z).abs()) for f in (phi, slope))

# %% gains: one gain for both passes
def gains(phi, slope):
    return (gaussian_mean(lambda z: phi(z) ** 2) ** -0.5,) * 2

# %% gains: swapped
def gains(phi, slope):
    return tuple(gaussian_mean(lambda z: f(z) ** 2) ** -0.5 for f in (slope, phi))

# %% default_squares: forgets the biases
def default_squares(widths, m):
    squares = []
    for _ in widths[:-1]:
        squares.append((squares[-1] / 2 if squares else m) / 3)
    return torch.tensor(squares)

# %% default_squares: a variance of 1/n for weights and biases
def default_squares(widths, m):
    squares = []
    for n in widths[:-1]:
        squares.append((squares[-1] / 2 if squares else m) + 1 / n)
    return torch.tensor(squares)

# %% default_squares: the bias by the outputs
def default_squares(widths, m):
    squares = []
    for n in widths[1:]:
        squares.append((squares[-1] / 2 if squares else m) / 3 + 1 / (3 * n))
    return torch.tensor(squares)

# %% default_squares: a ReLU before the first layer
def default_squares(widths, m):
    squares, q = [], m
    for n in widths[:-1]:
        q = q / 6 + 1 / (3 * n)
        squares.append(q)
    return torch.tensor(squares)

# %% default_squares: no ReLU at all
def default_squares(widths, m):
    squares, q = [], m
    for n in widths[:-1]:
        q = q / 3 + 1 / (3 * n)
        squares.append(q)
    return torch.tensor(squares)

# %% summary: the standard deviation for the standard error
def summary(squares):
    return squares.mean(0), squares.std(0), squares.median(0).values

# %% summary: the biased variance
def summary(squares):
    return squares.mean(0), squares.std(0, correction=0) / len(squares) ** 0.5, squares.median(0).values

# %% summary: the wrong axis
def summary(squares):
    return squares.mean(1), squares.std(1) / squares.shape[1] ** 0.5, squares.median(1).values

# %% summary: divides by the number of layers
def summary(squares):
    return squares.mean(0), squares.std(0) / squares.shape[1] ** 0.5, squares.median(0).values

# %% summary: the geometric mean for the median
def summary(squares):
    return squares.mean(0), squares.std(0) / len(squares) ** 0.5, squares.log().mean(0).exp()

# %% drift_and_spread: the variance instead of the spread
def drift_and_spread(widths):
    total = sum(1 / n for n in widths)
    return -2.5 * total, 5 * total

# %% drift_and_spread: no drift, since the mean stays
def drift_and_spread(widths):
    return 0.0, math.sqrt(5 * sum(1 / n for n in widths))

# %% drift_and_spread: forgets the half
def drift_and_spread(widths):
    total = sum(1 / n for n in widths)
    return -5 * total, math.sqrt(5 * total)

# %% drift_and_spread: depth over the mean width
def drift_and_spread(widths):
    total = len(widths) ** 2 / sum(widths)
    return -2.5 * total, math.sqrt(5 * total)

# %% drift_and_spread: adds the standard deviations
def drift_and_spread(widths):
    return -2.5 * sum(1 / n for n in widths), sum(math.sqrt(5 / n) for n in widths)

# %% diagnose: the gradient read forward
def diagnose(squares, width):
    rate = (squares[:, -1] / squares[:, 0]).log().mean() / (squares.shape[1] - 1)
    factors = {"he": 1.0, "glorot": 1 / 2, "torch": 1 / 6, "misread": width**0.5 / 2}
    return min(factors, key=lambda word: abs(rate - math.log(factors[word])))

# %% diagnose: forgets the number of layers
def diagnose(squares, width):
    rate = (squares[:, 0] / squares[:, -1]).log().mean()
    factors = {"he": 1.0, "glorot": 1 / 2, "torch": 1 / 6, "misread": width**0.5 / 2}
    return min(factors, key=lambda word: abs(rate - math.log(factors[word])))

# %% diagnose: forgets the ReLU
def diagnose(squares, width):
    rate = (squares[:, 0] / squares[:, -1]).log().mean() / (squares.shape[1] - 1)
    factors = {"he": 2.0, "glorot": 1.0, "torch": 1 / 3, "misread": width**0.5}
    return min(factors, key=lambda word: abs(rate - math.log(factors[word])))

# %% diagnose: knows nothing of a misread formula
def diagnose(squares, width):
    rate = (squares[:, 0] / squares[:, -1]).log().mean() / (squares.shape[1] - 1)
    factors = {"he": 1.0, "glorot": 1 / 2, "torch": 1 / 6}
    return min(factors, key=lambda word: abs(rate - math.log(factors[word])))

# %% diagnose: the size of the last layer
def diagnose(squares, width):
    return "misread" if squares[:, -1].mean() > 2 else "he"

# %% first_above: the number of the record instead of the step
def first_above(accuracies, steps, level):
    records = torch.arange(len(steps)).to(accuracies)
    return torch.where(accuracies >= level, records, math.inf).min(1).values

# %% first_above: zero for networks that never do
def first_above(accuracies, steps, level):
    return steps[(accuracies >= level).int().argmax(1)]

# %% first_above: the last record below
def first_above(accuracies, steps, level):
    return torch.where(accuracies < level, steps.to(accuracies), -math.inf).max(1).values

# %% first_above: strictly above
def first_above(accuracies, steps, level):
    return torch.where(accuracies > level, steps.to(accuracies), math.inf).min(1).values

# %% first_above: the median of the networks
def first_above(accuracies, steps, level):
    return torch.where(accuracies >= level, steps.to(accuracies), math.inf).min(1).values.median()
