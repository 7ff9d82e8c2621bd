# %% [markdown]
# # Lab: initialization
#
# You write three initializations by hand: He's, Glorot's and the orthogonal one. You predict and measure what they do to a signal, and why a typical network has less of it than the average one. At the end sixteen networks of fifteen layers sort proteins into families. Started by torch's default they stand still; started at the scale that you work out for ReLU they learn.
#
# | | |
# |---|---|
# | **Time** | 90 minutes |
# | **You need** | the chapters on the chain rule, on activations and on initialization; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch

from blowup.checks import exercise, needs
from blowup.data import load
from blowup.figures import CURED, FOURTH, ILL, INK, OTHER, label, plot_band, style

style()
SEEDS, DEPTH, WIDTH = 16, 15, 48

# %% [markdown]
# ## 1. Count the terms
#
# Every rule begins with two counts: how many inputs one output sums, $n_{\text{in}}$, and how many outputs one input feeds, $n_{\text{out}}$. The weights of a linear layer have the shape (outputs, inputs). Those of a convolution have (output channels, input channels, kernel height, kernel width), and there every pixel under the kernel counts, in both directions.

# %% nbgrader={"grade_id": "fans", "solution": true}
def fans(shape):
    """(n_in, n_out), two ints, of weights of this shape: (out, in), or (out, in, *kernel)."""
    ### BEGIN SOLUTION
    pixels = math.prod(shape[2:])
    return shape[1] * pixels, shape[0] * pixels
    ### END SOLUTION


# %% nbgrader={"grade_id": "fans_check", "grade": true, "points": 1}
def check_fans(check, shape, expected, hint=None):
    n_in, n_out = fans(shape)
    check.equal(n_in, expected[0], f"n_in of weights {shape}", hint=hint)
    check.equal(n_out, expected[1], f"n_out of weights {shape}", hint=hint)


with exercise("fans") as check:
    check_fans(check, (3, 5), (5, 3), hint="the outputs come first in the shape")
    check_fans(check, (16, 8, 3, 3), (72, 144), hint="nine pixels under each kernel")
### BEGIN HIDDEN TESTS
with exercise("fans, other shapes") as check:
    check_fans(check, (7, 2), (2, 7))
    check_fans(check, (6, 4, 5), (20, 30))
    check_fans(check, (10, 3, 2, 7), (42, 140))
    check_fans(check, torch.empty(2, 3, 4, 5, 6).shape, (360, 240))
### END HIDDEN TESTS

# %% [markdown]
# ## 2. He's rule, in place
#
# A sum of $n_{\text{in}}$ terms with weights of variance $\sigma^2$ has mean square $n_{\text{in}}\sigma^2\,\mathbb E[a^2]$. A ReLU keeps half of it. So $\tfrac12 n_{\text{in}}\sigma^2 = 1$ keeps the signal on its way forward, and the same count with $n_{\text{out}}$ keeps the gradient on its way back.
#
# Fill `W` with normal numbers of that variance. `W.normal_(mean, std, generator=rng)` draws in place; mind that it wants a standard deviation. All random numbers must come from `rng`, so that a run can be repeated.

# %% nbgrader={"grade_id": "he_init_", "solution": true}
def he_init_(W, mode, rng):
    """Fill W in place with N(0, 2/n) and return it; n is n_in for mode "fan_in", n_out for "fan_out".

    W: weights of a linear layer (out, in) or of a convolution (out, in, *kernel). rng: a torch.Generator.
    """
    ### BEGIN SOLUTION
    n_in, n_out = fans(W.shape)
    return W.normal_(0, (2 / (n_in if mode == "fan_in" else n_out)) ** 0.5, generator=rng)
    ### END SOLUTION


# %% [markdown]
# The check looks at moments: of $N$ numbers with variance $\sigma^2$ the mean should be 0 up to a few $\sigma/\sqrt N$, and the variance $\sigma^2$ up to a few parts in $\sqrt N$.

# %% nbgrader={"grade_id": "he_init__check_tools", "locked": true}
# For the check below.
def check_moments(check, W, variance, kurtosis, what, hint=None):
    """The first, second and fourth moments of W's entries; kurtosis is 3 for a normal law, 9/5 for a uniform one."""
    w, N = W.double().flatten() / variance**0.5, W.numel()
    check.between(w.mean(), -5 / N**0.5, 5 / N**0.5, f"the mean of {what} over its standard deviation")
    share, slack = w.square().mean(), 5 * ((kurtosis - 1) / N) ** 0.5
    check.between(share, 1 - slack, 1 + slack, f"the variance of {what}, over what it should be", hint=hint)
    check.between(w.pow(4).mean(), kurtosis - 50 / N**0.5, kurtosis + 50 / N**0.5, f"E[w⁴]/σ⁴ of {what}")


def check_he(check, shape, mode, n, hint=None):
    W = torch.full(shape, 7.0)
    returned = he_init_(W, mode, torch.Generator().manual_seed(1))
    check.true((W != 7).any(), "W itself is changed", hint="W.normal_(…) works in place, W = … does not")
    check.true(returned is not None and torch.equal(returned, W), "W is returned, too")
    check_moments(check, W, 2 / n, 3, f"weights {shape} for {mode}", hint)
    again = he_init_(torch.empty(shape), mode, torch.Generator().manual_seed(1))
    other = he_init_(torch.empty(shape), mode, torch.Generator().manual_seed(2))
    hint = "pass generator=rng, and make no generator of your own"
    check.true(torch.equal(again, W) and not torch.equal(other, W), "the numbers depend on rng alone", hint=hint)


# %% nbgrader={"grade_id": "he_init__check", "grade": true, "points": 3}
with exercise("he_init_") as check:
    check_he(check, (400, 100), "fan_in", 100, hint="the standard deviation is the root of 2/n")
    check_he(check, (400, 100), "fan_out", 400, hint="mode fan_out counts outputs")
### BEGIN HIDDEN TESTS
with exercise("he_init_, convolutions") as check:
    check_he(check, (60, 40, 3, 3), "fan_in", 360)
    check_he(check, (60, 40, 3, 3), "fan_out", 540)
    check_he(check, (50, 300), "fan_in", 300)
    check_he(check, (50, 300), "fan_out", 50)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Glorot's rule, from a uniform law
#
# Glorot's variance is $2/(n_{\text{in}}+n_{\text{out}})$, the compromise between the two passes. This time draw from the **uniform** law on $(-c, c)$. Which $c$ has that variance? (Integrate $w^2/2c$ from $-c$ to $c$.) `W.uniform_(low, high, generator=rng)` draws in place.

# %% nbgrader={"grade_id": "glorot_init_", "solution": true}
def glorot_init_(W, rng):
    """Fill W in place with a uniform law on (-c, c) of variance 2/(n_in + n_out), and return it."""
    ### BEGIN SOLUTION
    c = (6 / sum(fans(W.shape))) ** 0.5
    return W.uniform_(-c, c, generator=rng)
    ### END SOLUTION


# %% nbgrader={"grade_id": "glorot_init__check", "grade": true, "points": 2}
def check_glorot(check, shape, n, hint=None):
    W = torch.full(shape, 7.0)
    returned = glorot_init_(W, torch.Generator().manual_seed(3))
    check.true(returned is not None and torch.equal(returned, W), "W itself is changed and returned")
    check_moments(check, W, 2 / n, 1.8, f"weights {shape}", hint)
    check.true(W.min() < 0 < W.max(), "there are weights of both signs")
    other = glorot_init_(torch.empty(shape), torch.Generator().manual_seed(4))
    check.true(not torch.equal(other, W), "the numbers depend on rng")


with exercise("glorot_init_") as check:
    check_glorot(check, (300, 100), 400, hint="a uniform law on (−c, c) has variance c²/3")
### BEGIN HIDDEN TESTS
with exercise("glorot_init_, other shapes") as check:
    check_glorot(check, (80, 400), 480)
    check_glorot(check, (60, 20, 3, 5), 1200)
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Orthogonal weights
#
# A random matrix keeps a random vector's length on average, but it stretches some directions and crushes others. An orthogonal one keeps them all. Make one from a Gaussian matrix $A$ by the QR decomposition, $A = QR$: the columns of $Q$ are orthonormal.
#
# Three things to mind:
# - $Q$ should be as likely as any other orthogonal matrix. As `torch.linalg.qr` returns it, it is not, for the algorithm picks the signs. Multiply each column of $Q$ by the sign of its entry on the diagonal of $R$.
# - If `W` has more rows than columns, its columns are to be orthonormal; otherwise its rows. So decompose a tall $A$ and transpose if need be.
# - Multiply by the gain at the end.

# %% nbgrader={"grade_id": "orthogonal_", "solution": true}
def orthogonal_(W, gain, rng):
    """Fill W (out, in) in place with gain × a random matrix of orthonormal columns or rows; returns W.

    out >= in: W.T @ W = gain²·I, otherwise W @ W.T = gain²·I. Q and its negatives are equally likely.
    """
    ### BEGIN SOLUTION
    rows, columns = max(W.shape), min(W.shape)
    Q, R = torch.linalg.qr(torch.randn(rows, columns, generator=rng, dtype=W.dtype))
    Q = Q * R.diagonal().sign()
    return W.copy_(gain * (Q if W.shape == Q.shape else Q.T))
    ### END SOLUTION


# %% nbgrader={"grade_id": "orthogonal__check_tools", "locked": true}
# For the check below.
def check_orthogonal(check, shape, gain, hint=None):
    W = torch.full(shape, 7.0)
    returned = orthogonal_(W, gain, torch.Generator().manual_seed(5))
    check.true(returned is not None and torch.equal(returned, W), "W itself is changed and returned")
    tall = W if shape[0] >= shape[1] else W.T
    square = gain**2 * torch.eye(min(shape))
    check.close(tall.T @ tall, square, f"the Gram matrix of weights {shape}", rtol=1e-3, atol=1e-4, hint=hint)


def check_signs(check, shape, draws=400, hint=None):
    rng = torch.Generator().manual_seed(6)
    corner = torch.stack([orthogonal_(torch.empty(shape), 1.0, rng)[0, 0] for _ in range(draws)])
    check.true(corner.std() > 0, "two draws from one rng differ", hint="use generator=rng")
    check.between(corner.mean(), -0.2, 0.2, f"the mean corner W[0, 0] of {draws} draws {shape}", hint=hint)


# %% nbgrader={"grade_id": "orthogonal__check", "grade": true, "points": 4}
with exercise("orthogonal_") as check:
    check_orthogonal(check, (3, 3), 1.0, hint="W.T @ W should be the identity")
    check_orthogonal(check, (4, 2), 2.0, hint="gain² on the diagonal, 0 beside it")
    check_orthogonal(check, (2, 4), 1.0, hint="decompose a tall matrix, then transpose")
    check_signs(check, (3, 3), hint="both signs should be equally likely: use the signs of R's diagonal")
### BEGIN HIDDEN TESTS
with exercise("orthogonal_, other shapes") as check:
    for shape, gain in (((6, 6), 2**0.5), ((9, 4), 0.3), ((5, 20), 1.7), ((1, 7), 3.0), ((40, 40), 1.0)):
        check_orthogonal(check, shape, gain)
    for shape in ((2, 2), (4, 2), (2, 4)):
        check_signs(check, shape)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. A gain for any activation
#
# Where do ReLU's 2 and its square root, the gain, come from? From two averages over standard normal pre-activations. The next layer's mean square is $\sigma_w^2\,\mathbb E[\varphi(z)^2]$, and the gradient's is multiplied by $\sigma_w^2\,\mathbb E[\varphi'(z)^2]$. So there are two gains, one for each pass:
#
# $$g_{\text{forward}} = \frac{1}{\sqrt{\mathbb E[\varphi(z)^2]}}, \qquad g_{\text{backward}} = \frac{1}{\sqrt{\mathbb E[\varphi'(z)^2]}}, \qquad z\sim\mathcal N(0, 1).$$
#
# These are second moments, not variances: a mean is part of the signal.

# %%
def gaussian_mean(f):
    """E[f(z)] for a standard normal z."""
    z = torch.linspace(-8, 8, 4000, dtype=torch.float64)
    weight = torch.exp(-z.square() / 2)
    return ((weight * f(z)).sum() / weight.sum()).item()


# %% nbgrader={"grade_id": "gains", "solution": true}
def gains(phi, slope):
    """(g_forward, g_backward), two numbers; phi and slope are functions of a tensor."""
    ### BEGIN SOLUTION
    forward, backward = gaussian_mean(lambda z: phi(z) ** 2), gaussian_mean(lambda z: slope(z) ** 2)
    return forward**-0.5, backward**-0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "gains_check", "grade": true, "points": 2}
def check_gains(check, name, phi, slope, squares, hint=None):
    for got, square, which in zip(gains(phi, slope), squares, ("forward", "backward")):
        check.close(got, square**-0.5, f"the {which} gain of {name}", rtol=2e-3, hint=hint)


with exercise("gains") as check:
    hint = "a ReLU halves both mean squares, so both gains are √2"
    check_gains(check, "ReLU", torch.relu, lambda z: (z > 0).double(), (0.5, 0.5), hint)
    forward, backward = gains(torch.tanh, lambda z: 1 - torch.tanh(z) ** 2)
    print(f"tanh: forward {forward:.3f}, backward {backward:.3f}; torch.nn.init.calculate_gain says 5/3")
### BEGIN HIDDEN TESTS
with exercise("gains, other activations") as check:
    e = math.exp(-2)
    check_gains(check, "sine", torch.sin, torch.cos, ((1 - e) / 2, (1 + e) / 2))
    check_gains(check, "cosine", torch.cos, lambda z: -torch.sin(z), ((1 + e) / 2, (1 - e) / 2))
    check_gains(check, "z²", torch.square, lambda z: 2 * z, (3, 4))
    check_gains(check, "1 + 3z", lambda z: 1 + 3 * z, lambda z: 0 * z + 3, (10, 9))
### END HIDDEN TESTS

# %% [markdown]
# For a ReLU the two gains agree, and that is why one rule can serve both passes. For tanh they differ: weights that keep a signal of size 1 multiply the square of its gradient by 1.18 in every layer.
#
# ## 6. Predict: what torch's default does
#
# `torch.nn.Linear` draws weights and biases from the uniform law on $(-1/\sqrt n, 1/\sqrt n)$ with $n = n_{\text{in}}$. Predict the mean square $q_\ell$ of the pre-activations in a network of ReLUs whose layers have unequal widths $n_0, n_1, \dots, n_L$ ($n_0$ is the number of inputs, which have mean square $m$). The first layer sees the inputs; each later one sees what a ReLU leaves of the layer below; and every layer adds its bias.

# %% nbgrader={"grade_id": "default_squares", "solution": true}
def default_squares(widths, m):
    """The mean squares q_1 … q_L of the pre-activations, a tensor (L,); widths is (n_0, …, n_L)."""
    ### BEGIN SOLUTION
    squares = []
    for n in widths[:-1]:
        signal = squares[-1] / 2 if squares else m
        squares.append(signal / 3 + 1 / (3 * n))
    return torch.tensor(squares)
    ### END SOLUTION


# %% nbgrader={"grade_id": "default_squares_check", "grade": true, "points": 3}
def measured_squares(widths, nets=60):
    """The same, averaged over networks made of torch.nn.Linear and fed inputs of mean square 1."""
    squares = torch.zeros(nets, len(widths) - 1)
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for net in range(nets):
            a = torch.randn(4, widths[0])
            for layer in range(len(widths) - 1):
                z = torch.nn.Linear(widths[layer], widths[layer + 1])(a)
                squares[net, layer], a = z.square().mean(), z.relu()
    return squares.mean(0)


with exercise("default_squares") as check:
    hint = "a uniform law on (−c, c) has variance c²/3; weights give m/3, the bias 1/(3·n)"
    check.close(default_squares((6, 5), 1.0), [1 / 3 + 1 / 18], "q of one layer with 6 inputs", hint=hint)
    predicted, measured = default_squares((64, 128, 64, 128, 64), 1.0), measured_squares((64, 128, 64, 128, 64))
    print("predicted", " ".join(f"{q:.4f}" for q in predicted), " measured", " ".join(f"{q:.4f}" for q in measured))
    hint = "a ReLU leaves half of the mean square; the bias goes with the layer's own n_in"
    check.close(predicted, measured, "q in torch's networks", rtol=0.1, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("default_squares, other widths") as check:
    for widths, m in (((10, 20, 30, 40), 0.5), ((400, *[48] * 14), 1.0), ((7, 3, 90, 5, 2, 8), 4.0)):
        expected = [
            m / 3 / 6**top + sum(1 / (3 * n) / 6 ** (top - k) for k, n in enumerate(widths[: top + 1]))
            for top in range(len(widths[1:]))
        ]
        check.close(default_squares(widths, m), expected, f"q for widths {widths}")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. Measure, with an error
#
# He's rule keeps the mean square, on average over networks. Measure that: 1,001 networks of twenty ReLU layers of width 32, started by your `he_init_`.

# %%
def he_squares(width, depth, nets, seed=0):
    """The mean square of the activations after each layer, relative to the input's, (nets, depth)."""
    rng = torch.Generator().manual_seed(seed)
    a = torch.randn(nets, width, 1, generator=rng)
    start, squares = a.square().mean((1, 2)), []
    for _ in range(depth):
        W = he_init_(torch.empty(nets * width, width), "fan_in", rng).view(nets, width, width)
        a = (W @ a).relu()
        squares.append(a.square().mean((1, 2)) / start)
    return torch.stack(squares, 1)


with needs("fans", "he_init_"):
    squares = he_squares(32, 20, 1001)

# %% nbgrader={"grade_id": "summary", "solution": true}
def summary(squares):
    """For each layer: mean over networks, standard error of that mean, median; three tensors (depth,).

    squares (nets, depth); the standard error is the sample standard deviation over √nets.
    """
    ### BEGIN SOLUTION
    return squares.mean(0), squares.std(0) / len(squares) ** 0.5, squares.median(0).values
    ### END SOLUTION


# %% nbgrader={"grade_id": "summary_check", "grade": true, "points": 2}
with exercise("summary") as check:
    mean, error, median = summary(torch.tensor([[1.0, 4.0], [2.0, 4.0], [6.0, 4.0]]))
    check.close(mean, [3.0, 4.0], "the mean of (1, 2, 6) and (4, 4, 4)", hint="networks are the first axis")
    check.close(error, [(7 / 3) ** 0.5, 0.0], "their standard errors", hint="the sample variance of 1, 2, 6 is 7")
    check.close(median, [2.0, 4.0], "their medians")
### BEGIN HIDDEN TESTS
with exercise("summary, other measurements") as check:
    rng = torch.Generator().manual_seed(7)
    for nets, depth in ((5, 3), (31, 8), (3, 3)):
        values = torch.rand(nets, depth, generator=rng, dtype=torch.float64).exp()
        mean, error, median = summary(values)
        columns = [sorted(column) for column in values.T.tolist()]
        center = [sum(column) / nets for column in columns]
        spread = [sum((v - c) ** 2 for v in column) / (nets - 1) for column, c in zip(columns, center)]
        check.close(mean, center, f"the means over {nets} networks")
        check.close(error, [(s / nets) ** 0.5 for s in spread], "the standard errors")
        check.close(median, [column[nets // 2] for column in columns], "the medians")
### END HIDDEN TESTS

# %%
with needs("he_init_", "summary"):
    mean, error, median = summary(squares)
    for layer in (1, 5, 10, 15, 20):
        print(f"layer {layer:2}: mean {mean[layer - 1]:.2f} ± {error[layer - 1]:.2f}, median {median[layer - 1]:.3f}")

# %% [markdown]
# The mean stays near one, with an error that grows and grows. (Do not trust even that error too far: a rare giant that happens not to be among your networks would raise both.) The median falls. Twenty layers down, a typical network has kept about a fifth of its squared signal.
#
# ## 8. Predict: typical and average
#
# In a layer of width $n$, He's rule multiplies the mean square by a random factor $R$ with mean 1 and variance $5/n$ (the chapter derives it). Over many layers the factors multiply, so their **logarithms** add. To second order $\ln(1+x) \approx x - x^2/2$. What are the mean and the variance of $\ln R$, to first order in $1/n$? Then sum over layers of widths $n_1, \dots, n_L$, and return the mean of the sum (the drift) and its standard deviation.

# %% nbgrader={"grade_id": "drift_and_spread", "solution": true}
def drift_and_spread(widths):
    """Mean and standard deviation of ln of the squared signal after He layers of these widths: two numbers."""
    ### BEGIN SOLUTION
    total = sum(1 / n for n in widths)
    return -2.5 * total, math.sqrt(5 * total)
    ### END SOLUTION


# %% nbgrader={"grade_id": "drift_and_spread_check", "grade": true, "points": 3}
with exercise("drift_and_spread") as check:
    drift, spread = drift_and_spread([5])
    check.close(drift, -0.5, "the drift in one layer of width 5", hint="the mean of x is 0, that of x² is 5/n")
    check.close(spread, 1.0, "the spread in one layer of width 5", hint="the root of the variance of x")
    logs = he_squares(64, 20, 400, seed=1)[:, -1].log()
    drift, spread = drift_and_spread([64] * 20)
    print(f"20 layers of 64: drift {drift:.2f} predicted, {logs.mean():.2f} measured;", end=" ")
    print(f"spread {spread:.2f} predicted, {logs.std():.2f} measured")
    hint = "the terms of the layers add up, and so do their variances"
    check.between(drift - logs.mean(), -0.35, 0.35, "the drift over 20 layers, predicted − measured", hint=hint)
    check.between(spread / logs.std(), 0.8, 1.2, "the spread over 20 layers, predicted / measured", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("drift_and_spread, other widths") as check:
    for widths in ([10, 40], [100] * 60, [32, 64, 128, 256, 7]):
        average = variance = 0.0
        for n in widths:
            average, variance = average - 5 / (2 * n), variance + 5 / n
        drift, spread = drift_and_spread(widths)
        check.close(drift, average, f"the drift for {len(widths)} layers")
        check.close(spread, variance**0.5, f"the spread for {len(widths)} layers")
### END HIDDEN TESTS

# %%
with needs("he_init_", "summary", "drift_and_spread"):
    layers, (mean, error, _) = range(1, 21), summary(squares)
    fig, ax = plt.subplots(figsize=(6.4, 3.7))
    plot_band(ax, layers, squares, color=CURED, label="networks: median, 80 %")
    ax.errorbar(layers[1::2], mean[1::2], error[1::2], fmt="s", color=ILL, markersize=4, label="mean ± error")
    typical = [math.exp(drift_and_spread([32] * layer)[0]) for layer in layers]
    ax.plot(layers, typical, "--", color=INK, label="predicted median")
    ax.axhline(1, color=INK, linestyle=":", linewidth=1.2, label="predicted mean")
    ax.set_xticks([1, 5, 10, 15, 20])
    label(ax, "He's rule keeps the mean and not the median", "layer", "mean square, input = 1", log="y")
    plt.show()

# %% [markdown]
# If $\ln R$ adds up to something nearly Gaussian, its median is its mean, and the median of the signal is $e^{\text{drift}}$: the dashed line. A few lucky networks hold up the mean.
#
# ## 9. Diagnose from a log
#
# Somebody sends you a log: the mean squares of $\delta$, layer by layer, of some ReLU networks of equal width at their first step. From one layer to the one below, they are multiplied by $\tfrac12 n\sigma^2$. Which initialization was it?
#
# | word | variance of the weights |
# |---|---|
# | `"he"` | $2/n$ |
# | `"glorot"` | $1/n$, for equal widths |
# | `"torch"` | $1/(3n)$, the default |
# | `"misread"` | $1/\sqrt n$: a standard deviation that was passed as a variance |
#
# A typical network strays, as you saw, so take all networks into account.

# %% nbgrader={"grade_id": "diagnose", "solution": true}
def diagnose(squares, width):
    """"he", "glorot", "torch" or "misread", from the mean squares of delta, (nets, layers), first layer first."""
    ### BEGIN SOLUTION
    rate = (squares[:, 0] / squares[:, -1]).log().mean() / (squares.shape[1] - 1)
    factors = {"he": 1.0, "glorot": 1 / 2, "torch": 1 / 6, "misread": width**0.5 / 2}
    return min(factors, key=lambda word: abs(rate - math.log(factors[word])))
    ### END SOLUTION


# %% nbgrader={"grade_id": "diagnose_check", "grade": true, "points": 2}
with exercise("diagnose") as check:
    hint = "from the last layer to the first it is multiplied by the same factor again and again; which one?"
    for word, factor in (("he", 1.0), ("glorot", 0.5), ("torch", 1 / 6), ("misread", 5.0)):
        made_up = torch.tensor([[factor**3, factor**2, factor, 1.0]])
        check.equal(diagnose(made_up, 100), word, f"the diagnosis of {made_up.tolist()[0]}", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("diagnose, unknown networks") as check:
    rng = torch.Generator().manual_seed(8)
    for width, layers in ((64, 12), (256, 6), (128, 25), (400, 3)):
        for word, factor in (("he", 1), ("glorot", 1 / 2), ("torch", 1 / 6), ("misread", width**0.5 / 2)):
            noise = (5 / width) ** 0.5 * torch.randn(12, layers - 1, generator=rng)
            logs = torch.cat([3 * torch.ones(12, 1), 3 + (math.log(factor) + noise).cumsum(1)], 1).flip(1)
            check.equal(diagnose(logs.exp(), width), word, f"the diagnosis of {layers} layers of {width}")
### END HIDDEN TESTS

# %% [markdown]
# ## 10. Before and after
#
# The data: proteins of ten families, each as an image of how often one amino acid follows another. The networks: fifteen ReLU layers, sixteen at once, trained by autograd. `start` calls the initialization that it is given on every weight matrix; the default gets torch's biases, too. Nothing else differs. **Rank the four before you run them**: torch's default, Glorot, He, and orthogonal weights times your gain of a ReLU.

# %%
proteins = load("proteins")
center, sd = proteins.x_train.mean(), proteins.x_train.std()
x_train, x_test = (((x - center) / sd).flatten(1) for x in (proteins.x_train, proteins.x_test))


def torch_default_(W, rng):
    """What torch.nn.Linear does: uniform on (-1/√n_in, 1/√n_in)."""
    return W.uniform_(-(W.shape[1] ** -0.5), W.shape[1] ** -0.5, generator=rng)


def start(init_, bias=False):
    """Weights (seeds, out, in) and biases (seeds, 1, out) in turn, a list; the readout comes last."""
    rng, params = torch.Generator().manual_seed(0), []
    for n in [400] + [WIDTH] * (DEPTH - 1):
        W, b = torch.empty(SEEDS, WIDTH, n), torch.zeros(SEEDS, 1, WIDTH)
        for one in W:
            init_(one, rng)
        params += [W, b.uniform_(-(n**-0.5), n**-0.5, generator=rng) if bias else b]
    params += [torch.randn(SEEDS, 10, WIDTH, generator=rng) / WIDTH**0.5, torch.zeros(SEEDS, 1, 10)]
    return [p.requires_grad_() for p in params]


# %%
def logits(params, x):
    """The outputs (seeds, batch, 10) of x (seeds, batch, 400)."""
    for W, b in zip(params[:-2:2], params[1:-2:2]):
        x = torch.baddbmm(b, x, W.mT).relu()
    return torch.baddbmm(params[-1], x, params[-2].mT)


# %%
def training(params, steps=120, lr=0.01, batch=32):
    """Test accuracy at steps 0, 10, …, (seeds, records)."""
    rng, accuracies = torch.Generator().manual_seed(1), []
    optimizer = torch.optim.SGD(params, lr=lr, momentum=0.9)
    for k in range(steps + 1):
        if k % 10 == 0:
            with torch.no_grad():
                guesses = logits(params, x_test.expand(SEEDS, -1, -1)).argmax(-1)
            accuracies.append((guesses == proteins.y_test).float().mean(1))
        chosen = torch.randint(len(x_train), (SEEDS, batch), generator=rng)
        out, y = logits(params, x_train[chosen]), proteins.y_train[chosen]
        optimizer.zero_grad()
        (SEEDS * torch.nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())).backward()
        optimizer.step()
    return torch.stack(accuracies, 1)

# %%
before = training(start(torch_default_, bias=True))

# %%
with needs("fans", "he_init_"):
    he = training(start(lambda W, rng: he_init_(W, "fan_in", rng)))

# %%
with needs("gains", "orthogonal_"):
    gain = gains(torch.relu, lambda z: (z > 0).double())[0]
    orthogonal = training(start(lambda W, rng: orthogonal_(W, gain, rng)))

# %%
with needs("fans", "glorot_init_"):
    glorot = training(start(glorot_init_))

# %%
with needs("he_init_", "orthogonal_", "glorot_init_"):
    curves = {"torch's default": before, "your He": he}
    curves |= {"your orthogonal × √2": orthogonal, "your Glorot": glorot}
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8))
    for (name, values), color, line in zip(curves.items(), (ILL, CURED, OTHER, FOURTH), ("--", "-", "-.", ":")):
        plot_band(left, range(0, 121, 10), 100 * values, color=color, linestyle=line, label=name)
        ranked = 100 * values[:, -1].sort().values
        right.plot(range(1, SEEDS + 1), ranked, "o" + line, color=color, markersize=4)
    right.set_xticks([1, 4, 8, 12, 16])
    label(left, "At ReLU's scale they learn", "step", "test accuracy, %", ylim=(0, 103))
    label(right, "Each network at the end", "rank among 16", "test accuracy, %", ylim=(0, 103))
    plt.show()

# %% [markdown]
# How fast does a network learn? Take the first recorded step at which its test accuracy has reached a level. Mind the networks that never do: they get `inf`, not 0.

# %% nbgrader={"grade_id": "first_above", "solution": true}
def first_above(accuracies, steps, level):
    """The first of the steps at which each network has accuracy >= level, inf if never: a tensor (seeds,).

    accuracies (seeds, records); steps (records,), the recorded steps as a tensor.
    """
    ### BEGIN SOLUTION
    return torch.where(accuracies >= level, steps.to(accuracies), math.inf).min(1).values
    ### END SOLUTION


# %% nbgrader={"grade_id": "first_above_check", "grade": true, "points": 2}
with exercise("first_above") as check:
    made_up = torch.tensor([[0.1, 0.5, 0.4], [0.1, 0.2, 0.3], [0.9, 0.9, 0.9]])
    hint = "the second network never gets to 0.5, the third is there at once"
    check.close(first_above(made_up, torch.tensor([0, 10, 20]), 0.5), [10, math.inf, 0], "the steps", hint=hint)
    records, reached = torch.arange(0, 121, 10), {}
    for name, values in curves.items():
        first = first_above(values, records, 0.4)
        reached[name] = int(torch.isfinite(torch.as_tensor(first)).sum())
        print(f"{name}: {reached[name]} of 16 networks reach 40 %, median step {torch.as_tensor(first).median():.0f}")
    for name in ("your He", "your orthogonal × √2"):
        check.true(reached[name] >= reached["torch's default"] + 6, "at least six more networks reach 40 %")
### BEGIN HIDDEN TESTS
with exercise("first_above, other curves") as check:
    rng = torch.Generator().manual_seed(9)
    for seeds, records_, level in ((6, 5, 0.7), (16, 12, 0.95), (9, 1, 0.5)):
        values = (torch.rand(seeds, records_, generator=rng) * 20).round() / 20
        values[0], values[1], values[2, -1] = 0.0, level, level
        steps = 5 + torch.arange(records_) * 7
        expected = [
            next((s for s, v in zip(steps.tolist(), row) if v >= values[1, 0].item()), math.inf)
            for row in values.tolist()
        ]
        check.close(first_above(values, steps, values[1, 0].item()), expected, f"the steps to {level}")
### END HIDDEN TESTS

# %% [markdown]
# Torch's default is no mistake for the shallow networks, and those with normalization layers, that most people build. On its way through fifteen bare ReLU layers the squared gradient meets fourteen factors of $\tfrac16$: $6^{-7}$ of its norm arrives. Glorot's rule, made for straight lines, loses half of the square in each layer. Of the norm $2^{-7}$ arrives, and in 120 steps its networks hardly move. (The 17 % at which both stand is the share of the largest family.) The two starts that pay for the half that a ReLU deletes learn at once.
#
# ## 11. In a few sentences
#
# Two colleagues argue about a ReLU network of a hundred layers of width 64, started by He's rule. One says: "The variance of the signal stays 1 in every layer, it is proved." The other says: "I have started it twenty times, and nineteen times the signal at the end was far smaller than at the start." Say in three to six sentences why both are right, how small the typical signal is by your formula, and two changes that would bring the typical network nearer to the mean.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# He's rule keeps the mean over networks of the squared signal. That mean is a product of a hundred random factors with mean 1, and such a product is skewed: its logarithm is a sum of a hundred terms whose mean is below zero, so most networks end far below one, and a few very large ones hold up the mean. By the formula the logarithm drifts by −5/2 · 100/64 = −3.9 and spreads by √(5 · 100/64) = 2.8: typically 2 % of the squared signal is left, and nearly a tenth of the networks end above one. What counts is depth over width, so wider layers, or fewer of them, bring the typical network nearer to the mean; a normalization layer sets the size anew in every layer, and skip connections shorten the product. (One point each for: mean against typical, with the logarithm or the skew; the number; two changes that act on depth over width or on the product.)
