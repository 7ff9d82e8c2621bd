# %% [markdown]
# # Lab: activations
#
# Hard-swish was made for phones, and the chapter does not treat it. You work out its slope, predict what it does to a gradient at two scales borrowed from other activations, measure both predictions, and compute the scale that is its own. At the end sixteen networks of twenty layers stand still at a borrowed scale and learn at yours.
#
# | | |
# |---|---|
# | **Time** | 85 minutes |
# | **You need** | the chapters on the chain rule and on activations; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch

from blowup.checks import exercise, needs
from blowup.data import load
from blowup.figures import CURED, ILL, INK, OTHER, label, plot_band, style

style()
SEEDS, DEPTH, WIDTH = 16, 20, 64

# %% [markdown]
# ## 1. A slope by hand
#
# Hard-swish imitates SiLU. It puts a gate of straight pieces in the place of the sigmoid, which a phone computes faster than an exponential:
#
# $$\varphi(z) = z\cdot\frac{\min(\max(z + 3,\, 0),\, 6)}{6}.$$
#
# It is 0 below $-3$ and $z$ above 3. In between it is a parabola. The gradient meets only the slope, so begin there: differentiate each of the three pieces. At the two joints any value will do.

# %%
def hardswish(z):
    """Hard-swish of each entry of z."""
    return z * (z + 3).clamp(0, 6) / 6


# %% nbgrader={"grade_id": "hardswish_slope", "solution": true}
def hardswish_slope(z):
    """The derivative of hard-swish at each entry of z, a tensor of z's shape."""
    ### BEGIN SOLUTION
    middle = (2 * z + 3) / 6
    return torch.where(z <= -3, torch.zeros_like(z), torch.where(z >= 3, torch.ones_like(z), middle))
    ### END SOLUTION


# %% nbgrader={"grade_id": "hardswish_slope_check", "grade": true, "points": 2}
with exercise("hardswish_slope") as check:
    far = hardswish_slope(torch.tensor([-5.0, 5.0]))
    check.close(far, [0.0, 1.0], "the slope at −5 and 5", hint="there the function is 0 and z")
    hint = "between the joints φ is z(z + 3)/6: a product"
    check.close(hardswish_slope(torch.tensor([0.0])), [0.5], "the slope at 0", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("hardswish_slope against autograd") as check:
    rng = torch.Generator().manual_seed(1)
    for shape in ((200,), (3, 50)):
        z = (3 * torch.randn(shape, generator=rng, dtype=torch.float64)).requires_grad_()
        (expected,) = torch.autograd.grad(hardswish(z).sum(), z)
        check.close(hardswish_slope(z.detach()), expected, f"the slope at {z.numel()} random points")
### END HIDDEN TESTS

# %%
with needs("hardswish_slope"):
    z = torch.linspace(-5, 5, 1001)
    fig, ax = plt.subplots(figsize=(6.4, 3.2))
    ax.plot(z, hardswish(z), color=INK, linestyle="--", label="hard-swish")
    ax.plot(z, hardswish_slope(z), color=CURED, label="your slope")
    low, high = hardswish_slope(z).aminmax()
    title = f"The slope runs from {low:.1f} to {high:.1f}".replace("-", "−")
    label(ax, title, "pre-activation z", "φ(z) and φ′(z)", ylim=(-0.8, 3))
    plt.show()

# %% [markdown]
# ## 2. Averages over a Gaussian
#
# In a wide layer the pre-activations are Gaussian, with a variance $q$ that the layer before decides. All that theory asks of an activation are averages over that Gaussian, such as $\mathbb E[\varphi'(z)^2]$. So you need a function for
#
# $$\mathbb E[f(z)], \qquad z \sim \mathcal N(0, q).$$
#
# Put $z = \sqrt q\,u$ with a standard normal $u$. Then take a fine grid of $u$, weigh each point by the density $e^{-u^2/2}$, and divide by the sum of the weights, so that the average of 1 is 1.

# %% nbgrader={"grade_id": "gaussian_mean", "solution": true}
def gaussian_mean(f, q):
    """E[f(z)] for z ~ N(0, q), to a thousandth: one number.

    f takes a float64 tensor (points,) and returns one of the same shape; it may jump, as the slopes of
    activations do. q is a variance, a Python float.
    """
    ### BEGIN SOLUTION
    u = torch.linspace(-8, 8, 4000, dtype=torch.float64)
    weight = torch.exp(-u.square() / 2)
    return ((weight * f(math.sqrt(q) * u)).sum() / weight.sum()).item()
    ### END SOLUTION


# %% nbgrader={"grade_id": "gaussian_mean_check", "grade": true, "points": 3}
with exercise("gaussian_mean") as check:
    hint = "divide by the sum of the weights"
    check.close(gaussian_mean(torch.ones_like, 1.0), 1.0, "the average of 1", rtol=2e-3, hint=hint)
    hint = "q is a variance: multiply u by its square root"
    check.close(gaussian_mean(torch.square, 4.0), 4.0, "the average of z² for q = 4", rtol=2e-3, hint=hint)
    above = gaussian_mean(lambda z: (z > 1).double(), 1.0)
    check.close(above, 0.1587, "the chance that z > 1 for q = 1", atol=5e-3, hint="take a fine grid")
### BEGIN HIDDEN TESTS
with exercise("gaussian_mean, other functions") as check:
    for q in (0.04, 0.7, 2.5):
        for name, f, expected in (
            ("z⁴", lambda z: z**4, 3 * q**2),
            ("cos z", torch.cos, math.exp(-q / 2)),
            ("eᶻ", torch.exp, math.exp(q / 2)),
            ("max(z, 0)²", lambda z: z.clamp(min=0) ** 2, q / 2),
        ):
            check.close(gaussian_mean(f, q), expected, f"the average of {name} for q = {q}", rtol=4e-3)
        above, expected = gaussian_mean(lambda z: (z > 0.3).double(), q), math.erfc(0.3 / math.sqrt(2 * q)) / 2
        check.close(above, expected, f"the chance that z > 0.3 for q = {q}", atol=5e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Predict: χ, layer by layer
#
# With weights of variance $\sigma_w^2/N$ and biases of variance $\sigma_b^2$, the two laws of the chapter are
#
# $$\chi_\ell = \sigma_w^2\;\mathbb E\big[\varphi'(z_\ell)^2\big], \qquad q_{\ell+1} = \sigma_w^2\;\mathbb E\big[\varphi(z_\ell)^2\big] + \sigma_b^2, \qquad z_\ell\sim\mathcal N(0, q_\ell).$$
#
# Start from the variance $q_1$ of the first layer and walk up.

# %% nbgrader={"grade_id": "predicted_chi", "solution": true}
def predicted_chi(phi, slope, sigma_w, sigma_b, q, depth):
    """χ of layers 1 … depth of a wide network, a tensor (depth,); q is the variance of z in layer 1.

    phi and slope are functions of a tensor; sigma_w, sigma_b and q are Python floats.
    """
    ### BEGIN SOLUTION
    chi = []
    for _ in range(depth):
        chi.append(sigma_w**2 * gaussian_mean(lambda z: slope(z) ** 2, q))
        q = sigma_w**2 * gaussian_mean(lambda z: phi(z) ** 2, q) + sigma_b**2
    return torch.tensor(chi)
    ### END SOLUTION


# %% [markdown]
# Two activations can be done by hand. For a straight line, $\varphi(z) = z$, every $\chi$ is $\sigma_w^2$. For $\varphi = \sin$ the averages are known: $\mathbb E[\cos^2 z] = (1 + e^{-2q})/2$ and $\mathbb E[\sin^2 z] = (1 - e^{-2q})/2$.

# %% nbgrader={"grade_id": "predicted_chi_check", "grade": true, "points": 3}
def chi_of_sine(sigma_w, sigma_b, q, depth):
    """χ of layers 1 … depth for φ = sin, from the closed forms, (depth,)."""
    chi = []
    for _ in range(depth):
        chi.append(sigma_w**2 * (1 + math.exp(-2 * q)) / 2)
        q = sigma_w**2 * (1 - math.exp(-2 * q)) / 2 + sigma_b**2
    return torch.tensor(chi)


with exercise("predicted_chi") as check:
    line = predicted_chi(lambda z: z, torch.ones_like, 1.5, 0.0, 1.0, 3)
    check.true(isinstance(line, torch.Tensor), "χ comes as a tensor", hint="torch.tensor(your_list)")
    check.close(line, [2.25] * 3, "χ of a straight line at σ_w = 1.5", rtol=5e-3, hint="σ_w² times E[1]")
    sine = predicted_chi(torch.sin, torch.cos, 2.0, 0.0, 1.0, 1)
    hint = "the mean of the squared slope at variance q, not at the next one"
    check.close(sine, chi_of_sine(2.0, 0.0, 1.0, 1), "χ of a sine in layer 1", rtol=5e-3, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("predicted_chi, deeper and with biases") as check:
    for sigma_w, sigma_b, q, depth in ((1.2, 0.0, 0.3, 6), (0.9, 0.7, 2.0, 9), (1.6, 0.4, 0.1, 12)):
        got = predicted_chi(torch.sin, torch.cos, sigma_w, sigma_b, q, depth)
        check.close(got, chi_of_sine(sigma_w, sigma_b, q, depth), f"χ of a sine over {depth} layers", rtol=1e-2)
### END HIDDEN TESTS

# %% [markdown]
# `torch.nn.init.calculate_gain` knows no gain for hard-swish. Two scales suggest themselves: ReLU's $\sqrt2$, because hard-swish looks like a ReLU from afar, and 2, because its slope at zero is one half and $2^2\cdot\tfrac14 = 1$. **What do you expect of each?** Then look at what your function says, for inputs of mean square 1, so that $q_1 = \sigma_w^2$.

# %%
with needs("hardswish_slope", "gaussian_mean", "predicted_chi"):
    for sigma_w in (2**0.5, 2.0):
        chi = predicted_chi(hardswish, hardswish_slope, sigma_w, 0.0, sigma_w**2, 20)
        shown = "  ".join(f"{chi[k]:.2f}" for k in (0, 1, 4, 9, 19))
        print(f"σ_w = {sigma_w:.3f}: χ in layers 1, 2, 5, 10, 20 = {shown}")

# %% [markdown]
# At $\sqrt2$ the gradient should vanish, the faster the smaller the signal has become; at 2 it should explode.
#
# ## 4. Send a gradient back
#
# A prediction wants a measurement. Take networks with the layers
#
# $$z_\ell = W_\ell\, a_{\ell-1} + b_\ell, \qquad a_\ell = \varphi(z_\ell), \qquad \ell = 1, \dots, L,$$
#
# and the "loss" $v\cdot a_L$ with a fixed vector $v$. Going back,
#
# $$\delta_L = \varphi'(z_L)\odot v, \qquad \delta_\ell = \varphi'(z_\ell)\odot\big(W_{\ell+1}^\top\,\delta_{\ell+1}\big).$$
#
# Write both passes and return the norm of every $\delta_\ell$. All networks go at once: the first axis counts them, and vectors are columns, so `weights[:, k] @ a` is one layer of all. `A.mT` transposes the last two axes. Do not call autograd; the check does.

# %% nbgrader={"grade_id": "delta_norms", "solution": true}
def delta_norms(phi, slope, weights, biases, a, v):
    """The norms of delta_1 … delta_L of each network, (nets, L).

    weights (nets, L, width, width); biases (nets, L, width, 1); the input a and the vector v (nets, width, 1).
    """
    ### BEGIN SOLUTION
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
    return torch.stack(norms[::-1], 1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "delta_norms_check_tools", "locked": true}
# For the check below.
def by_autograd(phi, weights, biases, a, v):
    """The same norms from torch: the slope of the loss by b_l is delta_l."""
    biases = biases.clone().requires_grad_()
    for layer in range(weights.shape[1]):
        a = phi(weights[:, layer] @ a + biases[:, layer])
    (grad,) = torch.autograd.grad((v * a).sum(), biases)
    return grad.norm(dim=(2, 3))


def check_deltas(check, phi, slope, nets, depth, width, sigma_w, hint=None):
    rng = torch.Generator().manual_seed(depth)
    weights = sigma_w * torch.randn(nets, depth, width, width, generator=rng, dtype=torch.float64) / width**0.5
    biases = 0.5 * torch.randn(nets, depth, width, 1, generator=rng, dtype=torch.float64)
    a, v = torch.randn(2, nets, width, 1, generator=rng, dtype=torch.float64)
    expected = by_autograd(phi, weights, biases, a, v)
    got = delta_norms(phi, slope, weights, biases, a, v)
    check.close(got, expected, f"the norms of delta over {depth} layers", hint=hint)


# %% nbgrader={"grade_id": "delta_norms_check", "grade": true, "points": 4}
with exercise("delta_norms") as check:
    hint = "with one layer there is only φ′(z) ⊙ v"
    check_deltas(check, torch.sin, torch.cos, nets=2, depth=1, width=3, sigma_w=1.0, hint=hint)
    hint = "layer 1 comes first in the result; going back you need the weights of the layer above"
    check_deltas(check, torch.sin, torch.cos, nets=2, depth=2, width=3, sigma_w=1.0, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("delta_norms, deeper") as check:
    check_deltas(check, torch.tanh, lambda z: 1 - torch.tanh(z) ** 2, nets=3, depth=7, width=5, sigma_w=1.5)
    check_deltas(check, torch.sin, torch.cos, nets=1, depth=12, width=4, sigma_w=0.8)
### END HIDDEN TESTS

# %% [markdown]
# Now send it through sixteen networks of twenty layers, 128 wide, with the same matrices for both scales:

# %%
rng = torch.Generator().manual_seed(0)
MATRICES = torch.randn(16, 20, 128, 128, generator=rng, dtype=torch.float64) / 128**0.5
SHIFTS = torch.randn(16, 20, 128, 1, generator=rng, dtype=torch.float64)
INPUT, TOP = torch.randn(2, 16, 128, 1, generator=rng, dtype=torch.float64)

with needs("hardswish_slope", "delta_norms"):
    borrowed = {
        sigma_w: delta_norms(hardswish, hardswish_slope, sigma_w * MATRICES, 0 * SHIFTS, INPUT, TOP)
        for sigma_w in (2**0.5, 2.0)
    }

# %% [markdown]
# ## 5. A growth rate and its error
#
# Make one number of each network: by how much $\ln\|\delta\|^2$ grows per layer on its way from the last layer to the first. Mind how many layers the gradient crosses. Then give the mean over the networks and the **standard error of that mean**: the sample standard deviation over $\sqrt{\text{nets}}$.

# %% nbgrader={"grade_id": "growth_rate", "solution": true}
def growth_rate(norms):
    """The mean growth of ln‖delta‖² per layer crossed, and its standard error: a pair of numbers.

    norms (nets, L), the first layer first; positive where the first layer's delta is the largest.
    """
    ### BEGIN SOLUTION
    rate = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return rate.mean(), rate.std() / len(rate) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_rate_check", "grade": true, "points": 3}
with exercise("growth_rate") as check:
    made_up = torch.tensor([[math.e**2, math.e, 1.0], [1.0, 1.0, 1.0]])
    mean, error = growth_rate(made_up)
    hint = "the first network: 2·ln(e²/1), over two layers crossed; the second: 0"
    check.close(mean, 1.0, "the mean of the rates 2 and 0", hint=hint)
    check.close(error, 1.0, "its standard error", hint="the standard deviation of 2 and 0 is √2; there are two")
    for sigma_w, norms in borrowed.items():
        mean, error = growth_rate(norms)
        law = predicted_chi(hardswish, hardswish_slope, sigma_w, 0.0, sigma_w**2, 20)[:-1].log().mean()
        print(f"σ_w = {sigma_w:.3f}: measured {mean:+.3f} ± {error:.3f} per layer, predicted {law:+.3f}")
        check.between(mean, law - 0.1, law + 0.1, f"the rate at σ_w = {sigma_w:.3f}", hint="compare ln χ")
### BEGIN HIDDEN TESTS
with exercise("growth_rate, other networks") as check:
    rng = torch.Generator().manual_seed(3)
    for nets, layers in ((4, 2), (9, 12), (30, 5)):
        steps = 0.3 + 0.2 * torch.randn(nets, layers - 1, generator=rng, dtype=torch.float64)
        logs = torch.cat([torch.zeros(nets, 1, dtype=torch.float64), steps.cumsum(1)], 1).flip(1)
        mean, error = growth_rate((logs / 2).exp())
        rates = steps.mean(1)
        spread = ((rates - rates.mean()) ** 2).sum() / (nets - 1)
        check.close(mean, rates.mean(), f"the mean rate of {nets} networks")
        check.close(error, (spread / nets) ** 0.5, "its standard error")
### END HIDDEN TESTS

# %% [markdown]
# Prediction and measurement agree to a few hundredths, and the errors say that sixteen networks could not show more. With many more you would see a small gap remain: the law is for infinite width, and a typical network of width 128 strays a little from it.
#
# ## 6. Who has a brake?
#
# The chapter found two kinds of activation. Under large weights, one kind saturates and brakes itself, so that $\chi$ grows like $\sigma_w$. The other stays straight on one side, and $\chi$ grows like $\sigma_w^2$. You are handed measurements of an activation that nobody names: some large scales, and $\chi$ at each, with a little noise. **Of which kind is it?**

# %% nbgrader={"grade_id": "kind_of", "solution": true}
def kind_of(scales, chi):
    """"saturating" or "straight", from χ at large scales of the weights; both tensors (measurements,)."""
    ### BEGIN SOLUTION
    x, y = scales.log(), chi.log()
    power = ((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum()
    return "straight" if power > 1.5 else "saturating"
    ### END SOLUTION


# %% nbgrader={"grade_id": "kind_of_check", "grade": true, "points": 2}
with exercise("kind_of") as check:
    scales = torch.tensor([5.0, 10.0, 20.0])
    hint = "by what does χ grow when σ_w doubles?"
    check.equal(kind_of(scales, 0.53 * scales), "saturating", "the kind of tanh", hint=hint)
    check.equal(kind_of(scales, scales**2 / 2), "straight", "the kind of ReLU", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("kind_of, unknown activations") as check:
    rng = torch.Generator().manual_seed(4)
    for trial in range(24):
        scales = 4 * 10 ** torch.rand(8, generator=rng).sort().values
        scales[-1], power = scales[0] * 6, 1 + trial % 2
        noise = (0.05 * torch.randn(8, generator=rng)).exp()
        factor = 10 ** (3 * torch.rand(1, generator=rng) - 2)
        word = ("saturating", "straight")[trial % 2]
        check.equal(kind_of(scales, factor * scales**power * noise), word, f"the kind for χ ~ σ_w^{power}")
### END HIDDEN TESTS

# %%
with needs("hardswish_slope", "gaussian_mean", "predicted_chi", "kind_of"):
    scales = torch.tensor([4.0, 8.0, 16.0, 32.0])
    settled = [predicted_chi(hardswish, hardswish_slope, s, 0.0, s**2, 6)[-1].item() for s in scales.tolist()]
    print(f"hard-swish is of the kind: {kind_of(scales, torch.tensor(settled))}")

# %% [markdown]
# ## 7. Predict: how many units are silent?
#
# Call a unit silent on an input if its slope there is below a tenth *in size*. In a wide layer that happens with a probability which is one more average over the Gaussian: that of a function which is 1 where $|\varphi'(z)| < 0.1$ and 0 elsewhere.

# %% nbgrader={"grade_id": "silent_share", "solution": true}
def silent_share(slope, q):
    """The probability that |slope(z)| < 0.1 for z ~ N(0, q), one number."""
    ### BEGIN SOLUTION
    return gaussian_mean(lambda z: (slope(z).abs() < 0.1).double(), q)
    ### END SOLUTION


# %% nbgrader={"grade_id": "silent_share_check", "grade": true, "points": 2}
def counted_share(slope, q, units=200_000):
    """The same share, counted among random pre-activations."""
    rng = torch.Generator().manual_seed(5)
    return (slope(q**0.5 * torch.randn(units, generator=rng, dtype=torch.float64)).abs() < 0.1).double().mean()


with exercise("silent_share") as check:
    relu = silent_share(lambda z: (z > 0).double(), 2.0)
    check.close(relu, 0.5, "the silent share of a ReLU", atol=0.01, hint="all z < 0")
    counted = counted_share(hardswish_slope, 4.0)
    hint = "a slope of −0.4 is not silent: compare its size"
    check.close(silent_share(hardswish_slope, 4.0), counted, "the share of hard-swish", atol=0.01, hint=hint)
    print(f"hard-swish at q = 4: predicted {silent_share(hardswish_slope, 4.0):.3f}, counted {counted:.3f}")
### BEGIN HIDDEN TESTS
with exercise("silent_share, other variances") as check:
    for q in (0.5, 1.7, 9.0, 40.0):
        edge = math.atanh(0.9**0.5) / math.sqrt(2 * q)
        tanh = silent_share(lambda z: 1 - torch.tanh(z) ** 2, q)
        check.close(tanh, math.erfc(edge), f"the share of tanh, q = {q}", atol=0.01)
        share = counted_share(hardswish_slope, q)
        check.close(silent_share(hardswish_slope, q), share, f"the share of hard-swish, q = {q}", atol=0.01)
### END HIDDEN TESTS

# %% [markdown]
# ## 8. Its own scale
#
# Now choose the variance $q$ that pre-activations should have, and solve for the two scales:
#
# $$\chi = 1:\quad \sigma_w^2 = \frac{1}{\mathbb E[\varphi'(z)^2]}, \qquad\qquad q \text{ stays}:\quad \sigma_b^2 = q - \sigma_w^2\,\mathbb E[\varphi(z)^2].$$
#
# And if a layer misses this $q$ a little? Then the slope of the map $q_\ell \mapsto q_{\ell+1}$ decides,
#
# $$r = \frac{\sigma_w^2}{q}\;\mathbb E\big[z\,\varphi(z)\,\varphi'(z)\big].$$
#
# With $r > 1$ every miss grows, with $r < 1$ it dies out. Not every $q$ has a solution: where the second equation asks for a negative $\sigma_b^2$, return `math.nan` for $\sigma_b$.

# %% nbgrader={"grade_id": "own_scale", "solution": true}
def own_scale(phi, slope, q):
    """(σ_w, σ_b, r), three numbers: χ = 1 at variance q, which stays; σ_b is nan where that cannot be."""
    ### BEGIN SOLUTION
    w2 = 1 / gaussian_mean(lambda z: slope(z) ** 2, q)
    b2 = q - w2 * gaussian_mean(lambda z: phi(z) ** 2, q)
    r = w2 * gaussian_mean(lambda z: z * phi(z) * slope(z), q) / q
    return math.sqrt(w2), math.sqrt(b2) if b2 >= 0 else math.nan, r
    ### END SOLUTION


# %% [markdown]
# For the sine these have closed forms again: $\sigma_w^2 = 2/(1+e^{-2q})$, $\ \sigma_b^2 = q - \tanh q$, $\ r = \sigma_w^2\,e^{-2q}$.

# %% nbgrader={"grade_id": "own_scale_check", "grade": true, "points": 4}
def check_sine(check, q, hints=(None, None, None)):
    w2 = 2 / (1 + math.exp(-2 * q))
    expected = (w2**0.5, (q - math.tanh(q)) ** 0.5, w2 * math.exp(-2 * q))
    for got, want, name, hint in zip(own_scale(torch.sin, torch.cos, q), expected, ("σ_w", "σ_b", "r"), hints):
        check.close(got, want, f"{name} of a sine at q = {q}", rtol=0.01, atol=1e-3, hint=hint)


with exercise("own_scale") as check:
    hints = ("return σ_w, not its square", "σ_b² is what is missing from q", "do not forget to divide by q")
    check_sine(check, 1.0, hints)
    for q in (1.0, 4.0, 8.0):
        sigma_w, sigma_b, r = own_scale(hardswish, hardswish_slope, q)
        print(f"hard-swish at q = {q}: σ_w = {sigma_w:.3f}, σ_b = {sigma_b:.3f}, r = {r:.3f}")
### BEGIN HIDDEN TESTS
with exercise("own_scale, other variances") as check:
    for q in (0.4, 1.8, 3.3):
        check_sine(check, q)
    small, large = (
        own_scale(torch.sigmoid, lambda z: torch.sigmoid(z) * torch.sigmoid(-z), q) for q in (1.0, 45.62)
    )
    check.close(small[1], math.nan, "σ_b of a sigmoid at q = 1")
    check.close(large[0], 10.149, "σ_w of a sigmoid at q = 45.62", rtol=0.01)
### END HIDDEN TESTS

# %% [markdown]
# At $q = 1$ every miss grows by 13 % a layer: $1.13^{20} \approx 12$. Between 1 and 20, $r$ falls through one. Find where, by halving.

# %%
with needs("hardswish_slope", "gaussian_mean", "own_scale"):
    low, high = 1.0, 20.0
    for _ in range(40):
        q = (low + high) / 2
        low, high = (q, high) if own_scale(hardswish, hardswish_slope, q)[2] > 1 else (low, q)
    sigma_w, sigma_b, r = own_scale(hardswish, hardswish_slope, q)
    print(f"hard-swish holds at q = {q:.2f}: σ_w = {sigma_w:.3f}, σ_b = {sigma_b:.3f}, r = {r:.3f}")
    print(f"there {100 * silent_share(hardswish_slope, q):.0f} % of the units are silent on an input")

# %% [markdown]
# Look at $\sigma_w$. It is ReLU's $\sqrt2$ to within a percent! The borrowed weights were nearly right; what was missing are the **biases**, which keep the signal at the size for which those weights are right. See what they do to the gradient:

# %%
with needs("hardswish_slope", "delta_norms", "own_scale"):
    inside = hardswish(q**0.5 * INPUT)
    own = delta_norms(hardswish, hardswish_slope, sigma_w * MATRICES, sigma_b * SHIFTS, inside, TOP)
    arms = [("$σ_w$ = 2", borrowed[2.0], ILL, "--", 2.0, 0.0, 4.0)]
    arms += [("$σ_w$ = √2", borrowed[2**0.5], OTHER, "-.", 2**0.5, 0.0, 2.0)]
    arms += [("its own", own, CURED, "-", sigma_w, sigma_b, q)]
    fig, ax = plt.subplots(figsize=(6.4, 3.7))
    for name, norms, color, line, *scale in arms:
        plot_band(ax, range(1, 21), norms / norms[:, -1:], color=color, linestyle=line, label=name)
        chi = predicted_chi(hardswish, hardswish_slope, *scale, 20)[:-1]
        law = torch.cat([chi.flip(0).cumprod(0).flip(0).sqrt(), torch.ones(1)])
        ax.plot(range(1, 21), law, ":", color=INK, linewidth=1.2, label="predicted" if name == "its own" else None)
    ax.set_xticks([1, 5, 10, 15, 20])
    label(ax, "Hard-swish is level at its own scale alone", "layer", "norm of δ, last layer = 1", log="y")
    plt.show()

# %% [markdown]
# ## 9. Before and after
#
# A gradient that arrives is not yet a network that learns. So train: the digits, twenty layers, sixteen networks at once, by autograd this time. Read the two functions; the only thing that differs from arm to arm is how large weights and biases are at the start.

# %%
digits = load("digits")
mean, sd = digits.x_train.mean(), digits.x_train.std()
x_train, x_test = (((x - mean) / sd).flatten(1) for x in (digits.x_train, digits.x_test))


def start(sigma_w, sigma_b):
    """Weights and biases in turn, a list of tensors (seeds, …); the readout comes last."""
    rng = torch.Generator().manual_seed(0)
    params = []
    for n in [64] + [WIDTH] * (DEPTH - 1):
        params.append(sigma_w / n**0.5 * torch.randn(SEEDS, n, WIDTH, generator=rng))
        params.append(sigma_b * torch.randn(SEEDS, 1, WIDTH, generator=rng))
    params += [torch.randn(SEEDS, WIDTH, 10, generator=rng) / WIDTH**0.5, torch.zeros(SEEDS, 1, 10)]
    return [p.requires_grad_() for p in params]


# %%
def logits(params, x):
    """The outputs (seeds, batch, 10) of x (seeds, batch, 64)."""
    for W, b in zip(params[:-2:2], params[1:-2:2]):
        x = torch.nn.functional.hardswish(torch.baddbmm(b, x, W))
    return torch.baddbmm(params[-1], x, params[-2])

# %%
def training(sigma_w, sigma_b, steps=140, lr=0.007, momentum=0.9, batch=32):
    """Test accuracy at steps 0, 20, …, (seeds, records)."""
    params, rng, accuracies = start(sigma_w, sigma_b), torch.Generator().manual_seed(1), []
    velocity = [torch.zeros_like(p) for p in params]
    for k in range(steps + 1):
        if k % 20 == 0:
            with torch.no_grad():
                guesses = logits(params, x_test.expand(SEEDS, -1, -1)).argmax(-1)
            accuracies.append((guesses == digits.y_test).float().mean(1))
        chosen = torch.randint(len(x_train), (SEEDS, batch), generator=rng)
        out, y = logits(params, x_train[chosen]), digits.y_train[chosen]
        loss = SEEDS * torch.nn.functional.cross_entropy(out.flatten(0, 1), y.flatten())
        with torch.no_grad():
            for p, v, g in zip(params, velocity, torch.autograd.grad(loss, params)):
                v.mul_(momentum).add_(g)
                p.sub_(lr * v)
    return torch.stack(accuracies, 1)


# %%
relus_scale = training(2**0.5, 0.0)

# %%
scale_two = training(2.0, 0.0)

# %%
with needs("hardswish_slope", "own_scale"):
    own_curves = training(sigma_w, sigma_b)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
    runs = [("$σ_w$ = 2", scale_two, ILL, "--"), ("$σ_w$ = √2", relus_scale, OTHER, "-.")]
    for name, values, color, line in [*runs, ("its own", own_curves, CURED, "-")]:
        records = range(0, 20 * values.shape[1], 20)
        plot_band(left, records, 100 * values, color=color, linestyle=line, label=name)
        ranked = 100 * values[:, -1].sort().values
        right.plot(range(1, SEEDS + 1), ranked, "o" + line, color=color, markersize=4)
    for ax in (left, right):
        ax.axhline(10, color=INK, linestyle=":", linewidth=1)
    right.set_xticks([1, 4, 8, 12, 16])
    label(left, "Hard-swish learns at its own scale", "step", "test accuracy, %", ylim=(0, 103))
    label(right, "Each network at the end", "rank among 16", "test accuracy, %", ylim=(0, 103))
    plt.show()

# %% [markdown]
# Your result is the difference at the end. Both arms saw the same batches, and network $k$ of one arm started from the same random numbers as network $k$ of the other. So compare them **pair by pair**: take the sixteen differences, then their mean and its standard error.

# %% nbgrader={"grade_id": "advantage", "solution": true}
def advantage(before, after):
    """The mean gain in final accuracy, pair by pair, and its standard error: two numbers.

    before and after (seeds, records); the last record counts.
    """
    ### BEGIN SOLUTION
    gain = after[:, -1] - before[:, -1]
    return gain.mean(), gain.std() / len(gain) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "advantage_check", "grade": true, "points": 2}
with exercise("advantage") as check:
    made_up = torch.tensor([[0.9, 0.1], [0.9, 0.5]])
    mean, error = advantage(made_up, made_up + torch.tensor([[0.0, 0.2], [0.0, 0.4]]))
    check.close(mean, 0.3, "the mean of the gains 0.2 and 0.4", hint="the last record, after minus before")
    check.close(error, 0.1, "its standard error", hint="the spread of the two gains, not of the accuracies")
    for name, values in (("2", scale_two), ("√2", relus_scale)):
        mean, error = advantage(values, own_curves)
        print(f"its own scale against σ_w = {name}: {100 * mean:.0f} ± {100 * error:.0f} points")
        check.true(mean > 0.2 and mean > 5 * error, "your scale is better by 20 points and by five errors")
### BEGIN HIDDEN TESTS
with exercise("advantage, other results") as check:
    rng = torch.Generator().manual_seed(6)
    for seeds, records in ((5, 2), (16, 14), (40, 1)):
        before, after = torch.rand(2, seeds, records, generator=rng, dtype=torch.float64)
        gains = [b - a for a, b in zip(before[:, -1].tolist(), after[:, -1].tolist())]
        mean, error = advantage(before, after)
        center = sum(gains) / seeds
        spread = sum((g - center) ** 2 for g in gains) / (seeds - 1)
        check.close(mean, center, f"the mean gain of {seeds} pairs")
        check.close(error, (spread / seeds) ** 0.5, "its standard error")
### END HIDDEN TESTS

# %% [markdown]
# **Try your own.** Nothing you wrote knows about hard-swish. Take an activation that nobody has named yet: change the two functions below, find its scale, and ask whether $r$ is below one.

# %%
def my_phi(z):
    """An activation of your own; here softplus, moved so that it passes through 0."""
    return torch.nn.functional.softplus(z) - math.log(2)


def my_slope(z):
    """Its derivative."""
    return torch.sigmoid(z)


with needs("gaussian_mean", "own_scale"):
    for my_q in (0.5, 1.0, 4.0):
        print("q = {}: σ_w = {:.3f}, σ_b = {:.3f}, r = {:.3f}".format(my_q, *own_scale(my_phi, my_slope, my_q)))

# %% [markdown]
# ## 10. In a few sentences
#
# A colleague replaces ReLU by hard-swish in a network of forty layers without normalization and keeps the initialization: weights at $\sqrt2$, biases at zero. It no longer learns. He finds gradients of $10^{-6}$ in the first layers, concludes that hard-swish is a bad activation, and plans to multiply the learning rate by a million. Say in three to six sentences what happens in his network, what his plan would do to the layers at both ends, and what you would change instead.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# Near zero hard-swish is a line of slope one half, so at $\sigma_w^2 = 2$ the signal shrinks from layer to layer, and once it is small $\chi = 2\cdot\tfrac14 = \tfrac12$: the gradient loses half of its square in every layer. So what shrinks is the Jacobian product, and that is the fault of these scales and not of the activation. A learning rate a million times larger would give the first layers a useful step and the last ones a step a million times too long: they diverge at once. One rate cannot mend a ratio between layers. I would give the network hard-swish's own scales, weights near 1.40 and biases near 0.71, which keep the pre-activations at a variance where χ = 1 and r is not above one (or put in normalization layers, or skip connections). (One point each for: why the gradient halves, with χ; what one rate does at both ends; a cure that acts on the product.)
