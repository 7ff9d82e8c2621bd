# %% [markdown]
# # Lab: batch normalization
#
# You write batch normalization forward, backward and for evaluation, and train sixteen networks with it at a learning rate that kills the same sixteen without it. Then you make them deep, and batch normalization becomes the illness. You measure how fast the gradient grows, predict it, and work out the cure. The two before-and-afters at the end are yours.
#
# | | |
# |---|---|
# | **Time** | 90 minutes |
# | **You need** | the chapter on batch normalization; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from blowup.checks import exercise, needs
from blowup.data import load
from blowup.figures import CURED, ILL, INK, label, plot_band, style
from blowup.theory import batch_norm_growth

style()
SEEDS, WIDTH, CLASSES, EPS = 16, 32, 10, 1e-5

# %% [markdown]
# ## The data, the networks, and a rate that kills
#
# The proteins come as images of 20 by 20 pixels, and the network has to name the family, one of ten. The pixels are standardized, so the data are not to blame for what follows. All sixteen networks are trained at once: **every tensor has the networks (seeds) as its first axis.**
#
# A network is a list of layers, each a dictionary of tensors. Weights start as He's; the last layer is the readout.

# %%
proteins = load("proteins")
mean, sd = proteins.x_train.mean(), proteins.x_train.std()
x_train = ((proteins.x_train - mean) / sd).flatten(1)  # (342, 400)
x_test = ((proteins.x_test - mean) / sd).flatten(1)


def start(depth, inputs=400, width=WIDTH, seeds=SEEDS):
    """Starting layers of ``depth`` hidden layers and a readout; W (seeds, fan_in, fan_out)."""
    rng = torch.Generator().manual_seed(0)
    layers = []
    for k in range(depth + 1):
        fan_in, fan_out = inputs if k == 0 else width, CLASSES if k == depth else width
        W = torch.randn(seeds, fan_in, fan_out, generator=rng) * (2 / fan_in) ** 0.5
        layer = {"W": W, "beta": torch.zeros(seeds, 1, fan_out), "gamma": torch.ones(seeds, 1, fan_out)}
        layer["running"] = {"mean": torch.zeros(seeds, 1, fan_out), "variance": torch.ones(seeds, 1, fan_out)}
        layers.append(layer)
    return layers


# %% [markdown]
# Here are the way forward and the way back. Read them: the three functions of batch normalization that they call do not exist yet, and with `norm=False` they are not called. `slope` is that of a leaky ReLU left of zero; 0 is the ordinary ReLU.

# %%
def forward(layers, x, norm, slope=0.0, training=True):
    """The logits, (seeds, batch, classes), and of each hidden layer what the way back needs."""
    tape = []
    for p in layers[:-1]:
        z = x @ p["W"]
        if norm:
            y, z_hat, s = batch_norm_layer(z, p["gamma"], p["beta"], p["running"], training)
        else:
            y, z_hat, s = z + p["beta"], None, None
        tape.append((x, y, z_hat, s))
        x = F.leaky_relu(y, slope)
    tape.append((x, None, None, None))
    return x @ layers[-1]["W"] + layers[-1]["beta"], tape


# %%
def backward(layers, tape, dlogits, norm, slope=0.0):
    """The gradients, a list of dictionaries like layers, and ‖∂L/∂z‖ of each hidden layer, (seeds, depth)."""
    x, _, _, _ = tape[-1]
    grads, norms = [{"W": x.mT @ dlogits, "beta": dlogits.sum(1, keepdim=True)}], []
    da = dlogits @ layers[-1]["W"].mT
    for p, (x, y, z_hat, s) in zip(layers[-2::-1], tape[-2::-1]):
        dy = torch.where(y > 0, da, slope * da)
        if norm:
            dz, dgamma, dbeta = batch_norm_backward(dy, z_hat, s, p["gamma"])
            grads.insert(0, {"W": x.mT @ dz, "gamma": dgamma, "beta": dbeta})
        else:
            dz = dy
            grads.insert(0, {"W": x.mT @ dz, "beta": dz.sum(1, keepdim=True)})
        norms.insert(0, dz.norm(dim=(1, 2)))
        da = dz @ p["W"].mT
    return grads, torch.stack(norms, 1)


# %%
def training(depth, norm, lr, slope=0.0, steps=80, batch=32, every=10):
    """Test accuracy (seeds, records), and ‖∂L/∂z‖ of each layer before the first step (seeds, depth)."""
    layers, rng = start(depth), torch.Generator().manual_seed(1)
    accuracies, first = [], None
    for k in range(steps + 1):
        chosen = torch.randint(len(x_train), (SEEDS, batch), generator=rng)
        logits, tape = forward(layers, x_train[chosen], norm, slope)
        if k % every == 0:
            answers, _ = forward(layers, x_test.expand(SEEDS, -1, -1), norm, slope, training=False)
            accuracies.append((answers.argmax(-1) == proteins.y_test).float().mean(1))
        slopes = (logits.softmax(-1) - torch.eye(CLASSES)[proteins.y_train[chosen]]) / batch
        grads, norms = backward(layers, tape, slopes, norm, slope)
        first = norms if first is None else first
        for p, g in zip(layers, grads):
            for name in g:
                p[name] -= lr * g[name]
    return torch.stack(accuracies, 1), first


# %% [markdown]
# Eight hidden layers, no normalization, and a learning rate of 1:

# %%
plain, plain_norms = training(depth=8, norm=False, lr=1.0)
print(f"no norm, rate 1: {100 * plain[:, -1].median():.0f} % of the test set right")
print(f"the largest family alone: {100 * (proteins.y_test == 0).float().mean():.0f} %")

# %% [markdown]
# Dead: the networks give one answer to every image. That is your *before*.
#
# ## 1. Forward
#
# Each unit of each network is standardized over the **batch**, and then gets a scale and a shift of its own:
#
# $$s = \sqrt{\tfrac1B\textstyle\sum_b (z_b-\mu)^2 + \varepsilon},\qquad \hat z_b = \frac{z_b-\mu}{s},\qquad y_b = \gamma\,\hat z_b+\beta .$$
#
# The variance has $1/B$ in front, and $\varepsilon$ stands under the root.

# %% nbgrader={"grade_id": "batch_norm", "solution": true}
def batch_norm(z, gamma, beta, eps=EPS):
    """y and z_hat, both (seeds, batch, width), and s, (seeds, 1, width).

    z (seeds, batch, width); gamma and beta (seeds, 1, width).
    """
    ### BEGIN SOLUTION
    centered = z - z.mean(1, keepdim=True)
    s = (centered.square().mean(1, keepdim=True) + eps).sqrt()
    z_hat = centered / s
    return gamma * z_hat + beta, z_hat, s
    ### END SOLUTION


# %% nbgrader={"grade_id": "batch_norm_check", "grade": true, "points": 2}
with exercise("batch_norm") as check:
    z = torch.tensor([[[1.0], [3.0]]])  # one network, two examples, one unit
    y, z_hat, s = batch_norm(z, torch.tensor([[[2.0]]]), torch.tensor([[[5.0]]]), eps=0.0)
    check.close(s, torch.tensor([[[1.0]]]), "s of the batch (1, 3)", hint="the variance has 1/B, not 1/(B − 1)")
    check.close(z_hat, torch.tensor([[[-1.0], [1.0]]]), "z_hat of the batch (1, 3)")
    check.close(y, torch.tensor([[[3.0], [7.0]]]), "y for gamma 2 and beta 5")
    _, _, s = batch_norm(z, torch.ones(1, 1, 1), torch.zeros(1, 1, 1), eps=3.0)
    check.close(s, torch.tensor([[[2.0]]]), "s of the batch (1, 3) with eps 3", hint="eps is added under the root")
### BEGIN HIDDEN TESTS
with exercise("batch_norm, other shapes") as check:
    rng = torch.Generator().manual_seed(2)
    for seeds, batch, width, scale in ((2, 5, 3, 1.0), (1, 9, 4, 0.003), (3, 2, 1, 50.0)):
        z = scale * torch.randn(seeds, batch, width, generator=rng, dtype=torch.float64) + 2 * scale
        gamma, beta = torch.randn(2, seeds, 1, width, generator=rng, dtype=torch.float64)
        y, z_hat, s = batch_norm(z, gamma, beta)
        for k in range(seeds):
            expected = F.batch_norm(z[k], None, None, gamma[k, 0], beta[k, 0], training=True, eps=1e-5)
            check.close(y[k], expected, f"y of network {k}", rtol=1e-7)
            check.close(gamma[k] * z_hat[k] + beta[k], expected, f"gamma z_hat + beta of network {k}", rtol=1e-7)
        check.close(s * z_hat, z - z.mean(1, keepdim=True), "s times z_hat", rtol=1e-6, atol=1e-9)
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Backward
#
# Every example of the batch is in $\mu$ and in $s$, so each output depends on all inputs. Move the inputs by $dz$. Write $\langle\cdot\rangle$ for the mean over the batch and $c_b = z_b - \mu$. Then
#
# $$dc_b = dz_b - \langle dz\rangle, \qquad s\,ds = \langle c\,dc\rangle, \qquad d\hat z_b = \frac{dc_b}{s} - \frac{c_b\,ds}{s^2}.$$
#
# Put them together on paper: $d\hat z$ is a matrix times $dz$, and this matrix is symmetric. So the gradient $g_b = \partial L/\partial\hat z_b$ goes back through the same matrix. What is $g$, when you are given $\partial L/\partial y$? And which axis is summed over for $\gamma$ and $\beta$, of which every network has its own?

# %% nbgrader={"grade_id": "batch_norm_backward", "solution": true}
def batch_norm_backward(dy, z_hat, s, gamma):
    """dL/dz, (seeds, batch, width), and dL/dgamma and dL/dbeta, both (seeds, 1, width).

    dy = dL/dy and z_hat (seeds, batch, width); s and gamma (seeds, 1, width).
    """
    ### BEGIN SOLUTION
    g = gamma * dy
    dz = (g - g.mean(1, keepdim=True) - z_hat * (g * z_hat).mean(1, keepdim=True)) / s
    return dz, (dy * z_hat).sum(1, keepdim=True), dy.sum(1, keepdim=True)
    ### END SOLUTION


# %% [markdown]
# The check compares with autograd, in float64.

# %% nbgrader={"grade_id": "batch_norm_backward_check", "grade": true, "points": 5}
def check_backward(check, seeds, batch, width, hint=None):
    rng = torch.Generator().manual_seed(batch)
    z = 3 * torch.randn(seeds, batch, width, generator=rng, dtype=torch.float64) + 1
    gamma, beta = torch.randn(2, seeds, 1, width, generator=rng, dtype=torch.float64)
    dy = torch.randn(z.shape, generator=rng, dtype=torch.float64) + 0.5
    leaves = [t.clone().requires_grad_() for t in (z, gamma, beta)]
    centered = leaves[0] - leaves[0].mean(1, keepdim=True)
    s = (centered.pow(2).sum(1, keepdim=True) / batch + EPS).sqrt()
    expected = torch.autograd.grad((dy * (leaves[1] * centered / s + leaves[2])).sum(), leaves)
    found = batch_norm_backward(dy, (centered / s).detach(), s.detach(), gamma)
    for name, k in (("gamma", 1), ("beta", 2), ("z", 0)):
        check.close(found[k], expected[k], f"dL/d{name} for a batch of {batch}", rtol=1e-6, hint=hint)


with exercise("batch_norm_backward") as check:
    check_backward(check, seeds=1, batch=4, width=1, hint="mu and s depend on z, too: follow both")
    check_backward(check, seeds=2, batch=5, width=3, hint="keep networks and units apart: only the batch is summed")
### BEGIN HIDDEN TESTS
with exercise("batch_norm_backward, other sizes") as check:
    for seeds, batch, width in ((3, 7, 2), (1, 3, 5), (4, 2, 3), (2, 40, 1)):
        check_backward(check, seeds, batch, width)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. When the batch is gone
#
# In evaluation a single image may come, and its answer must not depend on the others of its batch. So the layer keeps running statistics. In **training** it normalizes by the batch, as above, and afterwards does as PyTorch does:
#
# $$\text{running} \leftarrow 0.9\cdot\text{running} + 0.1\cdot\text{of this batch},$$
#
# for the mean and for the variance; here the variance of the batch is the unbiased one, with $1/(B-1)$. In **evaluation** the two running numbers stand in for $\mu$ and for the variance in $s$, and they do not change. A batch of one in training has no variance: refuse it with a `ValueError`.

# %% nbgrader={"grade_id": "batch_norm_layer", "solution": true}
def batch_norm_layer(z, gamma, beta, running, training):
    """y, z_hat and s, with the shapes of batch_norm; s includes EPS in either mode.

    running: {"mean": (seeds, 1, width), "variance": (seeds, 1, width)}, changed in place by training.
    Raises ValueError for a batch of one while training.
    """
    ### BEGIN SOLUTION
    batch = z.shape[1]
    if not training:
        s = (running["variance"] + EPS).sqrt()
        z_hat = (z - running["mean"]) / s
        return gamma * z_hat + beta, z_hat, s
    if batch < 2:
        raise ValueError("a batch of one has no variance")
    y, z_hat, s = batch_norm(z, gamma, beta)
    variance = (s.square() - EPS) * batch / (batch - 1)
    running["mean"] = 0.9 * running["mean"] + 0.1 * z.mean(1, keepdim=True)
    running["variance"] = 0.9 * running["variance"] + 0.1 * variance
    return y, z_hat, s
    ### END SOLUTION


# %% nbgrader={"grade_id": "batch_norm_layer_check_tools", "locked": true}
# For the check below.
def fresh(seeds, width):
    return {"mean": torch.zeros(seeds, 1, width), "variance": torch.ones(seeds, 1, width)}


def refuses_one(seeds, width):
    z = torch.ones(seeds, 1, width)
    try:
        batch_norm_layer(z, z, z, fresh(seeds, width), training=True)
    except ValueError:
        return True
    return False


# %% nbgrader={"grade_id": "batch_norm_layer_check", "grade": true, "points": 4}
with exercise("batch_norm_layer") as check:
    one, zero, running = torch.ones(1, 1, 1), torch.zeros(1, 1, 1), fresh(1, 1)
    y, _, _ = batch_norm_layer(torch.tensor([[[1.0], [3.0]]]), one, zero, running, training=True)
    check.close(y, torch.tensor([[[-1.0], [1.0]]]), "y in training", hint="by the batch itself", rtol=1e-3)
    check.close(running["mean"], torch.tensor([[[0.2]]]), "the running mean after (1, 3)", hint="0.9 · 0 + 0.1 · 2")
    hint = "0.9 · 1 + 0.1 · 2: the unbiased variance of (1, 3) is 2"
    check.close(running["variance"], torch.tensor([[[1.1]]]), "the running variance after (1, 3)", hint=hint)
    running = {"mean": 5 * one, "variance": 4 * one}
    y, _, s = batch_norm_layer(torch.tensor([[[9.0]]]), 3 * one, one, running, training=False)
    check.close(y, torch.tensor([[[7.0]]]), "y of a batch of one in evaluation", hint="(9 − 5) / 2 · 3 + 1", rtol=1e-3)
    check.close(running["mean"], 5 * one, "the running mean after an evaluation", hint="it does not change then")
    check.true(refuses_one(seeds=1, width=1), "a batch of one in training raises a ValueError")
### BEGIN HIDDEN TESTS
with exercise("batch_norm_layer, beside torch's") as check:
    rng = torch.Generator().manual_seed(4)
    for batch, width in ((2, 3), (6, 2), (33, 5)):
        theirs, running = torch.nn.BatchNorm1d(width), fresh(1, width)
        one, zero = torch.ones(1, 1, width), torch.zeros(1, 1, width)
        for _ in range(5):
            z = 2 * torch.randn(1, batch, width, generator=rng) + 3
            y, z_hat, s = batch_norm_layer(z, one, zero, running, training=True)
            check.close(y[0], theirs(z[0]), "y in training", rtol=2e-3, atol=1e-4)
            check.close((s * z_hat).mean(1), torch.zeros(1, width), "the mean of s z_hat in training", atol=1e-4)
        check.close(running["mean"][0, 0], theirs.running_mean, "the running mean after five batches", rtol=1e-3)
        check.close(running["variance"][0, 0], theirs.running_var, "the running variance after five batches", rtol=1e-3)
        theirs.eval()
        for size in (1, 4):
            z = 5 * torch.randn(1, size, width, generator=rng)
            y, z_hat, s = batch_norm_layer(z, one, zero, running, training=False)
            check.close(y[0], theirs(z[0]), f"y of a batch of {size} in evaluation", rtol=1e-3, atol=1e-4)
        check.close(running["mean"][0, 0], theirs.running_mean, "the running mean after evaluations", rtol=1e-3)
        check.true(refuses_one(seeds=3, width=width), "a batch of one in training raises a ValueError")
        check.close(running["variance"][0, 0], theirs.running_var, "the running variance after evaluations", rtol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# Now the same sixteen networks, the same batches, the same rate of 1. This is your *after*.

# %%
with needs("batch_norm", "batch_norm_backward", "batch_norm_layer"):
    normed, normed_norms = training(depth=8, norm=True, lr=1.0)
    print(f"no norm:    {100 * plain[:, -1].median():.0f} % of the test set right")
    print(f"batch norm: {100 * normed[:, -1].median():.0f} %")

# %% [markdown]
# ## 4. The brake
#
# How do the networks survive such steps? Multiply the weights $w$ of a normalized unit by any $c > 0$: nothing changes behind it. So the gradient has no component along $w$: **it stands at a right angle to the weights.** Predict what one plain step $w \leftarrow w - \eta\,g$ does to the length of $w$, and by how many degrees it turns it.

# %% nbgrader={"grade_id": "brake", "solution": true}
def brake(length, gradient, lr):
    """The length of w after one step, and the angle in degrees between w before and after: two numbers.

    length: ‖w‖ before the step; gradient: ‖g‖; lr: the learning rate.
    """
    ### BEGIN SOLUTION
    return math.hypot(length, lr * gradient), math.degrees(math.atan2(lr * gradient, length))
    ### END SOLUTION


# %% [markdown]
# The check takes a real step of a real unit, behind torch's batch normalization.

# %% nbgrader={"grade_id": "brake_check", "grade": true, "points": 2}
def one_step(seed, scale, lr):
    """‖w‖, ‖g‖, and the measured length and turn of one step of a normalized unit with 20 weights."""
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(64, 20, generator=rng, dtype=torch.float64)
    w = scale * torch.randn(20, generator=rng, dtype=torch.float64)
    probe = torch.randn(64, generator=rng, dtype=torch.float64)
    v = w.clone().requires_grad_()
    z_hat = F.batch_norm((x @ v)[:, None], None, None, training=True, eps=1e-12)[:, 0]
    (g,) = torch.autograd.grad((probe * torch.tanh(z_hat)).mean(), v)
    after = w - lr * g
    turn = math.degrees(math.acos(torch.cosine_similarity(w, after, dim=0)))
    return w.norm().item(), g.norm().item(), after.norm().item(), turn


with exercise("brake") as check:
    length, turn = brake(3.0, 2.0, 2.0)
    check.close(length, 5.0, "the length for w 3 and a step of 4", hint="w and the step are the legs of a right angle")
    check.close(turn, 53.13, "the angle for w 3 and a step of 4", rtol=1e-3, hint="in degrees")
    before, gradient, length, turn = one_step(seed=0, scale=1.0, lr=500.0)
    check.close(brake(before, gradient, 500.0)[0], length, "the length after a real step at the rate 500", rtol=1e-3)
### BEGIN HIDDEN TESTS
with exercise("brake, other steps") as check:
    for seed, scale, lr in ((1, 1.0, 1.0), (2, 0.1, 30.0), (3, 5.0, 1e4), (4, 0.5, 100.0)):
        before, gradient, length, turn = one_step(seed, scale, lr)
        found = brake(before, gradient, lr)
        check.close(found[0], length, f"the length after a step at the rate {lr:g}", rtol=1e-3)
        check.close(found[1], turn, f"the turn of a step at the rate {lr:g}", rtol=1e-2)
### END HIDDEN TESTS

# %% [markdown]
# A step that is far too long leaves long weights behind. In front of a normalization weights twice as long have half the gradient, so the next step turns them by little. The layer brakes itself.
#
# ## 5. Deep: which illness?
#
# Now forty layers with batch normalization, at a tenth of the rate.

# %%
with needs("batch_norm", "batch_norm_backward", "batch_norm_layer"):
    deep, deep_norms = training(depth=40, norm=True, lr=0.1, steps=50)
    print(f"forty layers, batch norm: {100 * deep[:, -1].median():.0f} % of the test set right")

# %% [markdown]
# They do not learn. `training` has kept $\lVert\partial L/\partial z\rVert$ of each layer from before the first step. Write the rule that reads it. For each network, divide the first layer's norm by the last layer's. Take the **median** over the networks, which one mad network does not move:
#
# - above 100: `"growing product"`;
# - below 1/100: `"vanishing product"`;
# - in between: `"level"`. Then the product is healthy, and if a network dies all the same, look at the length of its steps first.

# %% nbgrader={"grade_id": "diagnose", "solution": true}
def diagnose(norms):
    """One of the words "growing product", "vanishing product", "level"; norms (seeds, layers)."""
    ### BEGIN SOLUTION
    ratio = (norms[:, 0] / norms[:, -1]).median()
    if ratio > 100:
        return "growing product"
    return "vanishing product" if ratio < 1 / 100 else "level"
    ### END SOLUTION


# %% nbgrader={"grade_id": "diagnose_check", "grade": true, "points": 2}
with exercise("diagnose") as check:
    example = torch.tensor([[900.0, 30.0, 1.0], [400.0, 20.0, 1.0], [500.0, 22.0, 1.0]])
    check.equal(diagnose(example), "growing product", "the diagnosis for 500, 22, 1")
    hint = "compare layers with each other: the size of the whole gradient says nothing about the product"
    check.equal(diagnose(1000 * example[:, 1:] / 3), "level", "the diagnosis for 7000, 333", hint=hint)
    check.equal(diagnose(example.flip(1)), "vanishing product", "the diagnosis for 1, 22, 500")
### BEGIN HIDDEN TESTS
with exercise("diagnose, other networks") as check:
    rng = torch.Generator().manual_seed(6)
    for layers, per_layer, word in ((40, 1.2, "growing product"), (60, 1.02, "level"), (30, 0.7, "vanishing product")):
        for size in (1e-4, 1.0, 1e6):
            norms = size * per_layer ** -torch.arange(layers) * (0.2 * torch.randn(9, layers, generator=rng)).exp()
            check.equal(diagnose(norms), word, f"the diagnosis for {layers} layers that grow by {per_layer} each")
            norms[0] = norms[0] * torch.logspace(9, 0, layers) if word == "level" else norms[0].median()
            check.equal(diagnose(norms), word, "the diagnosis with one mad network among nine")
### END HIDDEN TESTS

# %%
with needs("diagnose"):
    print(f"eight layers without norm, rate 1: {diagnose(plain_norms)}")
    print(f"forty layers with batch norm:      {diagnose(deep_norms)}")

# %% [markdown]
# Two deaths, two illnesses. Batch normalization has cured the first one and made the second one.
#
# ## 6. Measure the growth
#
# How fast does it grow? For each network, take the natural logarithm of the **squared** norm in the first layer over that in the last, and divide by the number of steps from one layer to the next, one fewer than there are layers. That is one number for each network. Return their mean, and its standard error: their standard deviation (with $n-1$) over $\sqrt n$.

# %% nbgrader={"grade_id": "growth", "solution": true}
def growth(norms):
    """Mean and standard error, two numbers, of the log growth of the squared norm per layer.

    norms (seeds, layers), the first layer in column 0; the gradient travels from the last column to the first.
    """
    ### BEGIN SOLUTION
    per_layer = 2 * (norms[:, 0] / norms[:, -1]).log() / (norms.shape[1] - 1)
    return per_layer.mean(), per_layer.std() / len(norms) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_check", "grade": true, "points": 3}
with exercise("growth") as check:
    example = torch.tensor([[8.0, 4.0, 2.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    mean, error = growth(example)
    check.close(mean, math.log(2), "the mean for doubling in one network and rest in the other", hint="of the square")
    hint = "the two values are ln 4 and 0; four layers are three steps apart"
    check.close(error, math.log(2), "the standard error of these two values", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("growth, other networks") as check:
    rng = torch.Generator().manual_seed(7)
    for seeds, layers in ((16, 20), (5, 2), (9, 41)):
        rates = 0.4 + 0.1 * torch.randn(seeds, generator=rng, dtype=torch.float64)
        size = torch.rand(seeds, 1, generator=rng, dtype=torch.float64) + 0.1
        norms = size * (0.5 * rates[:, None] * torch.arange(layers - 1, -1, -1)).exp()
        mean, error = growth(norms)
        check.close(mean, rates.mean(), f"the mean of {seeds} networks", rtol=1e-5)
        check.close(error, rates.std() / math.sqrt(seeds), f"the standard error of {seeds} networks", rtol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# Measure it on random networks, wide ones and with large batches, as the theory wants them. The first three layers are left out, because random inputs have no mean to lose there, and so are the last three.

# %%
def random_norms(slope, depth=24, batch=96, width=96):
    """‖∂L/∂z‖ in layers 4 to 21 of 16 random networks, for random inputs and a random gradient on top."""
    rng = torch.Generator().manual_seed(3)
    layers = start(depth, inputs=width, width=width)
    _, tape = forward(layers, torch.randn(SEEDS, batch, width, generator=rng), True, slope)
    _, norms = backward(layers, tape, torch.randn(SEEDS, batch, CLASSES, generator=rng), True, slope)
    return norms[:, 3:21]


with needs("batch_norm", "batch_norm_backward", "batch_norm_layer", "growth"):
    mean, error = growth(random_norms(slope=0.0))
    print(f"measured: the squared gradient grows by exp({mean:.3f} ± {error:.3f}) = {math.exp(mean):.3f} in each layer")
    print(f"theory:   π / (π − 1) = {math.pi / (math.pi - 1):.3f} for large batches, {batch_norm_growth(96):.3f} for 96")

# %% [markdown]
# The second number of the theory is an average over networks. A typical network lies a little below its average, and your growth, a mean of logarithms, is that of a typical one.
#
# ## 7. Predict it for any slope
#
# Batch normalization multiplies the squared gradient by $\chi = \mathbb E[\varphi'(u)^2]\,/\operatorname{Var}[\varphi(u)]$ in each layer, with $u$ a standard Gaussian. For the ReLU this is $\pi/(\pi-1)$. Now the leaky ReLU: $\varphi(u) = u$ for $u > 0$ and $a\,u$ for $u < 0$. Derive $\chi(a)$ on paper: half of the Gaussian lies on either side, and $\mathbb E\max(u,0) = 1/\sqrt{2\pi}$. Check yourself at both ends: what must come out for $a = 0$, and what for $a = 1$?

# %% nbgrader={"grade_id": "predicted_growth", "solution": true}
def predicted_growth(a):
    """chi, the factor per layer of the squared gradient, for a leaky ReLU of slope a, 0 ≤ a ≤ 1."""
    ### BEGIN SOLUTION
    square = (1 + a**2) / 2
    return square / (square - (1 - a) ** 2 / (2 * math.pi))
    ### END SOLUTION


# %% nbgrader={"grade_id": "predicted_growth_check", "grade": true, "points": 3}
def measured_growth(a, depth=20, nets=8, n=128):
    """The factor per layer of random networks with torch's batch normalization, batch and width n."""
    rng = torch.Generator().manual_seed(8)
    x, z = torch.randn(n, nets * n, generator=rng), []
    for _ in range(depth):
        W = torch.randn(nets, n, n, generator=rng) / n**0.5
        z.append((x.view(n, nets, n).transpose(0, 1) @ W).transpose(0, 1).reshape(n, -1).requires_grad_())
        x = F.leaky_relu(F.batch_norm(z[-1], None, None, training=True), a)
    first, last = torch.autograd.grad((x * torch.randn(x.shape, generator=rng)).sum(), (z[3], z[-4]))
    return (first.norm() / last.norm()) ** (2 / (depth - 7))


with exercise("predicted_growth") as check:
    check.close(predicted_growth(0.0), math.pi / (math.pi - 1), "the factor of the ReLU", rtol=1e-3)
    hint = "a straight line loses nothing to the mean, because its mean is zero"
    check.close(predicted_growth(1.0), 1.0, "the factor of a straight line", rtol=1e-3, hint=hint)
    hint = "half of the Gaussian has slope a: how much does it add to the mean square, how much to the mean?"
    check.close(predicted_growth(0.3), measured_growth(0.3), "the factor for slope 0.3, measured", rtol=0.03, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("predicted_growth, other slopes") as check:
    u = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
    density = torch.exp(-u.square() / 2) / torch.exp(-u.square() / 2).sum()
    for a in (0.05, 0.2, 0.5, 0.77, 0.95):
        phi, slope = torch.where(u > 0, u, a * u), torch.where(u > 0, 1.0, a).double()
        variance = (density * phi.square()).sum() - (density * phi).sum().square()
        check.close(predicted_growth(a), (density * slope.square()).sum() / variance, f"the factor for slope {a}")
### END HIDDEN TESTS

# %% [markdown]
# ## 8. Work out the treatment
#
# Turn the formula around. You want `depth` layers through which the **norm** of the gradient, not its square, grows by `factor` in all and no more. Which is the smallest slope that does it? Solve for $a$, or search for it: $\chi$ falls from $a = 0$ to $a = 1$. If even the ReLU stays below the factor, the answer is 0.

# %% nbgrader={"grade_id": "slope_for", "solution": true}
def slope_for(depth, factor):
    """The smallest slope a in [0, 1] with predicted_growth(a) ** (depth / 2) ≤ factor; factor ≥ 1."""
    ### BEGIN SOLUTION
    low, high = 0.0, 1.0
    if predicted_growth(low) ** (depth / 2) <= factor:
        return low
    for _ in range(60):
        middle = (low + high) / 2
        if predicted_growth(middle) ** (depth / 2) <= factor:
            high = middle
        else:
            low = middle
    return high
    ### END SOLUTION


# %% nbgrader={"grade_id": "slope_for_check", "grade": true, "points": 2}
with exercise("slope_for") as check:
    hint = "the norm of the ReLU's gradient grows by 1.47 there, which is less than 2"
    check.close(slope_for(2, 2.0), 0.0, "the slope for two layers and a factor of 2", hint=hint)
    hint = "chi is the factor of the squared norm: over all layers the norm grows by chi to the depth/2"
    check.close(slope_for(40, 10.0), 0.3756, "the slope for forty layers and a factor of 10", rtol=5e-3, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("slope_for, other depths") as check:
    for depth in (8, 24, 55, 160):
        for factor in (1.5, 4.0, 30.0):
            a = torch.as_tensor(slope_for(depth, factor), dtype=torch.float64)
            check.between(a, 0.0, 1.0, "the slope")
            grown = -(1 - (1 - a) ** 2 / (math.pi * (1 + a**2))).log() * depth / 2
            if -math.log(1 - 1 / math.pi) * depth / 2 <= math.log(factor):
                check.close(a, 0.0, f"the slope for {depth} layers and a factor of {factor}", atol=1e-3)
            else:
                what = f"the log of the growth for {depth} layers and a factor of {factor}"
                check.close(grown, math.log(factor), what, rtol=0.02)
### END HIDDEN TESTS

# %% [markdown]
# Treat the forty layers: threefold growth in all, instead of thousands. The same seeds, the same rate, batch normalization in every layer as before. Only the slope differs.

# %%
with needs("batch_norm", "batch_norm_backward", "batch_norm_layer", "predicted_growth", "slope_for"):
    a = float(slope_for(40, 3.0))
    treated, treated_norms = training(depth=40, norm=True, lr=0.1, slope=a, steps=50)
    fig, ax = plt.subplots()
    layers = torch.arange(1, 41)
    arms = ("ReLU", deep_norms, 0.0, ILL, "--"), (f"slope {a:.2f}", treated_norms, a, CURED, "-")
    for name, norms, slope, color, line in arms:
        plot_band(ax, layers, norms / norms[:, -1:], color=color, linestyle=line, label=name)
        law = predicted_growth(slope) ** ((40 - layers) / 2)
        ax.plot(layers, law, ":", color=INK, linewidth=1.2, label="predicted" if slope == 0 else None)
    title = "Forty layers with batch norm: less bend, less growth"
    label(ax, title, "layer (the gradient travels to the left)", "‖∂L/∂z‖, last layer = 1", log="y")
    plt.show()

# %% [markdown]
# Both bands end above their predictions, by a factor of two or three. The theory is for wide layers and large batches. In batches of 32 the squared gradient of a ReLU network grows by some 4 % more in each layer, and forty layers make a factor of two of that. Against the thousands that you took away it is little.
#
# ## 9. Before and after, twice
#
# How large is a benefit, and how sure are you of it? Network number 5 of one run has the same starting weights and the same batches as network number 5 of the other run. So compare them in **pairs**: take the sixteen differences of the final accuracies, their mean, and the standard error of that mean.

# %% nbgrader={"grade_id": "benefit", "solution": true}
def benefit(before, after):
    """Mean and standard error, two numbers, of the paired difference after − before in the last record.

    before and after (seeds, records).
    """
    ### BEGIN SOLUTION
    difference = after[:, -1] - before[:, -1]
    return difference.mean(), difference.std() / len(difference) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "benefit_check", "grade": true, "points": 2}
with exercise("benefit") as check:
    before = torch.tensor([[0.9, 0.1], [0.9, 0.5]])
    mean, error = benefit(before, torch.tensor([[0.0, 0.4], [0.0, 0.6]]))
    check.close(mean, 0.2, "the mean of the differences 0.3 and 0.1", hint="the last column, after minus before")
    check.close(error, 0.1, "its standard error", hint="the standard deviation of the differences, over √2")
    for name, pair in (("batch norm at the rate 1", (plain, normed)), ("the slope at forty layers", (deep, treated))):
        mean, error = benefit(*pair)
        check.true(mean > 0.1 and mean > 5 * error, f"{name} helps, by more than five standard errors")
        print(f"{name}: {100 * mean:+.0f} ± {100 * error:.0f} points")
### BEGIN HIDDEN TESTS
with exercise("benefit, other results") as check:
    rng = torch.Generator().manual_seed(10)
    for seeds, records in ((16, 9), (3, 1), (40, 4)):
        before = torch.rand(seeds, records, generator=rng, dtype=torch.float64)
        gain = 0.2 + 0.05 * torch.randn(seeds, generator=rng, dtype=torch.float64)
        after = torch.rand(seeds, records, generator=rng, dtype=torch.float64)
        after[:, -1] = before[:, -1] + gain
        mean, error = benefit(before, after)
        check.close(mean, gain.mean(), f"the mean difference of {seeds} pairs", rtol=1e-5)
        check.close(error, gain.std() / math.sqrt(seeds), f"the standard error of {seeds} pairs", rtol=1e-5)
### END HIDDEN TESTS

# %%
with needs("batch_norm", "batch_norm_backward", "batch_norm_layer", "slope_for"):
    pairs = (plain, "no norm", normed, "batch norm"), (deep, "batch norm, ReLU", treated, f"batch norm, slope {a:.2f}")
    titles = "Eight layers: batch norm cures", "Forty layers: it kills, a slope cures"
    fig, axes = plt.subplots(1, 2, figsize=(8.6, 3.7), sharey=True)
    for ax, title, (before, ill, after, cured) in zip(axes, titles, pairs):
        records = 10 * torch.arange(before.shape[1])
        plot_band(ax, records, 100 * before, color=ILL, linestyle="--", label=ill)
        plot_band(ax, records, 100 * after, color=CURED, label=cured)
        ax.axhline(100 * (proteins.y_test == 0).float().mean(), color=INK, linestyle=":", linewidth=1)
        label(ax, title, "step", "test accuracy, %" if ax is axes[0] else "", ylim=(0, 103))
    plt.show()

# %% [markdown]
# ## 10. In a few sentences
#
# A friend trains a ReLU network of sixty layers with batch normalization. It learns nothing. She has been told that normalized networks cannot explode, so she suspects the initialization and starts again from weights ten times smaller. Then she tries batches of 4 instead of 32. Say in four to seven sentences what each of the two changes does to the gradient of the first layer, why, and what you would change instead.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# Smaller weights change nothing about the growth: each normalization divides the scale out again, so the factor π/(π − 1) per layer for the squared gradient contains no scale, and the first layer's gradient stays about 1.47³⁰ times the last one's, a factor of 100,000 or more. (Ten times shorter weights do not get shorter gradients, so each step even turns them further.) Batches of 4 make it explode faster: the deviation of so few examples fluctuates, the gradient carries its inverse, and the factor per layer rises from about 1.5 to between two and three. It is a Jacobian product that grows, and not a step that is too long, so I would change the factor or the number of factors: fewer layers, an activation closer to a straight line, skip connections, or another normalization. (One point each for: the scale cancels, so the growth stays; smaller batches make it worse, and why; a cure that acts on the product.)
