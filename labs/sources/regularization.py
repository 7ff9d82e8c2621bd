# %% [markdown]
# # Lab: regularization
#
# Sixteen networks learn well, and then most of them are lost, one after the other. You write the optimizers with their decay, predict how fast a decay works, find out what grows before the fall, and prevent the fall, or at least keep what was learned before it. The figure at the end compares the three runs.
#
# | | |
# |---|---|
# | **Time** | 90 minutes |
# | **You need** | the chapter on regularization; torch and the book's package, which the next cell fetches where it is missing |
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
from blowup.networks import MLP
from blowup.training import losses

style()
SEEDS = 16

# %% [markdown]
# ## 1. The lost factor
#
# A paper adds the penalty $c\sum W^2$ to its loss. You train with PyTorch, whose optimizers take a `weight_decay` and add `weight_decay * W` to the gradient. Which number do you give?

# %% nbgrader={"grade_id": "weight_decay_for", "solution": true}
def weight_decay_for(c):
    """PyTorch's weight_decay for the penalty c · ΣW² in the loss."""
    ### BEGIN SOLUTION
    return 2 * c
    ### END SOLUTION


# %% nbgrader={"grade_id": "weight_decay_for_check", "grade": true, "points": 1}
def pull(c):
    """By how much the gradient of the penalty pulls at a weight of 1."""
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(c * w.square().sum(), w)[0].item()


with exercise("weight_decay_for") as check:
    check.close(weight_decay_for(0.5), pull(0.5), "the weight_decay for c = 0.5", hint="differentiate c w² by w")
### BEGIN HIDDEN TESTS
with exercise("weight_decay_for, other numbers") as check:
    for c in (1e-4, 0.03, 2.0):
        check.close(weight_decay_for(c), pull(c), f"the weight_decay for c = {c}")
### END HIDDEN TESTS

# %% [markdown]
# From here on $\lambda$ is PyTorch's number.
#
# ## 2. SGD with momentum and decay
#
# In `torch.optim.SGD` the decay is part of the gradient, so it goes through the velocity as well:
#
# $$g \leftarrow g + \lambda w,\qquad v\leftarrow\beta v+g,\qquad w\leftarrow w-\eta v .$$
#
# Write it for dictionaries of tensors and change them in place. You will train with it.

# %% nbgrader={"grade_id": "sgd_step", "solution": true}
def sgd_step(params, velocity, grads, lr, beta, lam):
    """One step, which changes the tensors of params and velocity in place and leaves grads as they are.

    params, velocity, grads: {name: tensor}.
    """
    ### BEGIN SOLUTION
    for name, w in params.items():
        velocity[name].mul_(beta).add_(grads[name] + lam * w)
        w.sub_(lr * velocity[name])
    ### END SOLUTION


# %% nbgrader={"grade_id": "sgd_step_check_tools", "locked": true}
# For the check below.
def sgd_path(start, gradients, lr, beta, lam):
    """The weights after your steps and after torch's."""
    w = start.clone()  # the tensor itself must change, not only the dictionary
    ours, velocity = {"w": w}, {"w": torch.zeros_like(start)}
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.SGD([theirs], lr=lr, momentum=beta, weight_decay=lam)
    for g in gradients:
        sgd_step(ours, velocity, {"w": g.clone()}, lr, beta, lam)
        theirs.grad = g.clone()
        optimizer.step()
    return w, theirs


# %% nbgrader={"grade_id": "sgd_step_check", "grade": true, "points": 3}
with exercise("sgd_step") as check:
    one, zero = torch.ones(1), torch.zeros(1)
    ours, _ = sgd_path(one, [zero], lr=0.1, beta=0.9, lam=0.5)
    hint = "1 − 0.1 · 0.5, in place: w -= …, and not w = w - …"
    check.close(ours, [0.95], "a weight of 1 after one step without gradient", hint=hint)
    ours, _ = sgd_path(one, [zero, zero], lr=0.1, beta=0.9, lam=0.5)
    hint = "the second velocity is 0.9 · 0.5 + 0.5 · 0.95: the decay goes through it"
    check.close(ours, [0.8575], "a weight of 1 after two steps without gradient", hint=hint)
    ours, _ = sgd_path(one, [2 * one], lr=0.1, beta=0.9, lam=0.5)
    check.close(ours, [0.75], "a weight of 1 after one step with gradient 2")
### BEGIN HIDDEN TESTS
with exercise("sgd_step, in longer runs") as check:
    rng = torch.Generator().manual_seed(1)
    for beta, lam, steps in ((0.9, 0.05, 20), (0.0, 0.3, 5), (0.5, 0.0, 10)):
        start = torch.randn(3, 4, generator=rng, dtype=torch.float64)
        gradients = torch.randn(steps, 3, 4, generator=rng, dtype=torch.float64)
        ours, theirs = sgd_path(start, gradients, 0.2, beta, lam)
        check.close(ours, theirs, f"the weights after {steps} steps", rtol=1e-6)
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Adam, with either decay
#
# Adam keeps a running mean $m$ of the gradients and a running mean $v$ of their squares, both from 0, and in step $t = 1, 2, \dots$ it does
#
# $$m\leftarrow 0.9\,m+0.1\,g,\qquad v\leftarrow 0.999\,v+0.001\,g^2,\qquad w\leftarrow w-\eta\,\frac{m/(1-0.9^t)}{\sqrt{v/(1-0.999^t)}+10^{-8}} .$$
#
# With **L2** the gradient that enters is $g+\lambda w$, so the decay is divided by the root as well. **Decoupled** (AdamW), $g$ stays the gradient of the loss, and $w$ is multiplied by $1-\eta\lambda$ before the step.

# %% nbgrader={"grade_id": "adam_step", "solution": true}
def adam_step(w, state, g, lr, lam, decoupled):
    """One step of the tensor w, in place.

    state: {"m": tensor like w, "v": tensor like w, "t": steps taken so far, an int}, brought up to date.
    """
    ### BEGIN SOLUTION
    state["t"] += 1
    if decoupled:
        w.mul_(1 - lr * lam)
    else:
        g = g + lam * w
    state["m"] = 0.9 * state["m"] + 0.1 * g
    state["v"] = 0.999 * state["v"] + 0.001 * g.square()
    m, v = state["m"] / (1 - 0.9 ** state["t"]), state["v"] / (1 - 0.999 ** state["t"])
    w.sub_(lr * m / (v.sqrt() + 1e-8))
    ### END SOLUTION


# %% nbgrader={"grade_id": "adam_step_check_tools", "locked": true}
# For the check below.
def fresh(w):
    return {"m": torch.zeros_like(w), "v": torch.zeros_like(w), "t": 0}


def adam_path(start, gradients, lr, lam, decoupled):
    """The weights after your steps and after those of torch's Adam or AdamW."""
    ours, state = start.clone(), fresh(start)
    theirs = start.clone().requires_grad_()
    kind = torch.optim.AdamW if decoupled else torch.optim.Adam
    optimizer = kind([theirs], lr=lr, weight_decay=lam)
    for g in gradients:
        adam_step(ours, state, g.clone(), lr, lam, decoupled)
        theirs.grad = g.clone()
        optimizer.step()
    return ours, theirs


# %% nbgrader={"grade_id": "adam_step_check", "grade": true, "points": 5}
with exercise("adam_step") as check:
    one = torch.ones(1, dtype=torch.float64)
    ours, _ = adam_path(one, [5 * one], lr=0.1, lam=0.0, decoupled=False)
    hint = "the first step is lr · sign(g): divide m by 1 − 0.9 and v by 1 − 0.999"
    check.close(ours, 0.9 * one, "a weight of 1 after one step with gradient 5", hint=hint)
    ours, _ = adam_path(one, [0 * one], lr=0.1, lam=0.3, decoupled=True)
    check.close(ours, 0.97 * one, "a weight of 1 after one decoupled step without gradient", hint="1 − lr · lam")
    ours, _ = adam_path(one, [0 * one], lr=0.1, lam=0.3, decoupled=False)
    check.close(ours, 0.9 * one, "a weight of 1 after one L2 step without gradient", hint="lam is divided out")
### BEGIN HIDDEN TESTS
with exercise("adam_step, in longer runs") as check:
    rng = torch.Generator().manual_seed(2)
    for size, lam in ((1.0, 0.5), (1e-7, 0.2), (30.0, 2.0)):
        for decoupled in (False, True):
            start = torch.randn(2, 5, generator=rng, dtype=torch.float64)
            gradients = size * torch.randn(25, 2, 5, generator=rng, dtype=torch.float64)
            ours, theirs = adam_path(start, gradients, 0.01, lam, decoupled)
            check.close(ours, theirs, f"the weights after 25 steps, decoupled {decoupled}", rtol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# Two weights, both 1. The gradients of both are noise around zero, but for the first it is a hundred times larger. In 16 runs: how much of each is left after 300 steps with the same $\lambda$?

# %%
with needs("adam_step"):
    for decoupled in (False, True):
        rng = torch.Generator().manual_seed(0)
        w = torch.ones(SEEDS, 2)
        state = {"m": torch.zeros_like(w), "v": torch.zeros_like(w), "t": 0}
        for _ in range(300):
            noise = torch.randn(SEEDS, 2, generator=rng) * torch.tensor([10.0, 0.1])
            adam_step(w, state, noise, lr=0.01, lam=0.1, decoupled=decoupled)
        large, small = w.mean(0).tolist()
        print(f"{'decoupled' if decoupled else 'L2':9}: large gradients {large:+.2f}, small gradients {small:+.2f}")
    print(f"(1 − ηλ)³⁰⁰ = {(1 - 0.01 * 0.1) ** 300:.2f}")

# %% [markdown]
# Decoupled decay takes the same share from both. L2 is divided by the size of the gradients: it hardly touches the weight with the large ones, and the other is gone. For plain SGD there is no such difference, and we stay with SGD from here.
#
# ## 4. The clock of a decay
#
# **After how many steps has the decay alone halved the weights?** With momentum the pull $\lambda w$ adds up in the velocity to $\lambda w/(1-\beta)$. Give the number of steps, not rounded, for a slow decay: $\eta\lambda$ small beside $(1-\beta)^2$.

# %% nbgrader={"grade_id": "half_life", "solution": true}
def half_life(lr, beta, lam):
    """Steps of SGD with momentum until weights without a gradient are half as long."""
    ### BEGIN SOLUTION
    return (1 - beta) * math.log(2) / (lr * lam)
    ### END SOLUTION


# %% nbgrader={"grade_id": "half_life_check", "grade": true, "points": 2}
def measured_half_life(lr, beta, lam):
    """The same by counting, without gradients; the steps in which the velocity settles are left out."""
    w, v, passed = 1.0, lam / (1 - beta), 0
    while w > 0.5:
        v = beta * v + lam * w
        w, passed = w - lr * v, passed + 1
    return passed


with exercise("half_life") as check:
    found = half_life(0.1, 0.0, 0.01)
    check.close(found, measured_half_life(0.1, 0.0, 0.01), "the steps without momentum", rtol=0.03, hint="½ = e^(−ηλt)")
### BEGIN HIDDEN TESTS
with exercise("half_life, with momentum") as check:
    for lr, beta, lam in ((0.05, 0.9, 0.002), (0.1, 0.9, 0.001), (0.02, 0.5, 0.02), (0.3, 0.99, 1e-6)):
        expected = measured_half_life(lr, beta, lam)
        check.close(half_life(lr, beta, lam), expected, f"the steps at lr {lr}, beta {beta}, lam {lam}", rtol=0.05)
### END HIDDEN TESTS

# %% [markdown]
# ## 5. Where smaller weights do not mean calmer steps
#
# In front of a normalization, the loss does not see the length of $w$. The gradient is then perpendicular to $w$, and its norm is $G/\lVert w\rVert$: short weights have *large* gradients. Take plain SGD without momentum and a constant $G$. By Pythagoras
#
# $$\lVert w'\rVert^2 = (1-\eta\lambda)^2\lVert w\rVert^2+\frac{\eta^2G^2}{\lVert w\rVert^2}.$$
#
# **At which length do decay and gradient balance, and by how many degrees does each step turn $w$ there?** Small $\eta\lambda$ may be assumed.

# %% nbgrader={"grade_id": "balance", "solution": true}
def balance(lr, lam, G):
    """The length of w in the balance, and the turn per step in degrees: two numbers."""
    ### BEGIN SOLUTION
    length = (lr**2 * G**2 / (1 - (1 - lr * lam) ** 2)) ** 0.25
    return length, math.degrees(math.acos(1 - lr * lam))
    ### END SOLUTION


# %% nbgrader={"grade_id": "balance_check", "grade": true, "points": 3}
def run_to_balance(lr, lam, G, steps=4000):
    """The length and the turn after many steps with random gradients perpendicular to w, in 30 dimensions."""
    rng = torch.Generator().manual_seed(5)
    w = torch.randn(30, generator=rng, dtype=torch.float64)
    for push in torch.randn(steps, 30, generator=rng, dtype=torch.float64):
        push = push - (push @ w) / (w @ w) * w
        old, w = w, (1 - lr * lam) * w - lr * G / w.norm() * push / push.norm()
    return w.norm(), math.degrees(math.acos(torch.cosine_similarity(old, w, dim=0)))


with exercise("balance") as check:
    length, turn = run_to_balance(0.1, 0.02, 3.0)
    found = balance(0.1, 0.02, 3.0)
    hint = "set w' = w, and solve for w⁴"
    check.close(found[0], length, "the length for lr 0.1, lam 0.02, G 3", rtol=0.01, hint=hint)
    hint = "the shrunken w and the step are the legs of a right angle, the new w the hypotenuse"
    check.close(found[1], turn, "the turn in degrees for lr 0.1, lam 0.02", rtol=0.01, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("balance, other settings") as check:
    for lr, lam, G in ((0.5, 0.01, 1.0), (0.02, 0.3, 7.0), (1.0, 0.003, 0.2)):
        length, turn = run_to_balance(lr, lam, G)
        found = balance(lr, lam, G)
        check.close(found[0], length, f"the length for lr {lr}, lam {lam}, G {G}", rtol=0.01)
        check.close(found[1], turn, f"the turn in degrees for lr {lr}, lam {lam}", rtol=0.01)
### END HIDDEN TESTS

# %% [markdown]
# $G$ has dropped out of the turn: under a normalization, rate and decay together set one angle. The networks that you train now have **no** normalization, and there the length of the weights matters.
#
# ## 6. Lost
#
# The data are the proteins, standardized; the network has to name the family, one of ten. A sixth of the training images is held out: nobody trains on them, and you will need them. Every tensor has the networks (seeds) as its first axis.

# %%
proteins = load("proteins")
mean, sd = proteins.x_train.mean(), proteins.x_train.std()
x, x_test = (((images - mean) / sd).flatten(1) for images in (proteins.x_train, proteins.x_test))
held = torch.arange(len(x)) % 6 == 0
x_train, y_train, x_held, y_held = x[~held], proteins.y_train[~held], x[held], proteins.y_train[held]
network = MLP(400, 10, depth=5, width=32, activation="relu", gain=2**0.5)


def accuracy(params, x, y):
    """The share of right answers of each network, (seeds,)."""
    with torch.no_grad():
        return (network(params, x.expand(SEEDS, -1, -1)).argmax(-1) == y).float().mean(1)


# %%
def training(lam, lr=0.05, beta=0.9, steps=240, batch=32):
    """The weights every ten steps: a list of dictionaries {name: tensor (seeds, …)}."""
    params = {name: p.requires_grad_() for name, p in network.init(SEEDS).items()}
    velocity = {name: torch.zeros_like(p) for name, p in params.items()}
    rng, album = torch.Generator().manual_seed(1), []
    for k in range(steps + 1):
        if k % 10 == 0:
            album.append({name: p.detach().clone() for name, p in params.items()})
        chosen = torch.randint(len(x_train), (SEEDS, batch), generator=rng)
        loss = losses(network(params, x_train[chosen]), y_train[chosen]).sum()
        grads = dict(zip(params, torch.autograd.grad(loss, list(params.values()))))
        with torch.no_grad():
            sgd_step(params, velocity, grads, lr, beta, lam)
    return album


# %%
with needs("sgd_step"):
    free, decayed = training(lam=0.0), training(lam=0.02)
    curves = {name: torch.stack([accuracy(p, x_test, proteins.y_test) for p in album], 1)
              for name, album in (("no decay", free), ("decay 0.02", decayed))}  # fmt: skip
    print({name: f"median at the end {100 * values[:, -1].median():.0f} %" for name, values in curves.items()})

# %% [markdown]
# What became of each network? Write the rule that reads one learning curve:
#
# - `"working"`: the last record is at least one half;
# - `"late explosion"`: it is not, but some record before it was;
# - `"never learned"`: no record was.

# %% nbgrader={"grade_id": "diagnose", "solution": true}
def diagnose(accuracies):
    """One of the words "working", "late explosion", "never learned"; accuracies (records,) of one network."""
    ### BEGIN SOLUTION
    if accuracies[-1] >= 0.5:
        return "working"
    return "late explosion" if accuracies.max() >= 0.5 else "never learned"
    ### END SOLUTION


# %% nbgrader={"grade_id": "diagnose_check", "grade": true, "points": 2}
with exercise("diagnose") as check:
    check.equal(diagnose(torch.tensor([0.1, 0.8, 0.17])), "late explosion", "the diagnosis for 0.1, 0.8, 0.17")
    check.equal(diagnose(torch.tensor([0.1, 0.3, 0.2])), "never learned", "the diagnosis for 0.1, 0.3, 0.2")
    hint = "a dip on the way is no death"
    dip = torch.tensor([0.1, 0.8, 0.4, 0.9])
    check.equal(diagnose(dip), "working", "the diagnosis for 0.1, 0.8, 0.4, 0.9", hint=hint)
    working = {name: sum(diagnose(v) == "working" for v in values) for name, values in curves.items()}
    check.true(working["decay 0.02"] >= working["no decay"] + 6, "with decay at least six more networks are working")
### BEGIN HIDDEN TESTS
with exercise("diagnose, other curves") as check:
    rng = torch.Generator().manual_seed(6)
    for records in (4, 9, 31):
        low = 0.45 * torch.rand(records, generator=rng)
        check.equal(diagnose(low), "never learned", "the diagnosis of a curve that stays low")
        peak, end = low.clone(), low.clone()
        peak[int(torch.randint(1, records - 1, (1,), generator=rng))] = 0.55
        end[-1] = 0.55
        check.equal(diagnose(peak), "late explosion", "the diagnosis of a curve with one high record inside")
        check.equal(diagnose(end), "working", "the diagnosis of a curve that ends high")
### END HIDDEN TESTS

# %%
with needs("sgd_step", "diagnose"):
    for name, values in curves.items():
        words = [diagnose(v) for v in values]
        print(f"{name:10}:", ", ".join(f"{words.count(word)} {word}" for word in sorted(set(words))))

# %% [markdown]
# ## 7. What grows before the fall?
#
# The rate is the same at step 1 and at step 200; the weights are not. How much a matrix can stretch a vector at most is its **spectral norm** $\lVert W\rVert$, its largest singular value. The product over all layers bounds how much the network can stretch a difference on its way forward, or a gradient on its way back (the slopes of a ReLU are at most 1).
#
# Find it by **power iteration**: take any vector $u$, and repeat $v = uW^\top$, $u = vW$, each time scaled to length 1. Then $\lVert uW^\top\rVert$ approaches the norm. `A.mT` transposes the last two axes, and a vector for each network is a tensor (seeds, 1, columns).

# %% nbgrader={"grade_id": "spectral_norm", "solution": true}
def spectral_norm(W, rounds=60):
    """The largest singular value of each network's matrix, (seeds,); W (seeds, rows, columns)."""
    ### BEGIN SOLUTION
    u = torch.randn(len(W), 1, W.shape[2], generator=torch.Generator().manual_seed(0)).to(W.dtype)
    for _ in range(rounds):
        v = torch.nn.functional.normalize(u @ W.mT, dim=-1)
        u = torch.nn.functional.normalize(v @ W, dim=-1)
    return (u @ W.mT).norm(dim=(1, 2))
    ### END SOLUTION


# %% nbgrader={"grade_id": "spectral_norm_check", "grade": true, "points": 3}
with exercise("spectral_norm") as check:
    check.close(spectral_norm(torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])), [3.0], "the norm of diag(3, 1)", rtol=1e-3)
    pair = torch.tensor([[[0.0, 2.0], [0.0, 0.0]], [[0.5, 0.0], [0.0, 0.1]]])
    hint = "one number for each network; the square root of the squares of all entries is another norm"
    check.close(spectral_norm(pair), [2.0, 0.5], "the norms of two networks", rtol=1e-3, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("spectral_norm, other shapes") as check:
    rng = torch.Generator().manual_seed(7)
    for seeds, rows, columns, size in ((3, 6, 4, 1.0), (1, 3, 9, 20.0), (5, 8, 8, 0.01)):
        left = torch.linalg.qr(torch.randn(seeds, rows, 3, generator=rng, dtype=torch.float64))[0]
        right = torch.linalg.qr(torch.randn(seeds, columns, 3, generator=rng, dtype=torch.float64))[0]
        top = size * (1 + torch.rand(seeds, generator=rng, dtype=torch.float64))
        values = top[:, None] * torch.tensor([1.0, 0.8, 0.5], dtype=torch.float64)
        W = left * values[:, None] @ right.mT
        check.close(spectral_norm(W), top, f"the norms of {rows} by {columns} matrices", rtol=2e-3)
### END HIDDEN TESTS

# %%
def log_stretch(album):
    """log₁₀ of the product of the spectral norms of all layers, (seeds, records); at most 20."""
    records = []
    for params in album:
        matrices = [p.nan_to_num(1e6, 1e6, -1e6).clamp(-1e6, 1e6) for name, p in params.items() if name.endswith("W")]
        records.append(sum(spectral_norm(W, rounds=20).log10() for W in matrices).clamp(max=20))
    return torch.stack(records, 1)


with needs("sgd_step", "spectral_norm"):
    stretch = {"no decay": log_stretch(free), "decay 0.02": log_stretch(decayed)}
    for name, values in stretch.items():
        print(f"{name:10}: the network stretches by at most 10^{values[:, 0].median():.1f} at step 0,", end=" ")
        print(f"10^{values[:, 5].median():.1f} at step 50, 10^{values[:, 10].median():.1f} at step 100")

# %% [markdown]
# ## 8. Measure the growth
#
# How fast, and how sure? For each network fit a straight line through its records by least squares,
#
# $$\text{slope} = \frac{\sum_k (t_k-\bar t)(q_k-\bar q)}{\sum_k (t_k-\bar t)^2},$$
#
# with $t_k$ the steps and $q_k$ the values. Return the mean slope of the networks and its standard error: the standard deviation of the slopes (with $n-1$) over $\sqrt n$.

# %% nbgrader={"grade_id": "growth", "solution": true}
def growth(steps, values):
    """Mean slope of the networks and its standard error, two numbers; steps (records,), values (seeds, records)."""
    ### BEGIN SOLUTION
    t = steps - steps.mean()
    slopes = (t * values).sum(1) / t.square().sum()
    return slopes.mean(), slopes.std() / len(slopes) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "growth_check", "grade": true, "points": 3}
with exercise("growth") as check:
    mean, error = growth(torch.tensor([0.0, 10.0, 20.0]), torch.tensor([[1.0, 2.0, 3.0], [5.0, 8.0, 11.0]]))
    check.close(mean, 0.2, "the mean of the slopes 0.1 and 0.3", hint="per step, not per record")
    check.close(error, 0.1, "the standard error of these two slopes", hint="their standard deviation over √2")
### BEGIN HIDDEN TESTS
with exercise("growth, of other lines") as check:
    rng = torch.Generator().manual_seed(8)
    for seeds, records in ((16, 6), (4, 11), (9, 3)):
        steps = 7 + torch.rand(records, generator=rng, dtype=torch.float64).cumsum(0)
        slopes = torch.randn(seeds, generator=rng, dtype=torch.float64)
        bump = torch.randn(seeds, records, generator=rng, dtype=torch.float64)
        lines = torch.stack([torch.ones(records, dtype=torch.float64), steps], 1)
        bump = bump - (lines @ torch.linalg.lstsq(lines, bump.T).solution).T  # noise that has no slope of its own
        mean, error = growth(steps, slopes[:, None] * steps + bump + 3)
        check.close(mean, slopes.mean(), f"the mean slope of {seeds} networks", rtol=1e-5, atol=1e-7)
        check.close(error, slopes.std() / math.sqrt(seeds), f"the standard error of {seeds} networks", rtol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# In the first forty steps hardly any network is lost yet. Does the product of the norms grow already?

# %%
with needs("sgd_step", "spectral_norm", "growth"):
    for name, values in stretch.items():
        mean, error = growth(10.0 * torch.arange(5), values[:, :5])
        print(f"{name:10}: log₁₀ of the product changes by {100 * mean:+.2f} ± {100 * error:.2f} in a hundred steps")

# %% [markdown]
# ## 9. A net under the rope
#
# Another way: let them fall, but keep the best weights that each network has had. Best on the held-out images, because the test images must not choose. Write the keeper that is called every ten steps. Three traps:
#
# - training changes its tensors in place, so whoever keeps the tensor itself, and not a copy, keeps the fallen network;
# - each network has a best moment of its own: change the rows of those that are better now, and no others;
# - `score` may be `nan`, and that is never better.

# %% nbgrader={"grade_id": "keep", "solution": true}
def keep(params, kept, best, score):
    """Where score > best: put the network's weights into kept and its score into best, both in place.

    params, kept: {name: tensor (seeds, …)}; best, score: (seeds,).
    """
    ### BEGIN SOLUTION
    better = score > best
    for name, p in params.items():
        kept[name][better] = p[better]
    best[better] = score[better]
    ### END SOLUTION


# %% nbgrader={"grade_id": "keep_check", "grade": true, "points": 3}
def keep_all(scores, shape=(2,)):
    """What is kept of networks whose every weight is k at moment k; scores (moments, seeds)."""
    params, kept = ({"w": torch.zeros(scores.shape[1], *shape)} for _ in range(2))
    best = torch.full((scores.shape[1],), -1.0)
    for k, score in enumerate(scores):
        params["w"].fill_(k)
        keep(params, kept, best, score.clone())
    params["w"].fill_(-100.0)
    return kept["w"], best


with exercise("keep") as check:
    kept, best = keep_all(torch.tensor([[0.1, 0.9], [0.7, 0.2], [0.3, 0.1]]))
    hint = "network 0 was best at moment 1, network 1 at moment 0; −100 is a weight from after the last call: copy"
    check.close(kept, torch.tensor([[1.0, 1.0], [0.0, 0.0]]), "the kept weights", hint=hint)
    check.close(best, [0.7, 0.9], "the best scores", hint="change best in place, too")
    kept, best = keep_all(torch.tensor([[0.4], [math.nan], [0.2]]))
    check.close(best, [0.4], "the best score with a nan in between", hint="nan > best is False")
### BEGIN HIDDEN TESTS
with exercise("keep, other runs") as check:
    rng = torch.Generator().manual_seed(9)
    for moments, seeds, shape in ((6, 5, (3,)), (12, 16, (2, 4)), (2, 1, (1,))):
        scores = torch.rand(moments, seeds, generator=rng)
        scores[torch.rand(moments, seeds, generator=rng) < 0.2] = math.nan
        scores[0] = 0.3
        kept, best = keep_all(scores, shape)
        value, moment = scores.nan_to_num(-9).max(0)
        check.close(best, value, "the best scores")
        moment = moment.float().view(-1, *[1] * len(shape)).expand(-1, *shape)
        check.close(kept, moment, "the moments whose weights are kept")
### END HIDDEN TESTS

# %% [markdown]
# ## 10. Before and after
#
# Your keeper goes through the run without decay once more, as if it had stood beside it.

# %%
with needs("sgd_step", "keep", "spectral_norm"):
    params, kept = ({name: p.clone() for name, p in free[0].items()} for _ in range(2))
    best, records = torch.full((SEEDS,), -1.0), []
    for page in free:
        for name, p in page.items():
            params[name].copy_(p)
        keep(params, kept, best, accuracy(params, x_held, y_held))
        records.append(accuracy(kept, x_test, proteins.y_test))
    curves["no decay, best kept"] = torch.stack(records, 1)
    for name, values in curves.items():
        end = values[:, -1]
        print(f"{name:20}: {(end >= 0.5).sum()} of 16 above one half, median {100 * end.median():.0f} %")

# %%
with needs("sgd_step", "keep", "spectral_norm"):
    fig, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.7))
    steps = 10 * torch.arange(25)
    looks = {"no decay": (ILL, "--"), "decay 0.02": (CURED, "-"), "no decay, best kept": (OTHER, "-.")}
    for name, values in curves.items():
        color, line = looks[name]
        plot_band(left, steps, 100 * values, color=color, linestyle=line, label=name)
        if name in stretch:
            plot_band(right, steps, stretch[name], color=color, linestyle=line, label=name)
    left.axhline(100 * (proteins.y_test == 0).float().mean(), color=INK, linestyle=":", linewidth=1)
    label(left, "Decay prevents the fall, a net softens it", "step", "test accuracy, %", ylim=(0, 103), legend=False)
    label(right, "The norms grow before the fall", "step", "log₁₀ of the product of the norms", ylim=(0, 21), legend=False)
    fig.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9.5)
    plt.show()

# %% [markdown]
# ## 11. In a few sentences
#
# A friend's network dies in its very first step: raw pixels of up to 255, gradient norm $10^6$. She raises the weight decay from 0.001 to 0.01, at a learning rate of 0.05 and momentum 0.9. Then she saves a checkpoint every hundred steps, so that the run can be put back. Say in four to seven sentences what each of the two does for her, with the number of steps that her decay needs to halve the weights, what distinguishes her death from the one in this lab, and what you would change instead.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# Neither helps. A decay of 0.01 needs 0.1 · ln 2 / (0.05 · 0.01), about 139 steps, to halve the weights, and in the first step it adds a gradient of 0.01 times the weights to one of a million: next to nothing, and the step is over before the clock has ticked. The checkpoint every hundred steps saves the network after its death, perhaps with nan in it; from before there is only the untrained one. In this lab the networks learned first, their weights grew over dozens of steps, and only then did steps of the same rate become too long, so a slow decay had the time to stop the growth. Hers is too long at once. I would standardize the pixels, or take a far smaller learning rate or clip the gradient. (One point each for: the clock, with its number, against one step; a checkpoint is worth what was learned before it; a cure that acts on the first step.)
