# %% [markdown]
# # Lab: build your own gradient monitor
#
# A loss curve tells you that a network is ill when it is too late. In this lab you build the instrument that tells you earlier, and tells you *which* illness it is. It hangs on any `nn.Module` by hooks, reads the gradient of every layer at every step, and raises an alarm whose rate of false alarms you know. The figure at the end shows three whole runs as your monitor saw them, layer by layer and step by step, with your alarm marked before the loss goes.
#
# | | |
# |---|---|
# | **Time** | 90 minutes |
# | **You need** | the chapters on the chain rule, initialization and gradient clipping; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from blowup.checks import exercise, needs
from blowup.data import digits
from blowup.figures import CURED, ILL, INK, heading, heat_map, label, style

style()
data = digits()
mean, std = data.x_train.mean(), data.x_train.std()
x_train = ((data.x_train - mean) / std).flatten(1)

# %% [markdown]
# ## The networks to watch
#
# Handwritten digits, and twelve hidden layers of 24 units. A measurement on one network is an anecdote, so each layer holds the weights of many networks, and **every tensor has the networks as its first axis.** Apart from that, this is ordinary torch: modules in an `nn.Sequential`.

# %%
class Stacked(nn.Module):
    """A linear layer of many networks: (networks, batch, n) to (networks, batch, m)."""

    def __init__(self, networks, n, m, gain, rng):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(networks, n, m, generator=rng) * gain / n**0.5)
        self.bias = nn.Parameter(torch.zeros(networks, 1, m))

    def forward(self, x):
        return torch.baddbmm(self.bias, x, self.weight)


def network(gain=1.0, activation=nn.Tanh, networks=16, seed=0, depth=12, width=24, after=nn.Identity):
    """Networks with weights N(0, gain²/n); ``after`` is put behind each layer."""
    rng, layers, n = torch.Generator().manual_seed(seed), [], 64
    for _ in range(depth):
        layers += [Stacked(networks, n, width, gain, rng), activation(), after()]
        n = width
    return nn.Sequential(*layers, Stacked(networks, n, 10, 1.0, rng), after())


# %% [markdown]
# ## 1. A norm that does not overflow
#
# The first thing that breaks in an explosion is the instrument. A norm squares its numbers, and the square of 10²⁰ does not fit into float32, although 10²⁰ does:

# %%
print("float32:", torch.linalg.vector_norm(torch.full((4,), 1e20)).item(), "(the true norm is 2e20)")
print("float64:", torch.linalg.vector_norm(torch.full((4,), 1e200, dtype=torch.float64)).item(), "(2e200)")

# %% [markdown]
# Float64 moves the limit and does not remove it. The cure is to scale *before* squaring: divide by the largest entry $m$, and multiply again at the end,
#
# $$\lVert t\rVert = m\,\Big\lVert \frac{t}{m}\Big\rVert, \qquad m = \max_i |t_i| .$$
#
# A tensor of zeros must give 0, not 0/0. Where an entry is inf or nan, the norm is not finite either: return inf or nan.

# %% nbgrader={"grade_id": "safe_norm", "solution": true}
def safe_norm(t):
    """The norm of each network's part of t, (networks,) in float64.

    t (networks, …) is float16, float32 or float64; the norm is over everything but the first axis.
    """
    ### BEGIN SOLUTION
    t = t.detach().flatten(1).double()
    largest = t.abs().amax(1)
    unit = torch.where((largest > 0) & largest.isfinite(), largest, 1.0)
    return unit * (t / unit[:, None]).square().sum(1).sqrt()
    ### END SOLUTION


# %% nbgrader={"grade_id": "safe_norm_check", "grade": true, "points": 3}
with exercise("safe_norm") as check:
    pair = torch.tensor([[[3.0, 0.0], [0.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    check.close(safe_norm(pair[:1]), [5.0], "the norm of (3, 0, 0, 4)", hint="one number for each network")
    check.close(safe_norm(pair), [5.0, 0.0], "the norms of (3, 0, 0, 4) and of zeros", hint="0/0 is not 0")
    check.close(safe_norm(1e30 * pair), [5e30, 0.0], "the norm of 1e30 · (3, 0, 0, 4)", hint="scale first")
    half = torch.full((1, 2500), 60000.0, dtype=torch.float16)
    check.close(safe_norm(half), [3e6], "the norm of 2500 times 60000 in float16", hint="go to float64 first")
### BEGIN HIDDEN TESTS
with exercise("safe_norm, other sizes") as check:
    rng = torch.Generator().manual_seed(1)
    for shape in ((3, 7), (1, 4, 5), (5, 2, 3, 2)):
        t = torch.randn(shape, generator=rng, dtype=torch.float64)
        true = torch.tensor([math.hypot(*part.flatten().tolist()) for part in t])
        for scale in (1.0, 1e-200, 1e200):
            check.close(safe_norm(scale * t) / scale, true, f"the norms of a tensor of size {scale:g}")
        check.close(safe_norm(1e25 * t.float()) / 1e25, true, "the norms of a large float32 tensor")
    far = torch.tensor([[3e200, 4e200], [3e-200, 4e-200]], dtype=torch.float64)
    check.close(safe_norm(far) / far[:, 0], [5 / 3, 5 / 3], "the norms of two networks of very different size")
    mixed = torch.randn(3, 40, generator=rng)
    mixed[0, 3], mixed[1, 5], small = math.inf, math.nan, safe_norm(mixed[2:])
    check.equal(safe_norm(mixed).isfinite().tolist(), [False, False, True], "which norms are finite numbers")
    check.close(safe_norm(mixed)[2:], small, "the norm of a network whose neighbor is nan")
    many = torch.randn(2, 5000, generator=rng).mul(9000).half()
    check.close(safe_norm(many), many.double().norm(dim=1), "the norms of 5000 float16 numbers")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Vital signs
#
# A norm is one number. Two more say what it hides. The share of entries that are **not finite** tells overflow from mere size, and the share that is **exactly zero** shows dead units and underflow, which no norm shows.

# %% nbgrader={"grade_id": "vital_signs", "solution": true}
def vital_signs(t):
    """For each network: norm, share of entries that are inf or nan, share that is 0; (networks, 3)."""
    ### BEGIN SOLUTION
    flat = t.detach().flatten(1)
    return torch.stack([safe_norm(t), (~flat.isfinite()).double().mean(1), (flat == 0).double().mean(1)], 1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "vital_signs_check", "grade": true, "points": 2}
with exercise("vital_signs") as check:
    signs = vital_signs(torch.tensor([[3.0, 4.0, 0.0, 0.0], [math.inf, math.nan, -math.inf, 0.0]]))
    check.close(signs[0], [5.0, 0.0, 0.5], "the signs of (3, 4, 0, 0)", hint="shares, not counts")
    check.close(signs[1, 1:], [0.75, 0.25], "the shares for (inf, nan, -inf, 0)", hint="nan is not finite, either")
### BEGIN HIDDEN TESTS
with exercise("vital_signs, other tensors") as check:
    rng = torch.Generator().manual_seed(2)
    for shape, bad, zero in (((4, 10, 5), 7, 12), ((2, 100), 0, 33), ((3, 4, 4, 2), 16, 0)):
        flat = (torch.randn(shape, generator=rng).sign() + 0.5).flatten(1)
        flat[:, : bad + zero] = 0.0
        flat[:, :bad] = torch.tensor([math.inf, math.nan, -math.inf] * 20)[:bad]
        t = flat.flatten()[torch.randperm(flat.numel(), generator=rng)].view(shape)
        rows = t.flatten(1).tolist()
        signs, size = vital_signs(t), len(rows[0])
        lost = [sum(not math.isfinite(v) for v in row) / size for row in rows]
        zeros = [sum(v == 0 for v in row) / size for row in rows]
        check.close(signs[:, 1], lost, "the shares that are not finite")
        check.close(signs[:, 2], zeros, "the shares that are zero")
        if not bad:
            check.close(signs[:, 0], safe_norm(t), "the norms")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Hooks
#
# Nobody wants to rewrite a network in order to measure it. A **hook** is a function of yours that torch calls on its way.
#
# - `module.register_forward_hook(f)` calls `f(module, inputs, output)` after each forward pass of the module. It returns a *handle*: `handle.remove()` ends it.
# - `tensor.register_hook(f)` calls `f(gradient)` once the backward pass knows the gradient of the loss with respect to that tensor. If `f` returns a tensor, that *replaces* the gradient. A monitor returns `None`, and changes nothing.
#
# A short demonstration:

# %%
layer = nn.Linear(2, 1)
handle = layer.register_forward_hook(lambda module, inputs, output: print("forward:", tuple(output.shape)))
out = layer(torch.ones(3, 2))
handle.remove()
out.register_hook(lambda gradient: print("backward: a gradient of shape", tuple(gradient.shape)))
layer(torch.ones(3, 2))  # the handle is removed: this prints nothing
out.sum().backward()

# %% [markdown]
# Put the two together: in the forward hook of a layer, hang a tensor hook on its output. What arrives there is $\delta = \partial L/\partial z$ of the layer, the signal that travels down the network. (There is also `register_full_backward_hook`. It refuses to work where a `ReLU(inplace=True)` follows, and yours must not.)
#
# Three traps. A monitor must survive a forward pass under `torch.no_grad()`, where an output has no gradient and takes no hook (`output.requires_grad` says which it is). It must find layers that sit deep inside other modules: `model.named_modules()` goes through all of them. And a function that you define in a loop sees the loop's variables as they are when it is *called*: after the loop. `def hook(module, inputs, output, name=name)` keeps today's name.

# %% nbgrader={"grade_id": "watch", "solution": true}
def watch(model, kind, read):
    """Hang hooks on every module of the class kind inside model; returns (log, handles).

    From then on each backward pass appends read(gradient of the module's output) to log[name], a list; the
    names are those of model.named_modules(), in its order, and are there from the start. handles is a list:
    when all its handles are removed, nothing is logged any more.
    """
    ### BEGIN SOLUTION
    log, handles = {}, []
    for name, module in model.named_modules():
        if isinstance(module, kind):
            log[name] = []

            def hook(module, inputs, output, name=name):
                if output.requires_grad:
                    output.register_hook(lambda gradient: log[name].append(read(gradient)))

            handles.append(module.register_forward_hook(hook))
    return log, handles
    ### END SOLUTION


# %% [markdown]
# The check computes each $\delta$ without hooks, layer after layer, and then asks the same of your log. It also trains a watched network and its unwatched twin, whose weights must stay equal to the last bit.

# %% nbgrader={"grade_id": "watch_check_tools_1", "locked": true}
# For the check below.
def nested(seed):
    """A network with modules inside modules, and activations that work in place."""
    torch.manual_seed(seed)
    inner = nn.Sequential(nn.Linear(6, 5), nn.ReLU(inplace=True), nn.Sequential(nn.Linear(5, 7), nn.Tanh()))
    return nn.Sequential(inner, nn.Linear(7, 4), nn.ReLU(inplace=True), nn.Linear(4, 2)).double()


def without_hooks(model, kind, x):
    """The gradient of the squared output by the output of each module of that class, in order."""
    outputs = []
    for module in (m for m in model.modules() if not list(m.children())):
        x = module(x.clone())
        outputs += [x] if isinstance(module, kind) else []
    return torch.autograd.grad(x.square().sum(), outputs)


# %% nbgrader={"grade_id": "watch_check_tools_2", "locked": true}
# For the check below.
def check_watch(check, model, kind, x, names):
    truth = without_hooks(model, kind, x)
    log, handles = watch(model, kind, torch.clone)
    check.equal(list(log), names, "the list of names in the log", hint="go through model.named_modules()")
    for _ in range(2):
        model(x).square().sum().backward()
    with torch.no_grad():
        model(x)
    for name, expected in zip(names, truth):
        check.equal(len(log[name]), 2, f"the number of readings of {name} after two backward passes")
        check.close(log[name][0], expected, f"the reading of layer {name}", hint="the gradient of its output")
    for handle in handles:
        handle.remove()
    model(x).square().sum().backward()
    check.equal([len(log[name]) for name in names], [2] * len(names), "the readings after the handles are removed")


# %% nbgrader={"grade_id": "watch_check_tools_3", "locked": true}
# For the check below.
def check_twins(check, seed):
    """Three steps of a watched network and of its twin."""
    twins, rng = [nested(seed), nested(seed)], torch.Generator().manual_seed(seed)
    watch(twins[0], nn.Linear, lambda gradient: gradient.abs().sum())
    for _ in range(3):
        x = torch.randn(8, 6, generator=rng, dtype=torch.float64)
        for model in twins:
            model.zero_grad()
            model(x).square().sum().backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= 0.01 * p.grad
    same = all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in twins)))
    check.true(same, "the watched network trains as its twin does", hint="the tensor hook must return None")


# %% nbgrader={"grade_id": "watch_check", "grade": true, "points": 5}
with exercise("watch") as check:
    x = torch.randn(3, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    check_watch(check, nested(0), nn.Linear, x, ["0.0", "0.2.0", "1", "3"])
    check_twins(check, 0)
### BEGIN HIDDEN TESTS
with exercise("watch, other networks") as check:
    rng = torch.Generator().manual_seed(3)
    check_watch(check, nested(3), nn.Tanh, torch.randn(2, 6, generator=rng, dtype=torch.float64), ["0.2.1"])
    check_twins(check, 4)
    conv = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(18, 3)).double()
    image = torch.randn(2, 1, 5, 5, generator=rng, dtype=torch.float64)
    check_watch(check, conv, (nn.Conv2d, nn.Linear), image, ["0", "3"])
    stacked = network(networks=3, depth=4).double()
    x = torch.randn(3, 5, 64, generator=rng, dtype=torch.float64)
    check_watch(check, stacked, Stacked, x, ["0", "3", "6", "9", "12"])
### END HIDDEN TESTS

# %% [markdown]
# Now your monitor goes to work. `train` is a usual loop with `watch` around it and two more readings. One is what most tools log, the norm of the weights' gradients. The other is the **update ratio**, the length of a layer's step divided by the length of its weights. A gradient's own size depends on the units of the loss. The ratio is free of them, and it is what a step does.

# %%
def losses(logits, y):
    """Mean cross-entropy of each network, (networks,)."""
    each = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return each.view(y.shape).mean(1)


# %%
def train(model, lr=0.02, steps=60, seed=0, factor=1.0):
    """What the monitor saw, see chart. lr: a number or a function of the step; factor multiplies the loss."""
    rate = lr if callable(lr) else lambda k: lr
    weights = [m.weight for m in model if isinstance(m, Stacked)]
    log, handles = watch(model, Stacked, vital_signs)
    optimizer, rng = torch.optim.SGD(model.parameters(), momentum=0.9), torch.Generator().manual_seed(seed)
    curve, ratio, total = [], [], []
    for k in range(steps):
        chosen = torch.randint(len(x_train), (len(weights[0]), 32), generator=rng)
        loss = losses(model(x_train[chosen]), data.y_train[chosen])
        optimizer.zero_grad()
        (factor * loss.sum()).backward()
        before, optimizer.param_groups[0]["lr"] = [w.detach().clone() for w in weights], rate(k) / factor
        optimizer.step()
        curve.append(loss.detach())
        total.append(torch.stack([safe_norm(w.grad) for w in weights], 1).square().sum(1).sqrt())
        ratio.append(torch.stack([safe_norm(w.detach() - b) / safe_norm(b) for w, b in zip(weights, before)], 1))
    for handle in handles:
        handle.remove()
    return chart(log, curve, ratio, total)

# %%
def chart(log, curve, ratio, total):
    """The log as tensors: norm, nonfinite, zero, ratio (networks, steps, layers); loss, total (networks, steps).

    total is the norm of the weights' gradients of all layers together.
    """
    signs = torch.stack([torch.stack(readings, 1) for readings in log.values()], 2)  # (networks, steps, layers, 3)
    norm, nonfinite, zero = signs.unbind(-1)
    seen = {"norm": norm, "nonfinite": nonfinite, "zero": zero}
    return seen | {"ratio": torch.stack(ratio, 1), "loss": torch.stack(curve, 1), "total": torch.stack(total, 1)}


# %% [markdown]
# ### Does a norm above 1 mean anything?
#
# Advice lists say: when the gradient norm exceeds 1 (or 10, or 1000), gradients are exploding. Test it. Multiply the loss by 1,024 and divide the learning rate by the same number. Nothing about the training should change, as $1024\cdot\frac{\eta}{1024} = \eta$, and with a power of two not even the rounding does. **What happens to the norms?**

# %%
with needs("safe_norm", "vital_signs", "watch"):
    models = network(), network()
    plain, loud = (train(model, steps=10, factor=factor) for model, factor in zip(models, (1.0, 1024.0)))
    for name, seen in (("loss", plain), ("1024 · loss", loud)):
        total = seen["norm"].square().sum(-1).sqrt()
        print(f"{name:>11}: norm of all δ {total.median():8.3g}, update ratio {seen['ratio'].median():.5f}")
    print("the same weights, bit for bit:", all(map(torch.equal, models[0].parameters(), models[1].parameters())))

# %% [markdown]
# One training, two norms, a thousandfold apart. The level of a norm says nothing by itself. What does say something is how it *changes* from layer to layer, and how far a step goes.

# %% [markdown]
# ## 4. Which gradient do you look at?
#
# "From layer to layer" is still not enough. Most tools log the norm of the *weights'* gradients, $\partial L/\partial W_l$, because these are at hand after `backward()`. Your hooks log the *signal*, $\delta_l = \partial L/\partial z_l$. For one example the two are bound together by
#
# $$\Big\lVert\frac{\partial L}{\partial W_l}\Big\rVert = \lVert a_{l-1}\rVert\,\lVert\delta_l\rVert .$$
#
# Take ReLU layers without biases and weights $N(0, g^2/n)$. Half of the units are on, so a norm is multiplied by $g/\sqrt2$ per layer: the norm of $a$ on the way forward, that of $\delta$ on the way back. **By how much does the logarithm of each norm grow per layer on the way back, from layer $l$ to layer $l-1$?** One of the two answers should worry everybody who logs weight gradients.

# %% nbgrader={"grade_id": "growth_per_layer", "solution": true}
def growth_per_layer(g):
    """(growth of log ‖δ‖, growth of log ‖dL/dW‖) per layer on the way back, for ReLU layers of gain g."""
    ### BEGIN SOLUTION
    return math.log(g / math.sqrt(2)), 0.0
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_per_layer_check", "grade": true, "points": 3}
def measured_growth(g, networks=64):
    """The same two numbers in float64, from your hooks and from the weights' gradients, one example each."""
    model = network(g, nn.ReLU, networks, depth=10, width=64, seed=5).double()
    log, handles = watch(model, Stacked, safe_norm)
    model(x_train[:networks, None].double()).square().sum().backward()
    delta = torch.stack([readings[0] for readings in log.values()], 1)[:, :-1]
    grads = torch.stack([safe_norm(m.weight.grad) for m in model if isinstance(m, Stacked)], 1)[:, :-1]
    return [(norms[:, 0] / norms[:, -1]).log().median() / 9 for norms in (delta, grads)]


def check_growth(check, g):
    for name, mine, seen in zip(("δ", "the weights' gradient"), growth_per_layer(g), measured_growth(g)):
        hint = "on the way back δ gains what a lost: the product of the two"
        what = f"your growth of {name} minus the measured one, at gain {g:g},"
        check.between(mine - seen, -0.1, 0.1, what, hint=hint)


with exercise("growth_per_layer") as check:
    check_growth(check, 2.0)
### BEGIN HIDDEN TESTS
with exercise("growth_per_layer, other gains") as check:
    for gain in (1.0, 3.0, 8.0):
        check_growth(check, gain)
    check.close(growth_per_layer(math.sqrt(2))[0], 0.0, "the growth of δ at He's gain", atol=1e-6)
    check.close(growth_per_layer(5.0)[0] - growth_per_layer(2.5)[0], math.log(2), "the growth of δ, twice the gain")
### END HIDDEN TESTS

# %% [markdown]
# A ReLU network whose signal doubles in every layer shows weight gradients of one size from top to bottom. Watch $\delta$.
#
# ## 5. A growth rate with its error
#
# A Jacobian product that grows is a *rate*: so much per layer. One network with a dozen layers gives a noisy one, and an alarm needs to know how noisy. Take the differences of neighbors on the way back,
#
# $$d_l = \ln\lVert\delta_{l}\rVert - \ln\lVert\delta_{l+1}\rVert .$$
#
# The rate is their mean, and its standard error is $s/\sqrt n$, with $s$ their standard deviation ($n-1$ in the denominator of the variance) and $n$ how many there are. Why not a straight line through the logarithms? Because each layer multiplies what the one above handed down, and so the *logarithms* wander off together, while their *differences* are nearly independent, as $s/\sqrt n$ asks for.
#
# A norm may be 0, inf or nan. A difference that is not finite is left out. With fewer than two left there is no error to state: return nan for both then. (0/0 gives nan by itself, but the mean of a single difference is a number.)

# %% nbgrader={"grade_id": "growth", "solution": true}
def growth(norms):
    """Rate and standard error of log ‖δ‖ per layer on the way back, two tensors (…).

    norms (…, layers) runs from the first layer to the last.
    """
    ### BEGIN SOLUTION
    d = -norms.double().log().diff(dim=-1)
    good = d.isfinite()
    n = good.sum(-1)
    rate = d.where(good, 0.0).sum(-1) / n
    variance = (d - rate[..., None]).where(good, 0.0).square().sum(-1) / (n - 1)
    return rate.where(n > 1, math.nan), (variance / n).sqrt().where(n > 1, math.nan)
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_check", "grade": true, "points": 4}
with exercise("growth") as check:
    rate, error = growth(torch.tensor([8.0, 4.0, 2.0, 1.0]))
    check.close(rate, math.log(2), "the rate of norms 8, 4, 2, 1", hint="positive when the first layer has the largest")
    check.close(error, 0.0, "its error", atol=1e-6, hint="every difference is the same")
    rate, error = growth(torch.tensor([[math.e**3, 1.0, 1.0], [math.inf, 1.0, 0.0]]))
    check.close(rate[0], 1.5, "the rate of norms e³, 1, 1", hint="the mean of 3 and 0")
    check.close(error[0], 1.5, "its error", hint="s is 3/√2 here, with n - 1 = 1, and n is 2")
    check.true(rate[1].isnan() and error[1].isnan(), "a rate from inf, 1, 0 is nan", hint="no difference is finite")
    rate, error = growth(torch.tensor([2.0, 1.0, 0.0]))
    check.true(rate.isnan() and error.isnan(), "a rate from 2, 1, 0 is nan", hint="one finite difference has no error")
### BEGIN HIDDEN TESTS
with exercise("growth, other norms") as check:
    rng = torch.Generator().manual_seed(6)
    for shape in ((13,), (4, 20), (2, 3, 6)):
        steps = torch.randn(shape, generator=rng, dtype=torch.float64) + 0.3
        norms = steps.flip(-1).cumsum(-1).flip(-1).exp()
        rate, error = growth(norms)
        steps = steps[..., :-1]
        check.close(rate, steps.mean(-1), "the rates of random norms")
        check.close(error, steps.std(-1) / steps.shape[-1] ** 0.5, "their errors")
        spoiled = torch.cat([torch.full((*shape[:-1], 2), math.inf), norms, torch.zeros(*shape[:-1], 1)], -1)
        check.close(growth(spoiled)[0], rate, "the rates with inf and 0 at the ends")
        check.close(growth(spoiled)[1], error, "the errors with inf and 0 at the ends")
    check.close(growth(torch.tensor([2.0, 1.0, math.nan, 8.0, 1.0]))[0], 2 * math.log(2), "the rate around a nan")
### END HIDDEN TESTS

# %% [markdown]
# Is the error honest? Ask networks that differ in nothing but their seed: how far do their rates scatter, and what does each of them say of its own error?

# %%
with needs("watch", "growth", "safe_norm", "vital_signs"):
    for gain in (1.0, 3.0):
        first = train(network(gain, networks=64), steps=1)
        rate, error = growth(first["norm"][:, 0, :-1])
        print(f"gain {gain:g}: rate {rate.mean():+.3f}, scatter {rate.std():.3f}, own error {error.mean():.3f}")

# %% [markdown]
# ## 6. An alarm needs a limit
#
# When is a rate too high, or a step too long? No book can tell you: it depends on your network. But healthy runs can. Train some, take from each the *largest* value that the sign reached in the whole run, and set the limit at the $k$-th largest of these $n$ maxima. (Why not the value that one step in a hundred exceeds? A run of 60 steps has 60 chances. Independent ones would set off that alarm in $1 - 0.99^{60}$ = 45 % of all healthy runs.)

# %% nbgrader={"grade_id": "choose_limit", "solution": true}
def choose_limit(healthy, k=1):
    """The k-th largest of the runs' maxima, a number; healthy (runs, steps), k from 1 to the number of runs."""
    ### BEGIN SOLUTION
    return healthy.amax(1).sort(descending=True).values[k - 1].item()
    ### END SOLUTION


# %% nbgrader={"grade_id": "choose_limit_check", "grade": true, "points": 2}
with exercise("choose_limit") as check:
    series = torch.tensor([[1.0, 5.0], [7.0, 6.0], [2.0, 3.0]])
    check.close(choose_limit(series), 7.0, "the limit for maxima 5, 7, 3")
    check.close(choose_limit(series, k=2), 5.0, "the same with k = 2", hint="first the maximum of each run, then rank")
### BEGIN HIDDEN TESTS
with exercise("choose_limit, other runs") as check:
    rng = torch.Generator().manual_seed(7)
    for n, steps in ((5, 30), (40, 7)):
        series = torch.randn(n, steps, generator=rng) - 3
        for k in (1, 3, n):
            limit = choose_limit(series, k)
            above = sum(max(run) > limit for run in series.tolist())
            reached = sum(max(run) >= limit for run in series.tolist())
            check.equal((above, reached), (k - 1, k), f"how many of {n} runs exceed, and reach, the limit for k = {k}")
### END HIDDEN TESTS

# %% [markdown]
# **Now predict how often that alarm is false.** A new healthy run comes along, with a maximum of its own. That makes $n+1$ maxima, drawn alike, and none of them is special: the new one is equally likely to have any rank among them. With which probability does it lie above the $k$-th largest of the others? Note what you need *not* know: the distribution.

# %% nbgrader={"grade_id": "false_alarms", "solution": true}
def false_alarms(n, k):
    """The probability that a new healthy run exceeds the k-th largest of n healthy maxima."""
    ### BEGIN SOLUTION
    return k / (n + 1)
    ### END SOLUTION


# %% nbgrader={"grade_id": "false_alarms_check", "grade": true, "points": 2}
def simulated(n, k, trials=40000):
    """The same by trying, with maxima from a very skew distribution, in a share of all trials."""
    maxima = torch.randn(trials, n + 1, generator=torch.Generator().manual_seed(n)).mul(3).exp()
    limits = maxima[:, :n].sort(1, descending=True).values[:, k - 1]
    return (maxima[:, n] > limits).float().mean()


with exercise("false_alarms") as check:
    hint = "with n = 1 two maxima are drawn alike; which one is the larger?"
    check.close(false_alarms(1, 1), simulated(1, 1), "the false alarms for n = 1, k = 1", rtol=0.03, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("false_alarms, other limits") as check:
    for n, k in ((4, 1), (4, 4), (9, 3), (20, 6)):
        check.close(false_alarms(n, k), simulated(n, k), f"the false alarms for n = {n}, k = {k}", rtol=0.06)
    check.close(false_alarms(99, 1), 0.01, "the false alarms for n = 99, k = 1")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. The alarm
#
# Five words. At each step ask four questions in this order, and stop at the first that is answered yes. The order puts causes before consequences: a growing product makes numbers overflow and steps long, but not the other way round.
#
# 1. **product** (a Jacobian product that grows): `growth - 2 * error` is above `limits["product"]`
# 2. **vanishing**: `-growth - 2 * error` is above `limits["vanishing"]`
# 3. **overflow** (numbers left the float format): `nonfinite` is above 0
# 4. **step** (a step too long): `ratio` is above `limits["step"]`
#
# The two standard errors make sure that a noisy network does not cry wolf. The **first** step at which a question is answered yes decides. This matters more than it looks, and you will see below why. A comparison with nan is false in Python and in torch, which is right here: what is not a number proves nothing.

# %% nbgrader={"grade_id": "alarm", "solution": true}
def alarm(signs, limits):
    """What the monitor says of one run: (word, step), or ("healthy", None).

    signs holds four tensors (steps,): "growth", "error", "nonfinite" and "ratio", the last two the largest
    of all layers. limits holds three numbers: "product", "vanishing" and "step". The word is one of
    "product", "vanishing", "overflow", "step"; the step is an int, the first at which any rule holds.
    """
    ### BEGIN SOLUTION
    margin = 2 * signs["error"]
    rules = {
        "product": signs["growth"] - margin > limits["product"],
        "vanishing": -signs["growth"] - margin > limits["vanishing"],
        "overflow": signs["nonfinite"] > 0,
        "step": signs["ratio"] > limits["step"],
    }
    for k in range(len(signs["growth"])):
        for word, broken in rules.items():
            if broken[k]:
                return word, k
    return "healthy", None
    ### END SOLUTION


# %% nbgrader={"grade_id": "alarm_check_tools", "locked": true}
# For the check below.
def made_up(steps=6, **changes):
    """A healthy chart, changed: made_up(ratio={2: 9.0}) has the ratio 9 at step 2."""
    signs = {"growth": 0.0, "error": 0.1, "nonfinite": 0.0, "ratio": 0.01}
    signs = {name: torch.full((steps,), value, dtype=torch.float64) for name, value in signs.items()}
    for name, values in changes.items():
        for step, value in values.items():
            signs[name][step] = value
    return signs


def heard(signs, limits):
    """What your alarm says; a list is as good as a tuple."""
    said_now = alarm(signs, limits)
    return tuple(said_now) if isinstance(said_now, list) else said_now


# %% nbgrader={"grade_id": "alarm_check", "grade": true, "points": 4}
with exercise("alarm") as check:
    bounds = {"product": 0.2, "vanishing": 0.3, "step": 0.1}
    check.equal(heard(made_up(), bounds), ("healthy", None), "the word for a healthy run", hint="return both")
    check.equal(heard(made_up(ratio={2: 0.5, 4: 0.5}), bounds), ("step", 2), "the word for a ratio of 0.5 at step 2")
    check.equal(heard(made_up(growth={3: 0.5}), bounds), ("product", 3), "the word for a growth of 0.5 ± 0.1")
    check.equal(heard(made_up(growth={3: 0.3}), bounds), ("healthy", None), "the word for a growth of 0.3 ± 0.1")
    both = made_up(ratio={1: 0.5}, growth={2: -9.0})
    check.equal(heard(both, bounds), ("step", 1), "the word for a long step, then vanishing", hint="the first decides")
### BEGIN HIDDEN TESTS
with exercise("alarm, other runs") as check:
    high = {"growth": 5.0, "nonfinite": 0.2, "ratio": 7.0}
    cases = [
        ({"growth": {4: -0.6}}, ("vanishing", 4)),
        ({"growth": {4: -0.45}}, ("healthy", None)),
        ({"nonfinite": {0: 1e-3}}, ("overflow", 0)),
        ({name: {5: value} for name, value in high.items()}, ("product", 5)),
        ({"growth": {3: -4.0}, "nonfinite": {3: 0.5}, "ratio": {3: 2.0}}, ("vanishing", 3)),
        ({"nonfinite": {1: 0.5}, "ratio": {1: math.inf}}, ("overflow", 1)),
        ({"growth": {2: 5.0}, "nonfinite": {1: 0.5}, "ratio": {0: 2.0}}, ("step", 0)),
        ({"growth": {2: math.nan, 4: 1.0}, "error": {2: math.nan}, "ratio": {2: math.nan}}, ("product", 4)),
        ({"growth": {2: 3.0}, "error": {2: 2.0}}, ("healthy", None)),
    ]
    for changes, answer in cases:
        check.equal(heard(made_up(9, **changes), bounds), answer, f"the word for {changes}")
    tight = {"product": -0.5, "vanishing": 1.0, "step": 1.0}
    check.equal(heard(made_up(), tight), ("product", 0), "the word at other limits")
### END HIDDEN TESTS

# %% [markdown]
# ## Five ensembles, five words
#
# First the limits, from 32 healthy runs. The readout has a gain of its own, so the growth is taken over the hidden layers.

# %%
def signs_of(seen):
    """What `alarm` needs, {name: (networks, steps)}, from what `train` returns."""
    rate, error = growth(seen["norm"][..., :-1])
    return {"growth": rate, "error": error, "nonfinite": seen["nonfinite"].amax(-1), "ratio": seen["ratio"].amax(-1)}


def words(seen, limits):
    """[(word, step)] of every network."""
    signs = signs_of(seen)
    return [alarm({name: values[i] for name, values in signs.items()}, limits) for i in range(len(seen["loss"]))]


# %%
with needs("safe_norm", "vital_signs", "watch", "growth", "choose_limit"):
    known = signs_of(train(network(networks=32, seed=1), seed=1))
    rate, margin = known["growth"], 2 * known["error"]
    limits = {
        "product": choose_limit(rate - margin),
        "vanishing": choose_limit(-rate - margin),
        "step": choose_limit(known["ratio"]),
    }
    print(", ".join(f"{name} {float(limit):.3f}" for name, limit in limits.items()))

# %% [markdown]
# Then 32 healthy networks that the limits have never seen, and four ensembles with one mistake each:
#
# | | what was done |
# |---|---|
# | **product** | weights four times too large |
# | **vanishing** | sigmoid in place of tanh |
# | **overflow** | activations and gradients kept in float16, the loss multiplied by 2²² to save small gradients |
# | **step** | a warm-up that does not end: the learning rate grows by 10 % a step |
#
# `Half` rounds to float16 and back, in both directions.

# %%
class Half(nn.Module):
    """Numbers that pass are rounded to float16, and so are the gradients on their way back."""

    def forward(self, x):
        return x.half().float()


def warmup(k):
    """A learning rate that starts low and never stops growing."""
    return 0.005 * 1.1**k


with needs("safe_norm", "vital_signs", "watch", "growth"):
    runs = {
        "healthy": train(network(networks=32, seed=2), seed=2),
        "product": train(network(4.0)),
        "vanishing": train(network(activation=nn.Sigmoid), steps=20),
        "overflow": train(network(after=Half), steps=5, factor=2.0**22),
        "step": train(network(), lr=warmup),
    }

# %% [markdown]
# Count the words.

# %%
with needs("growth", "choose_limit", "alarm", "false_alarms"):
    said = {name: words(seen, limits) for name, seen in runs.items()}
    table = [[sum(word == w for w, _ in said[name]) for word in runs] for name in runs]
    fig, ax = plt.subplots(figsize=(6.4, 3.4))
    heat_map(ax, table, [f"{name} ({len(said[name])})" for name in runs], list(runs))
    label(ax, "Your monitor tells the illnesses apart", "what it said", "what was wrong", legend=False)
    plt.show()
    share = 1 - table[0][0] / 32
    print(f"false alarms: {share:.3f} ± {math.sqrt(share * (1 - share) / 32):.3f}")
    print(f"predicted: {false_alarms(32, 1):.3f} for one limit, at most {3 * false_alarms(32, 1):.3f} for three")

# %% [markdown]
# The diagonal is what you hope for. Compare the share of false alarms with the prediction, and mind its error: 32 runs are few, and the limits themselves come from 32.
#
# ## 8. How much earlier?
#
# The last question is what all this is good for. `gone` says when somebody who looks at the loss alone would have seen that the run is lost: the first step at which the loss is half as high again as that of a guess, or no longer a number. Your alarm has a step, too. **The lead is the difference**, and a mean without its standard error is no measurement.

# %%
def gone(loss):
    """The first step at which each loss (networks, steps) exceeds 1.5 · ln 10 or is not finite; nan if never."""
    lost = ~(loss <= 1.5 * math.log(10))
    return torch.where(lost.any(1), lost.float().argmax(1).double(), math.nan)


# %% nbgrader={"grade_id": "lead", "solution": true}
def lead(alarms, losses):
    """Mean of losses - alarms, and its standard error: two numbers.

    Both are (networks,), steps as float64, nan where there was none. Only networks that have both count.
    """
    ### BEGIN SOLUTION
    ahead = losses - alarms
    ahead = ahead[ahead.isfinite()]
    return ahead.mean(), ahead.std() / len(ahead) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "lead_check", "grade": true, "points": 2}
with exercise("lead") as check:
    nan = math.nan
    alarms, lost = (torch.tensor(v, dtype=torch.float64) for v in ([3, 5, nan, 9], [10, 14, 20, nan]))
    average, error = lead(alarms, lost)
    check.close(average, 8.0, "the mean lead of 7 and 9", hint="leave out networks with a nan")
    check.close(error, 1.0, "its standard error", hint="s is √2 here, with n - 1 = 1, and n is 2")
    ramp = torch.tensor([nan if k is None else k for _, k in said["step"]], dtype=torch.float64)
    average, error = lead(ramp, gone(runs["step"]["loss"]))
    check.true(average > 3 * error + 1, "your alarm comes before the loss goes, by more than three standard errors")
    print(f"your alarm is {average:.1f} ± {error:.1f} steps ahead of the loss")
### BEGIN HIDDEN TESTS
with exercise("lead, other runs") as check:
    rng = torch.Generator().manual_seed(8)
    for n in (3, 50):
        early = torch.randint(20, (n,), generator=rng).double()
        ahead = torch.randint(-3, 40, (n,), generator=rng).double()
        late = torch.cat([early + ahead, torch.tensor([nan, 5.0, nan])])
        average, error = lead(torch.cat([early, torch.tensor([2.0, nan, nan])]), late)
        check.close(average, ahead.mean(), f"the mean lead of {n} networks")
        check.close(error, ahead.std() / n**0.5, "its standard error")
### END HIDDEN TESTS

# %% [markdown]
# ## Three runs as your monitor saw them
#
# Above, the norm of δ in every layer at every step; the color is its power of ten. Below, the loss of the same network. The vertical line is your alarm.

# %%
def draw_run(upper, lower, seen, i, name, told):
    """The whole run of network i: norms over layers and steps, its loss, and the alarm."""
    word, k = told[i]
    power = seen["norm"][i, :, :-1].clamp(1e-6, 1e6).log10().T
    where = {"origin": "lower", "aspect": "auto", "extent": (-0.5, 59.5, 0.5, 12.5)}
    image = upper.imshow(power, cmap="magma", vmin=-3, vmax=1.5, **where)
    label(upper, name + ("" if k is None else f": “{word}”, step {k}"), "", "hidden layer", legend=False)
    upper.grid(False)
    lower.plot(seen["loss"][i], color=CURED if k is None else ILL, label="loss")
    lower.axhline(math.log(10), color=INK, linestyle=":", linewidth=1, label="a guess")
    label(lower, "", "step", "training loss", log="y", legend=False, xlim=(-2, 59.5), ylim=(0.5, 60))
    for ax in (upper, lower) if k is not None else ():
        ax.axvline(k, color="white" if ax is upper else INK, linestyle="--", linewidth=1.8, label="your alarm")
    return image


# %%
with needs("growth", "choose_limit", "alarm"):
    fig, axes = plt.subplots(2, 3, figsize=(10.2, 5.2), sharex="col", sharey="row", height_ratios=(3, 2))
    for k, (name, title) in enumerate((("healthy", "Healthy"), ("product", "Too large"), ("step", "Too fast"))):
        image = draw_run(*axes[:, k], runs[name], 0, title, said[name])
    axes[1, 1].legend(fontsize=9, loc="upper right")
    for ax in axes[:, 1:].flat:
        ax.set_ylabel("")
    fig.colorbar(image, ax=axes[0], label="log₁₀ ‖δ‖")
    heading(fig, "The alarm rings while the loss still looks harmless")
    plt.show()

# %%
with needs("growth", "choose_limit", "alarm"):
    for name in ("healthy", "product", "step"):
        seen = runs[name]
        first, last = (seen["norm"][:, k, 0].median() for k in (0, -1))
        zero, lost = 100 * seen["zero"][:, -1, :-1].mean(), (~seen["loss"].isfinite()).any(1).sum()
        print(f"{name:>8}: ‖δ‖ of layer 1 at first {first:.2g}, at last {last:.2g}, ", end="")
        print(f"{zero:.0f} % of δ exactly zero at last; {lost} losses that became inf or nan")

# %% [markdown]
# Look at the right ends of the two sick runs. Both have gone dark, at least in the first layers: the long steps drove the units into saturation, where slopes are tiny or exactly zero, and *now* the gradients vanish. Somebody who begins to measure when the loss has gone would call both of them "vanishing", and treat them for it. That is why the first alarm decides.
#
# ## 9. In a few sentences
#
# A colleague has written this monitor: "stop the run if the total norm of the weights' gradients exceeds 1, or if the loss is nan". Try it on your runs.

# %%
with needs("safe_norm", "vital_signs", "watch"):
    for name in ("healthy", "product", "step"):
        over, lost = runs[name]["total"] > 1, runs[name]["loss"].isnan().any(1)
        rings = over.any(1)
        first = over.float().argmax(1)[rings].median()
        print(f"{name:>8}: norm above 1 in {rings.sum()} of {len(rings)} runs, ", end="")
        print(f"in the median first at step {first:.0f}; {lost.sum()} losses that became nan")

# %% [markdown]
# Say in four to eight sentences which of your measurements speak against each half of it, what it would have said of the product network and of the warm-up, and what you would log instead, with which limit.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# A norm of 1 means nothing by itself: with the loss multiplied by 1,024 the same training, bit for bit, had norms a thousand times larger, so the first half rings or not according to the units of the loss. On my runs it stopped the product network at step 0 and the warm-up after a few steps, but all 32 healthy networks, too, half of them by step 7. A total of the weights' gradients also hides the profile over the layers, which in a ReLU network is flat whatever its gain, while δ doubles from layer to layer. The second half comes too late or never. The tanh networks with weights four times too large have a loss near that of a guess at the start and never a nan, and the growth of δ gave them away at step 0. In the warm-up the update ratio passed its limit many steps before the loss went, and nothing became nan at all. I would log the norm of δ for each layer, the share of entries that are not finite, and the update ratio, take growth per layer with its standard error, and set each limit at the largest value that n healthy runs of my own network reached; each limit then rings falsely in one healthy run out of n + 1. (One point each for: the level of a norm depends on units, or hides the profile, or stops healthy runs; nan comes late or not at all, with a measurement; a quantity free of units and a limit from healthy runs with its false-alarm rate.)
