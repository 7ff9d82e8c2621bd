# %% [markdown]
# Wrong answers to the lab on data normalization, as students give them; the hidden tests must refuse each.

# %% gradient: forgets the n
def gradient(W, A, t):
    return A.T @ (A @ W - t)

# %% gradient: keeps the 2
def gradient(W, A, t):
    return 2 * A.T @ (A @ W - t) / len(A)

# %% gradient: the wrong sign
def gradient(W, A, t):
    return A.T @ (t - A @ W) / len(A)

# %% gradient: divides by all entries, as mse_loss does
def gradient(W, A, t):
    return A.T @ (A @ W - t) / t.numel() * (1 if t.shape[1] > 1 else 2)

# %% gradient: forgets the targets
def gradient(W, A, t):
    return A.T @ (A @ W) / len(A)

# %% largest_rate: forgets the n
def largest_rate(A):
    return 2 / torch.linalg.eigvalsh(A.T @ A).max()

# %% largest_rate: one over the curvature
def largest_rate(A):
    return len(A) / torch.linalg.eigvalsh(A.T @ A).max()

# %% largest_rate: the norm of A without its square
def largest_rate(A):
    return 2 / (torch.linalg.matrix_norm(A, 2) / len(A) ** 0.5)

# %% largest_rate: the smallest eigenvalue
def largest_rate(A):
    return 2 / torch.linalg.eigvalsh(A.T @ A / len(A)).min()

# %% largest_rate: the sum of the eigenvalues
def largest_rate(A):
    return 2 * len(A) / A.square().sum()

# %% largest_rate: of the covariance, without the mean
def largest_rate(A):
    A = A - A.mean(0)
    return 2 / torch.linalg.eigvalsh(A.T @ A / len(A)).max()

# %% largest_rate: hard-coded
def largest_rate(A):
    return 0.4 if len(A) == 2 else 4.49e-6

# %% bootstrap_error: without replacement
def bootstrap_error(x, statistic, draws, rng):
    values = [float(statistic(x[torch.randperm(len(x), generator=rng)])) for _ in range(draws)]
    return torch.tensor(values).std()

# %% bootstrap_error: divides by the root of the draws
def bootstrap_error(x, statistic, draws, rng):
    values = [float(statistic(x[torch.randint(len(x), (len(x),), generator=rng)])) for _ in range(draws)]
    return torch.tensor(values).std() / draws**0.5

# %% bootstrap_error: half of the rows
def bootstrap_error(x, statistic, draws, rng):
    values = [float(statistic(x[torch.randint(len(x), (len(x) // 2,), generator=rng)])) for _ in range(draws)]
    return torch.tensor(values).std()

# %% bootstrap_error: every column by itself
def bootstrap_error(x, statistic, draws, rng):
    values = []
    for _ in range(draws):
        chosen = torch.randint(len(x), x.shape, generator=rng)
        values.append(float(statistic(x.gather(0, chosen))))
    return torch.tensor(values).std()

# %% bootstrap_error: the variance
def bootstrap_error(x, statistic, draws, rng):
    values = [float(statistic(x[torch.randint(len(x), (len(x),), generator=rng)])) for _ in range(draws)]
    return torch.tensor(values).var()

# %% bootstrap_error: the mean of the draws
def bootstrap_error(x, statistic, draws, rng):
    values = [float(statistic(x[torch.randint(len(x), (len(x),), generator=rng)])) for _ in range(draws)]
    return torch.tensor(values).mean()

# %% standardize: the test set by its own statistics
def standardize(train, test):
    out = []
    for x in (train, test):
        sd = x.std(0) if len(x) > 1 else torch.ones(x.shape[1], dtype=x.dtype)
        out.append((x - x.mean(0)) / torch.where(sd > 0, sd, 1.0))
    return tuple(out)

# %% standardize: the statistics of all rows
def standardize(train, test):
    x = torch.cat([train, test])
    sd = torch.where(x.std(0) > 0, x.std(0), 1.0)
    return (train - x.mean(0)) / sd, (test - x.mean(0)) / sd

# %% standardize: one number for all columns
def standardize(train, test):
    return (train - train.mean()) / train.std(), (test - train.mean()) / train.std()

# %% standardize: 0/0 where a column is constant
def standardize(train, test):
    return (train - train.mean(0)) / train.std(0), (test - train.mean(0)) / train.std(0)

# %% standardize: eps, so that a constant column explodes in the test set
def standardize(train, test):
    sd = train.std(0) + 1e-8
    return (train - train.mean(0)) / sd, (test - train.mean(0)) / sd

# %% standardize: row by row
def standardize(train, test):
    return tuple((x - x.mean(1, keepdim=True)) / x.std(1, keepdim=True) for x in (train, test))

# %% standardize: min-max scaling
def standardize(train, test):
    low, extent = train.amin(0), train.amax(0) - train.amin(0)
    extent = torch.where(extent > 0, extent, 1.0)
    return (train - low) / extent, (test - low) / extent

# %% standardize: changes the tables that it was given
def standardize(train, test):
    mean, sd = train.mean(0), torch.where(train.std(0) > 0, train.std(0), 1.0)
    train -= mean
    return train / sd, (test - mean) / sd

# %% standardize: divides by the variance
def standardize(train, test):
    v = torch.where(train.var(0) > 0, train.var(0), 1.0)
    return (train - train.mean(0)) / v, (test - train.mean(0)) / v

# %% leaks: looks at the training rows alone
def leaks(scale, train, test):
    return not torch.allclose(scale(train, test)[0], scale(train, 3 * test + 7)[0])

# %% leaks: looks at a test row alone
def leaks(scale, train, test):
    changed = 3 * test + 7
    changed[0] = test[0]
    return not torch.allclose(scale(train, test)[1][0], scale(train, changed)[1][0])

# %% leaks: looks at the rows that it changed
def leaks(scale, train, test):
    return not torch.allclose(scale(train, test)[1], scale(train, 3 * test + 7)[1])

# %% leaks: asks for a test mean of zero
def leaks(scale, train, test):
    return bool(scale(train, test)[1].mean(0).abs().max() < 1e-6)

# %% leaks: changes the training set
def leaks(scale, train, test):
    return not torch.allclose(scale(train, test)[1], scale(3 * train + 7, test)[1])

# %% leaks: suspects everybody
def leaks(scale, train, test):
    return True

# %% leaks: trusts everybody
def leaks(scale, train, test):
    return False

# %% steps_to_halve: the formula for short steps
def steps_to_halve(curvature, lr):
    return math.log(2) / (lr * curvature)

# %% steps_to_halve: forgets the learning rate
def steps_to_halve(curvature, lr):
    return math.log(0.5) / math.log(abs(1 - curvature / 2))

# %% steps_to_halve: to a part of 1/e
def steps_to_halve(curvature, lr):
    return -1 / math.log(abs(1 - lr * curvature))

# %% steps_to_halve: rounds to whole steps
def steps_to_halve(curvature, lr):
    return math.ceil(math.log(0.5) / math.log(abs(1 - lr * curvature)))

# %% steps_to_halve: halves the loss instead of the error
def steps_to_halve(curvature, lr):
    return math.log(0.5) / math.log((1 - lr * curvature) ** 2)

# %% steps_to_halve: the logarithm of a negative number, an error
def steps_to_halve(curvature, lr):
    return math.log(0.5) / math.log(1 - lr * curvature)

# %% fold: keeps the bias
def fold(W, mean, sd):
    return torch.cat([W[:-1] / sd[:, None], W[-1:]])

# %% fold: multiplies by the deviations
def fold(W, mean, sd):
    slopes = W[:-1] * sd[:, None]
    return torch.cat([slopes, W[-1:] - mean[None] @ slopes])

# %% fold: adds the means
def fold(W, mean, sd):
    slopes = W[:-1] / sd[:, None]
    return torch.cat([slopes, W[-1:] + mean[None] @ slopes])

# %% fold: the means without the deviations
def fold(W, mean, sd):
    return torch.cat([W[:-1] / sd[:, None], W[-1:] - mean[None] @ W[:-1]])

# %% fold: divides the bias, too
def fold(W, mean, sd):
    slopes = W[:-1] / sd[:, None]
    return torch.cat([slopes, (W[-1:] - mean[None] @ W[:-1]) / sd.mean()])

# %% best_rate: the mean
def best_rate(losses):
    return int(losses.nanmean(1).argmin())

# %% best_rate: the best seed of all
def best_rate(losses):
    return int(losses.nan_to_num(math.inf).amin(1).argmin())

# %% best_rate: leaves nan in
def best_rate(losses):
    return int(losses.median(1).values.argmin())

# %% best_rate: leaves failed seeds out
def best_rate(losses):
    return int(losses.nanmedian(1).values.argmin())

# %% best_rate: the largest
def best_rate(losses):
    return int(losses.nan_to_num(math.inf).median(1).values.argmax())

# %% best_rate: hard-coded
def best_rate(losses):
    return 1
