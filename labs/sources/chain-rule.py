# %% [markdown]
# # Lab: the chain rule
#
# A network of 24 tanh layers gets pictures of proteins and does not learn. You write its backward pass by hand, measure how fast the gradient grows on its way back, predict that rate from one integral, and compute the one scale of the weights at which it neither grows nor shrinks. The figure at the end is yours: sixteen networks at your scale beside sixteen at each of two others.
#
# | | |
# |---|---|
# | **Time** | 80 minutes |
# | **You need** | the chapter on the chain rule; torch and the book's package, which the next cell fetches where it is missing |
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
SEEDS, DEPTH, WIDTH, SIGMA_B = 16, 24, 48, 0.3
proteins = load("proteins")
mean, sd = proteins.x_train.mean(), proteins.x_train.std()
x_train = ((proteins.x_train - mean) / sd).flatten(1)  # (342, 400)
x_test = ((proteins.x_test - mean) / sd).flatten(1)  # (115, 400)

# %% [markdown]
# ## The network
#
# Each image holds 400 numbers and belongs to one of ten families. The network is
#
# $$a_0 = x, \qquad z_\ell = a_{\ell-1} W_\ell + b_\ell, \qquad a_\ell = \tanh(z_\ell), \qquad \ell = 1, \dots, 24,$$
#
# and then one linear readout. Two things differ from the chapter. The examples are *rows*, so the weights stand on the right. And the biases are not zero: they start as $\mathcal N(0, \sigma_b^2)$ with $\sigma_b = 0.3$. The weights start as $\mathcal N(0, \sigma_w^2/\text{inputs of the layer})$.
#
# Sixteen networks run at once: **every tensor has the networks (seeds) as its first axis.** `W` and `b` are lists of 25 tensors, the last one for the readout.


# %%
def start(sigma_w, sigma_b=SIGMA_B, depth=DEPTH, width=WIDTH, seeds=SEEDS, dtype=torch.float32):
    """Starting weights and biases: lists of tensors (seeds, inputs, outputs) and (seeds, 1, outputs)."""
    rng = torch.Generator().manual_seed(0)
    W, b = [], []
    for n, m in zip([400] + [width] * depth, [width] * depth):
        W.append(torch.randn(seeds, n, m, generator=rng) * sigma_w / n**0.5)
        b.append(torch.randn(seeds, 1, m, generator=rng) * sigma_b)
    W.append(torch.randn(seeds, width, 10, generator=rng) / width**0.5)
    b.append(torch.zeros(seeds, 1, 10))
    return [w.to(dtype) for w in W], [c.to(dtype) for c in b]


def forward(W, b, x):
    """The activations [a_0, …, a_depth] and the logits (seeds, batch, 10); x (seeds, batch, 400) is a_0."""
    a = [x]
    for w, c in zip(W[:-1], b[:-1]):
        a.append(torch.tanh(a[-1] @ w + c))
    return a, a[-1] @ W[-1] + b[-1]


# %% [markdown]
# The loss is the mean cross-entropy of the batch. Its slope by the logits is known in closed form, and it is where your work begins.


# %%
def slope_of_loss(logits, y):
    """dL/dlogits of each network's mean cross-entropy, (seeds, batch, 10); y (seeds, batch)."""
    return (logits.softmax(-1) - torch.eye(10, dtype=logits.dtype)[y]) / y.shape[1]


def batch_of(x, y, size, rng):
    """Random examples for each network: (seeds, size, 400) and their families (seeds, size)."""
    chosen = torch.randint(len(y), (SEEDS, size), generator=rng)
    return x[chosen], y[chosen]


# %% [markdown]
# ## 1. Back through the layers
#
# Write $\delta_\ell = \partial L/\partial z_\ell$. A change of $z_\ell$ reaches the loss through $a_\ell$ and then through $z_{\ell+1} = a_\ell W_{\ell+1} + b_{\ell+1}$. So two factors carry $\delta$ one layer down, a weight matrix and a slope:
#
# $$\delta_\ell = \big(\delta_{\ell+1} W_{\ell+1}^\top\big) \odot \varphi'(z_\ell).$$
#
# You have no $z$ at hand, only activations. For tanh that is enough: write the slope in terms of $a_\ell$.
#
# Start with $\delta$ of the readout, which is `dlogits`, and go down to layer 1. `A.mT` transposes the last two axes. Mind the places: `a[l]` is $a_\ell$, but `W[l]` is the matrix that $a_\ell$ is multiplied *by*, $W_{\ell+1}$, since Python counts from 0.


# %% nbgrader={"grade_id": "deltas", "solution": true}
def deltas(W, a, dlogits):
    """The list [δ_1, …, δ_depth, dlogits], each (seeds, batch, outputs of its layer).

    W: depth + 1 tensors (seeds, inputs, outputs), the readout's last; a: the activations [a_0, …, a_depth],
    each (seeds, batch, width); dlogits (seeds, batch, classes).
    """
    ### BEGIN SOLUTION
    back = [dlogits]
    for level in range(len(W) - 1, 0, -1):
        back.append((back[-1] @ W[level].mT) * (1 - a[level].square()))
    return back[::-1]
    ### END SOLUTION


# %% [markdown]
# The check begins with a network that you can do in your head: two layers of one neuron, weights 2 and 3, readout 4, activations 0.5 and 0.8. Then it asks autograd, in float64.


# %% nbgrader={"grade_id": "deltas_check_tools_1", "locked": true}
# For the check below.
def by_autograd(W, b, x, y):
    """The deltas from torch: an own copy of the bias for every example, whose gradient is that example's δ."""
    own = [c.expand(-1, x.shape[1], -1).clone().requires_grad_() for c in b]
    loss = torch.nn.functional.cross_entropy(forward(W, own, x)[1].flatten(0, 1), y.flatten()) * len(y)
    return torch.autograd.grad(loss, own)


def check_deltas(check, seeds, batch, depth, width, sigma_w):
    rng = torch.Generator().manual_seed(depth)
    W, b = start(sigma_w, 0.5, depth, width, seeds, torch.float64)
    x = torch.randn(seeds, batch, 400, generator=rng, dtype=torch.float64)
    y = torch.randint(10, (seeds, batch), generator=rng)
    a, logits = forward(W, b, x)
    found = deltas(W, a, slope_of_loss(logits, y))
    check.equal(len(found), depth + 1, "the number of deltas", hint="one for each layer and one for the readout")
    for k, (got, expected) in enumerate(zip(found, by_autograd(W, b, x, y)), 1):
        name = "of the readout" if k > depth else f"of layer {k} of {depth}"
        check.close(got, expected, f"delta {name}", atol=1e-10, hint="a transposed W, and the slope of this layer")


# %% nbgrader={"grade_id": "deltas_check_tools_2", "locked": true}
# For the check below.
def number(value):
    return torch.full((1, 1, 1), value)


# %% nbgrader={"grade_id": "deltas_check", "grade": true, "points": 4}
with exercise("deltas") as check:
    found = deltas([number(2.0), number(3.0), number(4.0)], [number(1.0), number(0.5), number(0.8)], number(1.0))
    check.equal(len(found), 3, "the number of deltas for two layers", hint="the readout's is the last")
    check.close(found[1].flatten(), [1.44], "delta of layer 2", hint="4 times the slope, which is 1 − 0.8²")
    check.close(found[0].flatten(), [3.24], "delta of layer 1", hint="1.44 times 3 times 1 − 0.5²")
    check_deltas(check, seeds=2, batch=3, depth=2, width=4, sigma_w=1.0)
### BEGIN HIDDEN TESTS
with exercise("deltas, other sizes") as check:
    check_deltas(check, seeds=3, batch=5, depth=7, width=6, sigma_w=2.0)
    check_deltas(check, seeds=1, batch=2, depth=4, width=9, sigma_w=0.8)
    check_deltas(check, seeds=2, batch=1, depth=1, width=5, sigma_w=1.5)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. From delta to the weights
#
# You will train with this backward pass, so you need the gradients of what is trained. A weight $W_\ell$ enters only through $z_\ell = a_{\ell-1} W_\ell + b_\ell$, once for every example, and the examples' shares add up:
#
# $$\frac{\partial L}{\partial W_\ell} = a_{\ell-1}^\top\, \delta_\ell, \qquad \frac{\partial L}{\partial b_\ell} = \sum_{\text{batch}} \delta_\ell.$$


# %% nbgrader={"grade_id": "gradients", "solution": true}
def gradients(a, delta):
    """The gradients of all weights and of all biases, two lists of tensors with the parameters' shapes.

    a: [a_0, …, a_depth], each (seeds, batch, width); delta: [δ_1, …, δ_depth, dlogits], as deltas returns it.
    """
    ### BEGIN SOLUTION
    dW = [below.mT @ d for below, d in zip(a, delta)]
    db = [d.sum(1, keepdim=True) for d in delta]
    return dW, db
    ### END SOLUTION


# %% nbgrader={"grade_id": "gradients_check_tools", "locked": true}
# For the check below.
def check_gradients(check, seeds, batch, depth, width):
    rng = torch.Generator().manual_seed(batch)
    W, b = start(1.5, 0.5, depth, width, seeds, torch.float64)
    x = torch.randn(seeds, batch, 400, generator=rng, dtype=torch.float64)
    y = torch.randint(10, (seeds, batch), generator=rng)
    delta = list(by_autograd(W, b, x, y))
    leaves = [p.clone().requires_grad_() for p in W + b]
    a, logits = forward(leaves[: depth + 1], leaves[depth + 1 :], x)
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()) * seeds
    expected = torch.autograd.grad(loss, leaves)
    dW, db = gradients([h.detach() for h in a], delta)
    check.equal((len(dW), len(db)), (depth + 1, depth + 1), "the lengths of the two lists", hint="the readout, too")
    for name, got, want in (("W", dW, expected[: depth + 1]), ("b", db, expected[depth + 1 :])):
        for k in range(depth + 1):
            hint = "W takes a of the layer below" if name == "W" else "sum over the batch and keep its axis"
            check.close(got[k], want[k], f"the gradient of {name} at place {k}", atol=1e-10, hint=hint)


# %% nbgrader={"grade_id": "gradients_check", "grade": true, "points": 2}
with exercise("gradients") as check:
    a, delta = [torch.tensor([[[1.0], [2.0]]])], [torch.tensor([[[10.0], [30.0]]])]
    dW, db = gradients(a, delta)
    check.close(dW[0].flatten(), [70.0], "the gradient of one weight for two examples", hint="1·10 + 2·30")
    check.close(db[0].flatten(), [40.0], "the gradient of its bias", hint="10 + 30: a sum, not a mean")
    check_gradients(check, seeds=2, batch=3, depth=2, width=4)
### BEGIN HIDDEN TESTS
with exercise("gradients, other sizes") as check:
    check_gradients(check, seeds=3, batch=4, depth=5, width=6)
    check_gradients(check, seeds=1, batch=7, depth=3, width=2)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Measure the growth, with its error
#
# Now look at what arrives where. This is $\delta$ in sixteen untrained networks with $\sigma_w = 2.5$, one norm for each network and layer.


# %%
def delta_norms(sigma_w):
    """The norm of δ_1 … δ_24 before the first step, (seeds, 24)."""
    W, b = start(sigma_w)
    x, y = batch_of(x_train, proteins.y_train, 20, torch.Generator().manual_seed(1))
    a, logits = forward(W, b, x)
    return torch.stack([d.flatten(1).norm(dim=1) for d in deltas(W, a, slope_of_loss(logits, y))[:-1]], 1)


with needs("deltas"):
    norms = delta_norms(2.5)
    print(f"median norm of delta: layer 24 {norms[:, -1].median():.2g}, layer 1 {norms[:, 0].median():.2g}")

# %% [markdown]
# Turn these numbers into one rate. For each network it is the growth of $\ln\lVert\delta\rVert$ for each layer that $\delta$ passes on its way from the last column to the first; count how many layers that is. Positive means that it grows toward layer 1.
#
# Sixteen networks give sixteen rates $r_k$. Report their mean and its standard error, $s/\sqrt n$ with $s^2 = \frac1{n-1}\sum_k (r_k - \bar r)^2$. Take the logarithm *before* the mean: the chapter showed that a mean of norms describes a network that you will never meet.


# %% nbgrader={"grade_id": "growth_rate", "solution": true}
def growth_rate(norms):
    """The mean growth of ln‖δ‖ per layer on the way back, and its standard error: two numbers.

    norms (networks, layers): column 0 is layer 1, the last column the last layer.
    """
    ### BEGIN SOLUTION
    rates = (norms[:, 0].log() - norms[:, -1].log()) / (norms.shape[1] - 1)
    return rates.mean(), rates.std() / len(rates) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_rate_check", "grade": true, "points": 3}
with exercise("growth_rate") as check:
    made_up = torch.tensor([[8.0, 4.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]]).double()
    found, its_error = growth_rate(made_up)
    check.close(found, math.log(2) / 2, "the rate of one network that doubles and one that stays",
                hint="four layers are three steps; natural logarithms")
    check.close(its_error, math.log(2) / 2, "its standard error", hint="torch's std() over the root of 2")
### BEGIN HIDDEN TESTS
with exercise("growth_rate, other networks") as check:
    rng = torch.Generator().manual_seed(3)
    for networks, layers, center in ((5, 2, 0.7), (16, 24, -0.2), (9, 60, 0.3)):
        rates = center + 0.3 * torch.randn(networks, generator=rng, dtype=torch.float64)
        top = torch.rand(networks, 1, generator=rng, dtype=torch.float64) + 0.5
        steps = torch.arange(layers - 1, -1, -1, dtype=torch.float64)
        found, its_error = growth_rate(top * torch.exp(rates[:, None] * steps))
        expected = (sum((r - rates.mean()) ** 2 for r in rates) / (networks - 1) / networks) ** 0.5
        check.close(found, rates.sum() / networks, f"the mean rate over {layers} layers")
        check.close(its_error, expected, f"the standard error of {networks} networks")
### END HIDDEN TESTS

# %%
with needs("deltas", "growth_rate"):
    rate, error = map(float, growth_rate(norms))
    print(f"measured: {rate:.3f} ± {error:.3f} per layer, a factor {math.exp(23 * rate):.0f} from layer 24 to layer 1")

# %% [markdown]
# ## 4. Predict it
#
# The rate needs no network at all. In wide layers $z$ is Gaussian with some variance $q$. From layer to layer, weights and biases make
#
# $$q \leftarrow \sigma_w^2\, \mathbb E\big[\tanh(\sqrt q\,u)^2\big] + \sigma_b^2, \qquad u \sim \mathcal N(0, 1),$$
#
# until $q$ no longer changes. There each layer multiplies the squared norm of $\delta$ by $\chi = \sigma_w^2\,\mathbb E[\varphi'(\sqrt q\,u)^2]$. The bias appears in $q$ only: nothing multiplies $\delta$ by a bias.
#
# `average(f, q)` does the integral. **Which function of $\chi$ is the rate of exercise 3?** Write it. Begin the map at $q = 1$, not at 0: without a bias it would stay there. Fifty rounds are enough for this lab's values; take more if you like.

# %%
grid = torch.linspace(-8, 8, 401, dtype=torch.float64)
density = torch.exp(-(grid**2) / 2) / torch.exp(-(grid**2) / 2).sum()


def average(f, q):
    """E f(√q·u), u standard normal; f takes and returns a tensor. A float."""
    return (density * f(q**0.5 * grid)).sum().item()


print(f"E tanh² at q = 1: {average(lambda z: torch.tanh(z) ** 2, 1.0):.4f}")


# %% nbgrader={"grade_id": "predicted_rate", "solution": true}
def predicted_rate(sigma_w, sigma_b):
    """The growth of ln‖δ‖ per layer of an infinitely wide tanh network, where q no longer changes. A float."""
    ### BEGIN SOLUTION
    q = sigma_w**2 + sigma_b**2
    for _ in range(100):
        q = sigma_w**2 * average(lambda z: torch.tanh(z).square(), q) + sigma_b**2
    chi = sigma_w**2 * average(lambda z: (1 - torch.tanh(z).square()).square(), q)
    return math.log(chi) / 2
    ### END SOLUTION


# %% [markdown]
# Predict, then run: the check sends a small change through twelve random stacks of forty layers, 200 wide, and compares. (The change travels forward, which is easier to program. On its way it meets the same matrices and slopes as $\delta$ does, and so it grows at the same rate.) Four standard errors and 5 % for the finite width are allowed.


# %% nbgrader={"grade_id": "predicted_rate_check_tools", "locked": true}
# For the check below.
def measured_rate(sigma_w, sigma_b, width=200, nets=12, depth=40, skipped=10):
    """Growth of ln‖v‖, of a small change v, per layer and its standard error, once q no longer changes."""
    rng = torch.Generator().manual_seed(0)
    a, v = torch.randn(2, nets, 1, width, generator=rng)
    grown = torch.zeros(nets)
    for k in range(depth):
        w = torch.randn(nets, width, width, generator=rng) * sigma_w / width**0.5
        a = torch.tanh(a @ w + torch.randn(nets, 1, width, generator=rng) * sigma_b)
        v = (v / v.norm(dim=(1, 2), keepdim=True)) @ w * (1 - a**2)
        grown += v.norm(dim=(1, 2)).log() * (k >= skipped)
    rates = grown / (depth - skipped)
    return rates.mean().item(), rates.std().item() / nets**0.5


# %% nbgrader={"grade_id": "predicted_rate_check", "grade": true, "points": 4}
with exercise("predicted_rate") as check:
    for sigma_w, sigma_b in ((2.5, 0.3), (1.0, 0.3)):
        run, its_error = measured_rate(sigma_w, sigma_b)
        prediction, slack = predicted_rate(sigma_w, sigma_b), 4 * its_error + 0.05 * abs(run)
        print(f"σ_w = {sigma_w}, σ_b = {sigma_b}: predicted {prediction:.3f}, measured {run:.3f} ± {its_error:.3f}")
        check.between(prediction, run - slack, run + slack, f"the rate at σ_w = {sigma_w}, σ_b = {sigma_b}",
                      hint="χ belongs to the squared norm, and the bias to q")
### BEGIN HIDDEN TESTS
with exercise("predicted_rate, other scales") as check:
    from blowup.theory import mean_field

    for sigma_w, sigma_b in ((2.0, 0.2), (1.2, 0.8), (3.0, 0.0), (0.7, 0.5), (1.7, 1.5)):
        exact = 0.5 * math.log(mean_field("tanh", sigma_w, sigma_b).chi)
        found = predicted_rate(sigma_w, sigma_b)
        check.close(found, exact, f"the rate at ({sigma_w}, {sigma_b})", rtol=2e-3, atol=1e-4)
### END HIDDEN TESTS

# %%
with needs("deltas", "growth_rate", "predicted_rate"):
    print(f"your sixteen networks, width {WIDTH}: {rate:.3f} ± {error:.3f}")
    print(f"infinite width:                  {predicted_rate(2.5, SIGMA_B):.3f}")

# %% [markdown]
# A few standard errors apart, on the low side, as the chapter found for every finite width. The error bar made that visible: without it, you could not say whether 48 neurons are wide.
#
# ## 5. How deep until it is infinite?
#
# Suppose that you keep stacking such layers. The largest entry of $\delta$ grows at the same rate as the norm, and a float32 holds numbers up to about $3.4\cdot10^{38}$. **After how many layers is it full?** Write the smallest whole number $n$ for which $\text{start}\cdot e^{\text{rate}\cdot n}$ is above the largest number. Then the check builds 500 layers, runs your `deltas` through them and counts.


# %% nbgrader={"grade_id": "layers_to_overflow", "solution": true}
def layers_to_overflow(rate, start, largest):
    """The smallest int n with start·exp(rate·n) > largest; rate > 0 and 0 < start < largest."""
    ### BEGIN SOLUTION
    return math.floor(math.log(largest / start) / rate) + 1
    ### END SOLUTION


# %% nbgrader={"grade_id": "layers_to_overflow_check", "grade": true, "points": 2}
def largest_entries(depth, sigma_w=2.5):
    """The largest entry of δ in each layer of 16 deep networks, (seeds, depth), four examples each."""
    W, b = start(sigma_w, depth=depth)
    x, y = batch_of(x_train, proteins.y_train, 4, torch.Generator().manual_seed(2))
    a, logits = forward(W, b, x)
    return torch.stack([d.abs().amax((1, 2)) for d in deltas(W, a, slope_of_loss(logits, y))[:-1]], 1)


with exercise("layers_to_overflow") as check:
    check.close(layers_to_overflow(math.log(2), 1.0, 1000.0), 10, "the layers for doubling from 1 past 1000",
                hint="2⁹ = 512 and 2¹⁰ = 1024")
    check.close(layers_to_overflow(math.log(2), 300.0, 1000.0), 2, "the layers for doubling from 300 past 1000",
                hint="a gradient does not start at 1")
    top = largest_entries(500)
    passed = top.isfinite().sum(1).double().median().item()  # the last layer counts as 0, so this is the first inf
    prediction = layers_to_overflow(rate, top[:, -1].median().item(), torch.finfo(torch.float32).max)
    print(f"the first inf after {passed:.0f} layers (median of 16 networks), predicted {prediction}")
    check.between(prediction, 0.85 * passed, 1.15 * passed, "the predicted depth of overflow")
### BEGIN HIDDEN TESTS
with exercise("layers_to_overflow, other rates") as check:
    rng = torch.Generator().manual_seed(4)
    for _ in range(20):
        r, first, power = torch.rand(3, generator=rng, dtype=torch.float64).tolist()
        r, first, largest = 0.05 + r, 10 ** (6 * first - 4), 10 ** (4 + 30 * power)
        value, n = first, 0
        while value <= largest:
            value, n = value * math.exp(r), n + 1
        check.close(layers_to_overflow(r, first, largest), n, f"the layers from {first:.2g} past {largest:.2g}", rtol=0)
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Where did it begin?
#
# Once there is an infinity, $\infty - \infty$ and $0\cdot\infty$ follow, and everything that is computed later turns into `nan`. So a log of a run that blew up is mostly `nan`, and the interesting entry is the first one that is not finite.
#
# Here is such a log: one row for each step, one column for each layer, in each place the largest entry of $\delta$. Which entry did the computer write first? Steps come one after the other. Within a step the backward pass comes from the *last* layer.


# %% nbgrader={"grade_id": "first_nonfinite", "solution": true}
def first_nonfinite(log):
    """(row, column), two ints: the entry of log that was the first to be inf or nan.

    log (steps, layers), column 0 is layer 1; at least one entry is not finite.
    """
    ### BEGIN SOLUTION
    bad = ~log.isfinite()
    row = int(bad.any(1).nonzero()[0])
    return row, int(bad[row].nonzero()[-1])
    ### END SOLUTION


# %% nbgrader={"grade_id": "first_nonfinite_check", "grade": true, "points": 2}
with exercise("first_nonfinite") as check:
    inf, nan = math.inf, math.nan
    log = torch.tensor([[9.0, 3.0, 1.0], [nan, inf, 2.0], [nan, nan, nan]])
    check.close(first_nonfinite(log), [1, 1], "the place of the first entry that is not finite",
                hint="first the step; in that step, the layer nearest to the loss")
### BEGIN HIDDEN TESTS
with exercise("first_nonfinite, other logs") as check:
    rng = torch.Generator().manual_seed(5)
    for steps, layers, row, column in ((6, 9, 2, 4), (3, 5, 0, 0), (40, 24, 33, 23), (1, 70, 0, 51), (12, 4, 7, 2)):
        log = torch.rand(steps, layers, generator=rng).exp()
        log[row, :column] = math.nan
        log[row, column] = math.inf
        log[row + 1 :] = math.nan
        check.close(first_nonfinite(log.clone()), [row, column], f"the first place in a log of {steps} steps", rtol=0)
        log[row, : column + 1] = math.inf
        check.close(first_nonfinite(log.clone()), [row, column], "the first place in a log with inf alone", rtol=0)
### END HIDDEN TESTS

# %% [markdown]
# Your prediction and your detector on the same picture. Each line is one of the 500-layer networks; $\delta$ travels to the left.

# %%
with needs("deltas", "growth_rate", "layers_to_overflow", "first_nonfinite"):
    largest = torch.finfo(torch.float32).max
    fig, ax = plt.subplots()
    for row in top:
        ax.plot(range(1, 501), row, color=ILL, linewidth=0.7, alpha=0.5)
        column = first_nonfinite(row[None])[1]
        (cross,) = ax.plot(column + 1, largest, "x", color=INK, markersize=5)
    cross.set_label("first inf")
    layers = 500 - torch.arange(prediction, dtype=torch.float64)
    ax.plot(layers, top[:, -1].median() * torch.exp(rate * (500 - layers)), "--", color=CURED, label="your prediction")
    ax.axhline(largest, color=INK, linestyle=":", label="largest float32")
    label(ax, f"A float32 is full after about {passed:.0f} layers", "layer", "largest entry of δ", log="y")
    plt.show()

# %% [markdown]
# You measured a rate on 24 layers and carried it to more than 400. Each network goes its own crooked way, and most of them get a little further than the dashed line says. Your rate came from norms over twenty examples. Such a norm averages, and an average grows faster than a typical example. Still, the line says to about a tenth where the numbers end, and no network had to be trained for that.

# %% [markdown]
# ## 7. The scale at which nothing grows
#
# Your 24 layers are far from `inf`, and still a factor of a hundred or so between the first layer and the last is enough to keep them from learning. The chapter's cure was $\sigma_w = 1$. But its networks had no biases. **What do you expect of $\sigma_w = 1$ when $\sigma_b = 0.3$?** Look at the second line that the check of exercise 4 printed.
#
# So compute the right scale yourself: the $\sigma_w$ at which the predicted rate is 0. The rate rises with $\sigma_w$, so halve an interval: begin with 0.5 and 4, look at the middle, keep the half that holds the zero, until the interval is shorter than $10^{-5}$.


# %% nbgrader={"grade_id": "critical_scale", "solution": true}
def critical_scale(sigma_b):
    """The σ_w between 0.5 and 4 at which predicted_rate(σ_w, sigma_b) is 0, for 0.1 ≤ sigma_b ≤ 2. A float."""
    ### BEGIN SOLUTION
    low, high = 0.5, 4.0
    while high - low > 1e-5:
        middle = (low + high) / 2
        if predicted_rate(middle, sigma_b) < 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2
    ### END SOLUTION


# %% nbgrader={"grade_id": "critical_scale_check", "grade": true, "points": 3}
with exercise("critical_scale") as check:
    critical = float(critical_scale(SIGMA_B))
    print(f"with σ_b = {SIGMA_B} nothing grows at σ_w = {critical:.3f}")
    check.between(predicted_rate(critical, SIGMA_B), -1e-4, 1e-4, "the predicted rate at your scale",
                  hint="below the critical scale the rate is negative")
### BEGIN HIDDEN TESTS
with exercise("critical_scale, other biases") as check:
    from blowup.theory import critical_sigma_w

    for sigma_b in (0.2, 0.45, 1.1):
        found = critical_scale(sigma_b)
        check.close(found, critical_sigma_w("tanh", sigma_b), f"the scale for σ_b = {sigma_b}", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 8. Before and after
#
# `training` is the whole loop, and the backward pass in it is yours. Three runs differ in $\sigma_w$ alone: 2.5, the chapter's 1, and yours.


# %%
def training(sigma_w, lr=0.004, beta=0.9, steps=120):
    """Test accuracy of the 16 networks every 15 steps, (seeds, records)."""
    W, b = start(sigma_w)
    velocity = [torch.zeros_like(p) for p in W + b]
    rng, records = torch.Generator().manual_seed(3), []
    for k in range(steps + 1):
        if k % 15 == 0:
            logits = forward(W, b, x_test.expand(SEEDS, -1, -1))[1]
            records.append((logits.argmax(-1) == proteins.y_test).float().mean(1))
        x, y = batch_of(x_train, proteins.y_train, 20, rng)
        a, logits = forward(W, b, x)
        dW, db = gradients(a, deltas(W, a, slope_of_loss(logits, y)))
        for p, v, g in zip(W + b, velocity, dW + db):
            v.mul_(beta).add_(g)
            p.sub_(lr * v)
    return torch.stack(records, 1)


# %%
with needs("deltas", "gradients"):
    large = training(2.5)

# %%
with needs("deltas", "gradients"):
    chapters = training(1.0)

# %%
with needs("deltas", "gradients", "critical_scale"):
    yours = training(critical)

# %% [markdown]
# How much better is your scale, and how sure are you? All three runs use the same seeds: network $k$ has the same random numbers in each, only scaled, and sees the same batches. So compare each network *with its own twin*. The difference of the two accuracies at the end gives sixteen numbers, and again you report their mean and its standard error.


# %% nbgrader={"grade_id": "improvement", "solution": true}
def improvement(before, after):
    """The mean gain in accuracy at the last record, after − before, and its standard error, twin by twin.

    before, after: shares of 1, both (networks, records). Two numbers, in percentage points.
    """
    ### BEGIN SOLUTION
    gain = 100 * (after[:, -1] - before[:, -1])
    return gain.mean(), gain.std() / len(gain) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "improvement_check", "grade": true, "points": 2}
with exercise("improvement") as check:
    before, after = torch.tensor([[0.1, 0.2], [0.1, 0.5]]), torch.tensor([[0.1, 0.5], [0.1, 0.9]])
    gain, its_error = improvement(before, after)
    check.close(gain, 35.0, "the gain of 30 and of 40 points", rtol=1e-3, hint="the last column counts, in points")
    check.close(its_error, 5.0, "its standard error", rtol=1e-3, hint="first subtract the twins, then take std()")
    for name, other in (("2.5", large), ("1", chapters)):
        gain, its_error = map(float, improvement(other, yours))
        print(f"your scale beats σ_w = {name} by {gain:.0f} ± {its_error:.0f} points")
        check.true(gain > 25 and gain > 4 * its_error, f"your networks beat those with σ_w = {name} by 25 points")
### BEGIN HIDDEN TESTS
with exercise("improvement, other runs") as check:
    rng = torch.Generator().manual_seed(6)
    for networks, records in ((4, 1), (16, 11), (30, 5)):
        before = torch.rand(networks, records, generator=rng, dtype=torch.float64) / 2
        after = before + 0.2 + 0.1 * torch.rand(networks, records, generator=rng, dtype=torch.float64)
        each = [100 * (q - p) for p, q in zip(before[:, -1].tolist(), after[:, -1].tolist())]
        center = sum(each) / networks
        spread = sum((g - center) ** 2 for g in each) / (networks - 1)
        gain, its_error = improvement(before, after)
        check.close(gain, center, f"the gain of {networks} networks")
        check.close(its_error, (spread / networks) ** 0.5, f"the standard error of {networks} networks")
### END HIDDEN TESTS

# %%
with needs("deltas", "gradients", "predicted_rate", "critical_scale"):
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.8))
    layers, records = torch.arange(1, 25), torch.arange(0, 121, 15)
    arms = [(2.5, "", large, ILL, "--"), (1.0, ", the chapter's", chapters, OTHER, "-.")]
    for sigma_w, whose, accuracy, color, line in [*arms, (critical, ", yours", yours, CURED, "-")]:
        found, name = delta_norms(sigma_w), f"$σ_w$ = {sigma_w:.3g}{whose}"
        plot_band(left, layers, found / found[:, -1:], color=color, linestyle=line, label=name)
        left.plot(layers, torch.exp(predicted_rate(sigma_w, SIGMA_B) * (24 - layers)), ":", color=INK)
        plot_band(right, records, 100 * accuracy, color=color, linestyle=line, label=name)
    label(left, "Three scales, three predictions (dotted)", "layer", "‖δ‖, last layer = 1", log="y", legend=False)
    label(right, "Only your scale learns", "step", "test accuracy, %", ylim=(0, 100))
    left.set_xticks([1, 6, 12, 18, 24])
    plt.show()

# %% [markdown]
# ## 9. In a few sentences
#
# The chapter's critical scale was 1, and here networks with $\sigma_w = 1$ learn next to nothing. Say in three to six sentences what the biases do to the slopes and to $\chi$, why a scale that is a little off hurts 24 layers and would hardly hurt three, and whether ten times the learning rate would save the run with $\sigma_w = 1$.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# Random biases add variance to every pre-activation, so more of them lie away from 0, where tanh is flat. The mean squared slope falls, and with it χ = σ_w² E[φ′²]: at σ_w = 1 it is 0.7 instead of 1. To bring χ back to 1 the weights must be larger, σ_w about 1.4. On the way back each layer multiplies the norm by 0.7^(1/2) = 0.84. From the last layer to the first that makes a factor of 0.7 in a network of three layers, and of less than a fiftieth in one of 24. A larger learning rate multiplies the steps of all layers by the same number. The first layers would move, but the last ones, whose gradients are fifty times larger, would then take steps that are far too long. The ratio between the layers is what is ill. (One point each for: biases → flatter slopes → smaller χ; the power of the depth, with an estimate; one rate cannot serve layers whose gradients differ so much.)
