# %% [markdown]
# # Lab: gradient clipping
#
# You train sixteen small recurrent networks without autograd, by your own code: back-propagation through time, the clip, the step. Without the clip hardly any of them gets above 90 %. With it most do. The figure at the end is yours, made by the functions you write on the way.
#
# | | |
# |---|---|
# | **Time** | 75 minutes |
# | **You need** | the chapters on the chain rule and on gradient clipping; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch

from blowup.checks import exercise, needs
from blowup.data import memory
from blowup.figures import CURED, ILL, INK, label, plot_band, style

style()
SEEDS, LENGTH, CLASSES, WIDTH = 16, 30, 4, 20

# %% [markdown]
# ## The task and the network
#
# A sequence of thirty inputs: the first is one of four symbols, the other 29 are noise. At the end the network must say which symbol it was. Everything it knows has to survive 29 steps of
#
# $$h_t = \tanh(x_t U + h_{t-1} W + b), \qquad h_0 = 0,$$
#
# and then one linear readout, $h_{30} V + d$. All sixteen networks are trained at once: **every tensor has the networks (seeds) as its first axis.**

# %%
task = memory(length=LENGTH, classes=CLASSES, n=1000)


def start(seeds=SEEDS, gain=1.4, dtype=torch.float32):
    """Starting parameters, {name: tensor (seeds, rows, columns)}."""
    rng = torch.Generator().manual_seed(0)
    params = {
        "U": torch.randn(seeds, CLASSES, WIDTH, generator=rng) / CLASSES**0.5,
        "W": torch.randn(seeds, WIDTH, WIDTH, generator=rng) * gain / WIDTH**0.5,
        "b": torch.zeros(seeds, 1, WIDTH),
        "V": torch.randn(seeds, WIDTH, CLASSES, generator=rng) / WIDTH**0.5,
        "d": torch.zeros(seeds, 1, CLASSES),
    }
    return {name: p.to(dtype) for name, p in params.items()}


# %%
def forward(params, x):
    """All states [h_0, …, h_T], each (seeds, batch, width), and the logits; x (seeds, batch, T, inputs)."""
    states = [torch.zeros(*x.shape[:2], params["W"].shape[1], dtype=x.dtype)]
    for x_t in x.unbind(2):
        states.append(torch.tanh(x_t @ params["U"] + states[-1] @ params["W"] + params["b"]))
    return states, states[-1] @ params["V"] + params["d"]


def slope_of_loss(logits, y):
    """dL/dlogits of the mean cross-entropy, (seeds, batch, classes); y (seeds, batch)."""
    return (logits.softmax(-1) - torch.eye(logits.shape[-1], dtype=logits.dtype)[y]) / y.shape[1]


# %% [markdown]
# ## 1. Back through time
#
# Going forward, the same $W$ is used thirty times. Going back, each use sends its share to the gradient of $W$, and the shares add up.
#
# Write $\delta_t = \partial L/\partial z_t$ for the slope of the loss by the pre-activation $z_t = x_t U + h_{t-1} W + b$. You are given the slope by the logits, $\delta_{\text{logits}} = \partial L/\partial\text{logits}$, as `dlogits`. At the last step $z_T$ reaches the loss through the readout alone, so
#
# $$\delta_T = \big(\delta_{\text{logits}} V^\top\big) \odot (1 - h_T^2), \qquad \delta_{t-1} = \big(\delta_t W^\top\big) \odot (1 - h_{t-1}^2),$$
#
# and $\dfrac{\partial L}{\partial W} = \sum_t h_{t-1}^\top \delta_t$, $\ \dfrac{\partial L}{\partial U} = \sum_t x_t^\top \delta_t$, $\ \dfrac{\partial L}{\partial b} = \sum_t \sum_{\text{batch}} \delta_t$.
#
# The readout's two gradients are written for you. `A.mT` transposes the last two axes. Mind the places: `states[t]` is $h_t$, and the input of step $t$ is `x[:, :, t - 1]`.

# %% nbgrader={"grade_id": "bptt", "solution": true}
def bptt(params, x, states, dlogits):
    """The gradient of every parameter, {name: tensor of its shape}.

    x (seeds, batch, T, inputs); states [h_0, …, h_T], each (seeds, batch, width); dlogits (seeds, batch, classes).
    """
    grads = {name: torch.zeros_like(p) for name, p in params.items()}
    grads["V"] = states[-1].mT @ dlogits
    grads["d"] = dlogits.sum(1, keepdim=True)
    ### BEGIN SOLUTION
    dh = dlogits @ params["V"].mT
    for t in range(len(states) - 1, 0, -1):
        delta = dh * (1 - states[t].square())
        grads["W"] += states[t - 1].mT @ delta
        grads["U"] += x[:, :, t - 1].mT @ delta
        grads["b"] += delta.sum(1, keepdim=True)
        dh = delta @ params["W"].mT
    return grads
    ### END SOLUTION


# %% [markdown]
# The check compares with autograd, in float64, on sequences of four steps.

# %% nbgrader={"grade_id": "bptt_check_tools", "locked": true}
# For the check below.
def by_autograd(params, x, y):
    """The same gradients from torch."""
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    logits = forward(leaves, x)[1]
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten()) * len(y)
    return dict(zip(leaves, torch.autograd.grad(loss, list(leaves.values()))))


def check_bptt(check, seeds, batch, length, gain):
    rng = torch.Generator().manual_seed(length)
    params = start(seeds, gain, torch.float64)
    params["b"] += 0.3
    x = torch.randn(seeds, batch, length, CLASSES, generator=rng, dtype=torch.float64)
    y = torch.randint(CLASSES, (seeds, batch), generator=rng)
    states, logits = forward(params, x)
    grads = bptt(params, x, states, slope_of_loss(logits, y))
    for name, expected in by_autograd(params, x, y).items():
        hint = "compare t and t - 1 in each line" if length > 1 else "with one step there is nothing to sum"
        check.close(grads[name], expected, f"the gradient of {name} over {length} steps", hint=hint)


# %% nbgrader={"grade_id": "bptt_check", "grade": true, "points": 4}
with exercise("bptt") as check:
    check_bptt(check, seeds=2, batch=3, length=1, gain=1.0)
    check_bptt(check, seeds=2, batch=3, length=4, gain=1.0)
### BEGIN HIDDEN TESTS
with exercise("bptt, other sizes") as check:
    check_bptt(check, seeds=3, batch=5, length=9, gain=2.0)
    check_bptt(check, seeds=1, batch=1, length=2, gain=0.5)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. How long is a gradient?
#
# Clipping needs the length of *all* parameters' gradients, read as one long vector: the square root of the sum of all squared entries. Each of the networks has a length of its own, so the result has one number for each.

# %% nbgrader={"grade_id": "global_norm", "solution": true}
def global_norm(grads):
    """The norm of each network's whole gradient, (seeds,); grads is a list of tensors (seeds, …)."""
    ### BEGIN SOLUTION
    return torch.stack([g.flatten(1).square().sum(1) for g in grads]).sum(0).sqrt()
    ### END SOLUTION


# %% nbgrader={"grade_id": "global_norm_check", "grade": true, "points": 2}
with exercise("global_norm") as check:
    pair = [torch.tensor([[[3.0]], [[0.0]]]), torch.tensor([[[4.0]], [[2.0]]])]
    hint = "square, sum over everything but the networks, then one root at the end"
    check.close(global_norm(pair), torch.tensor([5.0, 2.0]), "the norm of (3, 4) and of (0, 2)", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("global_norm, other shapes") as check:
    rng = torch.Generator().manual_seed(1)
    for seeds, shapes in ((3, [(2, 5), (1, 4)]), (1, [(7,)]), (4, [(2, 2), (3, 1), (1, 1)])):
        grads = [torch.randn(seeds, *shape, generator=rng, dtype=torch.float64) for shape in shapes]
        long = torch.cat([g.reshape(seeds, -1) for g in grads], 1)
        check.close(global_norm(grads), long.norm(dim=1), f"the norms of {seeds} networks")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Clip
#
# If a gradient is longer than the threshold $\tau$, shorten it to $\tau$; otherwise leave it alone:
#
# $$g \leftarrow g \cdot \min\Big(1, \frac{\tau}{\lVert g\rVert}\Big).$$
#
# Each network is clipped by its own norm. Return the norms from *before* clipping as well, as torch does: they are worth logging. A gradient of zero must stay zero and not become 0/0.

# %% nbgrader={"grade_id": "clip_by_norm", "solution": true}
def clip_by_norm(grads, tau):
    """The clipped gradients, a list of tensors (seeds, …), and the norms before, (seeds,)."""
    ### BEGIN SOLUTION
    norms = global_norm(grads)
    factor = (tau / (norms + 1e-6)).clamp(max=1)
    return [g * factor.view(-1, *[1] * (g.dim() - 1)) for g in grads], norms
    ### END SOLUTION


# %% nbgrader={"grade_id": "clip_by_norm_check", "grade": true, "points": 3}
with exercise("clip_by_norm") as check:
    pair = [torch.tensor([[[3.0]], [[0.0]]]), torch.tensor([[[4.0]], [[0.5]]])]
    (first, second), norms = clip_by_norm(pair, 1.0)
    check.close(norms, torch.tensor([5.0, 0.5]), "the norms before clipping", hint="return them, too")
    check.close(first[0, 0, 0], 0.6, "the 3 of (3, 4), clipped to 1", hint="every entry has the same factor")
    check.close(second[0, 0, 0], 0.8, "the 4 of (3, 4), clipped to 1")
    check.close(second[1, 0, 0], 0.5, "a gradient shorter than the threshold", hint="the factor is at most 1")
### BEGIN HIDDEN TESTS
with exercise("clip_by_norm, other gradients") as check:
    rng = torch.Generator().manual_seed(2)
    for tau in (0.1, 2.0, 50.0):
        size = torch.logspace(-2, 3, 6, dtype=torch.float64)[:, None, None]
        grads = [size * torch.randn(6, *shape, generator=rng, dtype=torch.float64) for shape in ((3, 2), (1, 4))]
        before = torch.cat([g.flatten(1) for g in grads], 1)
        shortened, norms = clip_by_norm([g.clone() for g in grads], tau)
        after = torch.cat([g.flatten(1) for g in shortened], 1)
        check.close(norms, before.norm(dim=1), "the norms before clipping")
        check.close(after.norm(dim=1), before.norm(dim=1).clamp(max=tau), f"the norms after, tau {tau}")
        check.close(torch.cosine_similarity(before, after), torch.ones(6), "the cosine of before and after")
    zero, _ = clip_by_norm([torch.zeros(2, 3, 3)], 1.0)
    check.close(zero[0], torch.zeros(2, 3, 3), "a gradient of zero, clipped")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. What the other kind of clipping does
#
# "Cap gradient values at ±τ" is another operation. It shortens large entries and leaves small ones, and so it *turns* the gradient. Take $d$ entries, one of them huge and all others equal to $\tau$. Capped, all are equal to $\tau$. **By how many degrees has the gradient turned?** Let the huge entry go to infinity, and write the angle as a function of $d$.

# %% nbgrader={"grade_id": "predicted_angle", "solution": true}
def predicted_angle(d):
    """The angle in degrees between (∞, 1, …, 1), d entries, and (1, 1, …, 1)."""
    ### BEGIN SOLUTION
    return math.degrees(math.acos(1 / math.sqrt(d)))
    ### END SOLUTION


# %% nbgrader={"grade_id": "predicted_angle_check", "grade": true, "points": 2}
def measured_angle(d):
    """The same angle, with 10⁸ for infinity."""
    g = torch.ones(d, dtype=torch.float64)
    g[0] = 1e8
    return math.degrees(math.acos(torch.cosine_similarity(g, g.clamp(-1, 1), dim=0)))


with exercise("predicted_angle") as check:
    hint = "the cosine of two vectors is their dot product over the product of their lengths"
    check.close(predicted_angle(2), measured_angle(2), "the angle for two entries", rtol=1e-3, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("predicted_angle, more entries") as check:
    for d in (3, 10, 257, 4000):
        check.close(predicted_angle(d), measured_angle(d), f"the angle for {d} entries", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Where the clip belongs
#
# With momentum $\beta$ the step is made of two lines,
#
# $$v \leftarrow \beta v + g, \qquad w \leftarrow w - \eta v .$$
#
# The clip belongs between the backward pass and the first of them: it bounds what the velocity is fed. Write the whole step. With `tau=None` nothing is clipped. Return the norms before clipping in either case.

# %% nbgrader={"grade_id": "step", "solution": true}
def step(params, velocity, grads, lr, beta, tau=None):
    """Change params and velocity (dicts of tensors) in place; returns the norms before clipping, (seeds,)."""
    ### BEGIN SOLUTION
    names = list(params)
    flat = [grads[name] for name in names]
    clipped, norms = clip_by_norm(flat, math.inf if tau is None else tau)
    for name, g in zip(names, flat if tau is None else clipped):
        velocity[name].mul_(beta).add_(g)
        params[name].sub_(lr * velocity[name])
    return norms
    ### END SOLUTION


# %% nbgrader={"grade_id": "step_check", "grade": true, "points": 3}
def one_weight(gradients, lr, beta, tau):
    """Where a weight that starts at 0 is after each of these gradients, for one network."""
    params, velocity, path = {"w": torch.zeros(1, 1, 1)}, {"w": torch.zeros(1, 1, 1)}, []
    for g in gradients:
        norms = step(params, velocity, {"w": torch.full((1, 1, 1), float(g))}, lr, beta, tau)
        path.append(params["w"].item())
    return torch.tensor(path), norms


with exercise("step") as check:
    path, norms = one_weight([4.0, 4.0], lr=0.1, beta=0.5, tau=None)
    check.close(path, [-0.4, -1.0], "the weight after two steps without clipping", hint="v is 4, then 0.5·4 + 4")
    check.close(norms, [4.0], "the norm that step returns", hint="the norm before clipping, for each network")
    path, norms = one_weight([4.0, 4.0], lr=0.1, beta=0.5, tau=1.0)
    hint = "clip the gradient, then add it to the velocity"
    check.close(path, [-0.1, -0.25], "the weight after two steps, clipped to 1", hint=hint)
    check.close(norms, [4.0], "the norm that step returns with clipping", hint="the norm before clipping")
### BEGIN HIDDEN TESTS
with exercise("step, in a longer run") as check:
    rng = torch.Generator().manual_seed(3)
    for beta, tau in ((0.0, 0.5), (0.9, 2.0), (0.6, None)):
        gradients = (3 * torch.randn(30, generator=rng)).tolist()
        v, w, expected = 0.0, 0.0, []
        for g in gradients:
            v = beta * v + (g if tau is None else max(-tau, min(tau, g)))
            w -= 0.03 * v
            expected.append(w)
        path, norms = one_weight(gradients, 0.03, beta, tau)
        check.close(path, expected, "the path of a weight", rtol=1e-3, atol=1e-5)
        check.close(norms, [abs(gradients[-1])], "the norm before clipping", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# How long can a step be? No clipped gradient is longer than $\tau$, but momentum adds them up. Suppose that all of them point the same way, forever. **What is the longest step, as a function of the learning rate, β and τ?**

# %% nbgrader={"grade_id": "longest_step", "solution": true}
def longest_step(lr, beta, tau):
    """The length that the steps of clipped gradients approach at most."""
    ### BEGIN SOLUTION
    return lr * tau / (1 - beta)
    ### END SOLUTION


# %% nbgrader={"grade_id": "longest_step_check", "grade": true, "points": 1}
with exercise("longest_step") as check:
    check.close(longest_step(1.0, 0.0, 2.0), 2.0, "the longest step without momentum", hint="then v is g")
### BEGIN HIDDEN TESTS
with exercise("longest_step, with momentum") as check:
    for lr, beta, tau in ((0.1, 0.9, 1.0), (0.03, 0.5, 4.0), (1.0, 0.99, 0.2)):
        v = 0.0
        for _ in range(3000):
            v = beta * v + tau
        check.close(longest_step(lr, beta, tau), lr * v, f"the longest step for beta {beta}", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Read the threshold off a log
#
# Now your pieces train all sixteen networks. `training` is the whole loop. Read it: the backward pass, the clip and the step in it are yours.

# %%
def training(tau=None, lr=0.03, beta=0.9, steps=250, batch=20):
    """Test accuracy every ten steps and gradient norms at all steps: (seeds, records), (seeds, steps)."""
    params = start()
    velocity = {name: torch.zeros_like(p) for name, p in params.items()}
    rng = torch.Generator().manual_seed(1)
    accuracies, log = [], []
    for k in range(steps + 1):
        if k % 10 == 0:
            logits = forward(params, task.x_test.expand(SEEDS, -1, -1, -1))[1]
            accuracies.append((logits.argmax(-1) == task.y_test).float().mean(1))
        chosen = torch.randint(len(task.y_train), (SEEDS, batch), generator=rng)
        x, y = task.x_train[chosen], task.y_train[chosen]
        states, logits = forward(params, x)
        log.append(step(params, velocity, bptt(params, x, states, slope_of_loss(logits, y)), lr, beta, tau))
    return torch.stack(accuracies, 1), torch.stack(log, 1)


# %%
with needs("bptt", "clip_by_norm", "step"):
    unclipped, unclipped_norms = training(tau=None)
    worst, best = 100 * unclipped[:, -1].min(), 100 * unclipped[:, -1].max()
    print(f"unclipped, at the end: {worst:.0f} to {best:.0f} % of the test set right (a guess: 25 %)")

# %% [markdown]
# A threshold is read from the norms of a run that was not clipped: near their median, which a few giants do not move. A run that diverged has logged `inf` and `nan`, too; they say nothing about a good step. Write the rule.

# %% nbgrader={"grade_id": "choose_threshold", "solution": true}
def choose_threshold(log):
    """The median of the finite entries of log, a tensor of norms of any shape."""
    ### BEGIN SOLUTION
    return log[log.isfinite()].median()
    ### END SOLUTION


# %% nbgrader={"grade_id": "choose_threshold_check", "grade": true, "points": 2}
with exercise("choose_threshold") as check:
    log = torch.tensor([[1.0, 2.0, 3.0], [2.5, 1e6, math.inf], [1.5, math.nan, math.inf]])
    check.close(choose_threshold(torch.tensor([1.0, 2.0, 9.0])), 2.0, "the threshold for norms 1, 2, 9")
    hint = "keep log[log.isfinite()]"
    check.close(choose_threshold(log[:, :2].clone()), 2.0, "the threshold of a log with a nan", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("choose_threshold, other logs") as check:
    rng = torch.Generator().manual_seed(4)
    for count in (11, 101):
        norms = torch.rand(count, generator=rng).exp()
        spoiled = torch.cat([norms, torch.tensor([math.inf, math.nan, math.inf])])
        check.close(choose_threshold(spoiled), norms.median(), "the threshold of a spoiled log")
        giants = torch.where(norms > norms.median(), norms * 1e4, norms)
        check.close(choose_threshold(giants), norms.median(), "the threshold with giants above the median")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. Before and after
#
# The last run differs from the first in the clip alone.

# %%
with needs("bptt", "clip_by_norm", "step", "choose_threshold"):
    tau = float(choose_threshold(unclipped_norms[:, :50]))  # the first fifty steps
    clipped, clipped_norms = training(tau=tau)
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.6))
    records = torch.arange(0, 251, 10)
    for name, values, color, line in (("unclipped", unclipped, ILL, "--"), (f"clipped to {tau:.2g}", clipped, CURED, "-")):
        plot_band(left, records, 100 * values, color=color, linestyle=line, label=name)
        ranked = 100 * values[:, -1].sort().values
        right.plot(range(1, SEEDS + 1), ranked, "o" + line, color=color, label=name)
    for ax in (left, right):
        ax.axhline(25, color=INK, linestyle=":", linewidth=1)
    right.set_xticks([1, 4, 8, 12, 16])
    label(left, "Your networks, before and after", "step", "test accuracy, %", ylim=(0, 103))
    label(right, "Each network at the end", "rank among 16", "test accuracy, %", ylim=(0, 103))
    plt.show()

# %% [markdown]
# One last measurement: how many of the sixteen get above 90 %? The function is short, and the number is your result.

# %% nbgrader={"grade_id": "learned", "solution": true}
def learned(accuracies):
    """How many networks end above 90 %, an int; accuracies (seeds, records), the last record counts."""
    ### BEGIN SOLUTION
    return int((accuracies[:, -1] > 0.9).sum())
    ### END SOLUTION


# %% nbgrader={"grade_id": "learned_check", "grade": true, "points": 2}
with exercise("learned") as check:
    made_up = torch.tensor([[0.2, 0.95], [0.99, 0.3], [0.5, 0.91]])
    check.equal(learned(made_up), 2, "the number of networks above 90 %", hint="the last column decides")
    check.true(learned(clipped) >= learned(unclipped) + 6, "at least six more networks learn when clipped")
    print(f"above 90 %: unclipped {learned(unclipped)} of 16, clipped {learned(clipped)} of 16")
### BEGIN HIDDEN TESTS
with exercise("learned, other results") as check:
    rng = torch.Generator().manual_seed(5)
    for seeds, records in ((5, 1), (16, 26), (40, 3)):
        values = torch.rand(seeds, records, generator=rng) * 0.3 + 0.7
        check.equal(learned(values), sum(v > 0.9 for v in values[:, -1].tolist()), "the number above 90 %")
### END HIDDEN TESTS

# %% [markdown]
# ## 8. In a few sentences
#
# A friend has a network of forty layers whose gradient norm is $10^{9}$ in the first layer and 1 in the last, at the very first step. She clips to a norm of 1. Does that cure it? Say in three to six sentences what the clipped step does to the first layers and to the last ones, which of the two illnesses hers is, and what you would change instead.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# No. Clipping multiplies all layers by one factor, here about 10⁻⁹. The first layer then gets a step of ordinary length, and the last one a step 10⁹ times shorter: it does not move at all. The ratio between the layers is what is ill, and a common factor leaves it as it is. Her illness is a Jacobian product that grows, not a step that is too long. I would look at the weights' scale first (an initialization with χ = 1 for her activation), or add skip connections, or take fewer layers. (One point each for: the common factor and what it leaves; the name of the illness; a cure that acts on the product.)
