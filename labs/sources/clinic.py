# %% [markdown]
# # Lab: the clinic
#
# Six patients are waiting. Each is a training run that does not learn, sixteen networks wide, and each has one thing wrong with it. You read the chart, name the illness, change one thing, and see whether it was the right one. The figure at the end shows all six, before and after your treatment.
#
# | | |
# |---|---|
# | **Time** | 90 minutes |
# | **You need** | the chapters up to regularization; torch and the book's package, which the next cell fetches where it is missing |
# | **You hand in** | this notebook, all cells run |
#
# A cell that you complete says `raise NotImplementedError`: put your code in its place. The cell after it checks your answer and says ✓ or ✗. Marking also runs tests that you do not see here, on other numbers, so write what is right and not what passes.

# %%
import math

import matplotlib.pyplot as plt
import torch

from blowup.checks import exercise, needs
from blowup.data import proteins
from blowup.figures import CURED, ILL, heading, label, plot_band, style
from blowup.networks import MLP

style()
data = proteins()
raw = data.x_train.flatten(1), data.x_test.flatten(1)
INPUTS = {"raw": raw, "standardized": [(x - raw[0].mean()) / raw[0].std() for x in raw]}

# %% [markdown]
# ## Two kinds of illness
#
# All patients are to tell ten families of proteins apart, from pictures of 20 × 20 pixels. Before the first one comes in, recall what the book keeps apart.
#
# - A **step** can be wrong. It is too long, and the run overshoots; or it is too short, and nothing moves. The gradient may be fine. What helps acts on the step: a smaller rate, clipping, scaled inputs, a correct optimizer.
# - A **product** of Jacobians can be wrong. It grows or vanishes from layer to layer, and no length of step is right for all layers at once. What helps acts on the product: the weights' scale, another activation, fewer layers, normalization layers, skip connections.
#
# Here is the whole hospital: one training loop. The clip and the momentum are in `plain_step`. Every tensor has the networks as its first axis.

# %%
def global_norm(grads):
    """The norm of each network's whole gradient, (networks,), of a dict of tensors (networks, …)."""
    return torch.cat([g.flatten(1) for g in grads.values()], 1).norm(dim=1)


def times(tensor, factor):
    """Each network's part of the tensor times its factor; factor (networks,)."""
    return tensor * factor.view(-1, *[1] * (tensor.dim() - 1))


def plain_step(params, velocity, grads, lr, beta, tau, scale):
    """Clip to norm tau (None: do not), add to the velocity, move; changes params and velocity in place."""
    if tau is not None:
        factor = (tau / (global_norm(grads) + 1e-6)).clamp(max=1)
        grads = {name: times(g, factor) for name, g in grads.items()}
    for name, g in grads.items():
        velocity[name].mul_(beta).add_(g)
        params[name].sub_(lr * velocity[name])


# %%
def losses(logits, y):
    """Mean cross-entropy of each network, (networks,)."""
    each = torch.nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten(), reduction="none")
    return each.view(y.shape).mean(1)


def network(patient):
    """The patient's network: hidden layers with weights N(0, gain²/n), then a readout."""
    shape = {name: patient[name] for name in ("depth", "width", "activation", "gain")}
    return MLP(400, 10, **shape)


# %%
def run(patient, seeds=16, steps=60):
    """Train; returns loss and update ratio, (networks, steps), and test accuracy, (networks,)."""
    net, (x_train, x_test) = network(patient), INPUTS[patient["inputs"]]
    params, rng = net.init(seeds), torch.Generator().manual_seed(7)
    velocity = {name: torch.zeros_like(p) for name, p in params.items()}
    kept = {name: torch.zeros_like(p) for name, p in params.items()}  # torch's p.grad
    log = {"loss": [], "ratio": []}
    for _ in range(steps):
        chosen = torch.randint(len(x_train), (len(params["readout.b"]), 32), generator=rng)
        loss, grads = loss_and_grads(net, params, x_train[chosen], data.y_train[chosen], patient["loss_scale"])
        kept = {name: g if patient["zero_grad"] else kept[name] + g for name, g in grads.items()}
        before = {name: p.clone() for name, p in params.items()}
        settings = (patient[name] for name in ("lr", "momentum", "clip", "loss_scale"))
        patient["step"](params, velocity, kept, *settings)
        log["loss"].append(loss)
        log["ratio"].append(longest(params, before))
    right = net(params, x_test.expand(len(loss), -1, -1)).argmax(-1) == data.y_test
    return {name: torch.stack(rows, 1) for name, rows in log.items()} | {"accuracy": right.double().mean(1)}

# %%
def loss_and_grads(net, params, x, y, scale=1.0):
    """The losses, (networks,), and the gradients of scale · loss, a dict of tensors."""
    leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
    loss = losses(net(leaves, x), y)
    grads = torch.autograd.grad(scale * loss.sum(), list(leaves.values()))
    return loss.detach(), dict(zip(leaves, grads))


def longest(params, before):
    """The largest update ratio ‖ΔW‖ / ‖W‖ of all layers, (networks,)."""
    ratios = [
        (p - before[name]).double().flatten(1).norm(dim=1) / before[name].double().flatten(1).norm(dim=1)
        for name, p in params.items() if name.endswith(".W")
    ]
    return torch.stack(ratios, 1).amax(1)


# %% [markdown]
# ## What a chart says
#
# - **growth**: by how much $\ln\lVert\delta\rVert$ grows per layer on the way back, before the first step, with its standard error over the sixteen networks. What counts is the growth times the number of layers: a total of $\pm1$ is a factor of three, and harmless; beyond $\pm2$ be suspicious.
# - **update ratio**: the longest step of any layer, as a share of its weights, at steps 0, 1, 10 and 50. A rule of thumb says $10^{-3}$. On this task, the runs that learn lie between about 0.003 and 0.05 at most steps; you can check that later on your own cures, as in `after["A"]["ratio"].median(0)`.
# - **largest input**, **loss** at the first step and at the last, and **accuracy** on the test set. A guess has a loss of $\ln 10 = 2.30$.

# %%
def growth(patient, seeds=16):
    """Growth of log ‖δ‖ per hidden layer on the way back, before training, (networks,)."""
    net, (x_train, _) = network(patient), INPUTS[patient["inputs"]]
    params = net.init(seeds)
    chosen = torch.randint(len(x_train), (seeds, 32), generator=torch.Generator().manual_seed(8))
    # A bias of its own for each example: its gradient is δ itself.
    wide = {n: p.expand(-1, 32, -1) if n.endswith(".b") else p for n, p in params.items()}
    grads = loss_and_grads(net, wide, x_train[chosen], data.y_train[chosen])[1]
    norms = [g.flatten(1).norm(dim=1) for n, g in grads.items() if n.endswith(".b") and n != "readout.b"]
    return (norms[0] / norms[-1]).log() / (len(norms) - 1)


# %%
def chart(name, patient, seen):
    """Print what the monitor says of a patient."""
    rate, ratio = growth(patient), seen["ratio"].median(0).values
    print(f"patient {name}: growth {rate.mean():+.3f} ± {rate.std() / len(rate) ** 0.5:.3f}", end=", ")
    print("update ratio " + ", ".join(f"{ratio[k]:.2g}" for k in (0, 1, 10, 50)), end=", ")
    print(f"largest input {INPUTS[patient['inputs']][0].max():.3g},")
    first, last = seen["loss"].median(0).values[[0, -1]]
    print(f"    loss {first:.3g}, then {last:.3g}, accuracy {100 * seen['accuracy'].median():.0f} %")
    print("    " + ", ".join(f"{key} {getattr(value, '__name__', value)}" for key, value in patient.items()))

# %% [markdown]
# The six, as they came in. Patient E brought a step of its own, for training in float16: its loss is multiplied by 65,536, so that small gradients do not become zero.

# %%
def step_of_e(params, velocity, grads, lr, beta, tau, scale):
    """Clip, divide the loss scale out again, add to the velocity, move."""
    factor = (tau / (global_norm(grads) + 1e-6)).clamp(max=1) / scale
    grads = {name: times(g, factor) for name, g in grads.items()}
    plain_step(params, velocity, grads, lr, beta, None, scale)


usual = {
    "inputs": "standardized", "activation": "tanh", "gain": 1.0, "depth": 6, "width": 32, "lr": 0.05,
    "momentum": 0.9, "clip": None, "zero_grad": True, "loss_scale": 1.0, "step": plain_step,
}  # fmt: skip
PATIENTS = {
    "A": usual | {"inputs": "raw", "activation": "relu", "gain": math.sqrt(2), "depth": 2, "momentum": 0.0},
    "B": usual | {"gain": 3.0, "depth": 14, "lr": 0.02},
    "C": usual | {"lr": 0.5},
    "D": usual | {"zero_grad": False, "depth": 4, "lr": 0.3, "momentum": 0.0},
    "E": usual | {"loss_scale": 65536.0, "clip": 1.0, "step": step_of_e},
    "F": usual | {"activation": "sigmoid", "depth": 8},
}
before, after = {name: run(patient) for name, patient in PATIENTS.items()}, {}


# %%
for name, patient in PATIENTS.items():
    chart(name, patient, before[name])

# %% [markdown]
# ## 1. Patient A
#
# For each patient you write one function. It gets the patient, a dictionary, and returns two things:
#
# - your **diagnosis**, one of `"step too long"`, `"step too short"`, `"product grows"`, `"product vanishes"`;
# - the **treated patient**: a copy in which exactly **one** entry is changed. `patient | {"lr": 0.1}` is such a copy. With two changes at once you would never know which of them helped.
#
# The check treats sixteen networks and looks whether they learn: more than half of them must get 60 % of the test set right, where a guess gets about one in ten. Patient A loses its head in the very first step, and afterwards its units are dead.

# %% nbgrader={"grade_id": "treat_a", "solution": true}
def treat_a(patient):
    """(diagnosis, treated patient) of A: a word from the list above, and a copy with one entry changed."""
    ### BEGIN SOLUTION
    return "step too long", patient | {"inputs": "standardized"}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_a_check_tools_1", "locked": true}
# For the check below.
def examine(check, name, treat, seeds=16):
    """Ask for one change, and whether the treated networks learn; returns the word and the treated run."""
    word, treated = treat(dict(PATIENTS[name]))
    check.true(isinstance(treated, dict), "the second result is a patient, a dictionary")
    check.equal(sorted(treated), sorted(usual), "the list of the treated patient's entries")
    changed = [key for key in treated if treated[key] != PATIENTS[name][key]]
    check.equal(len(changed), 1, "the number of changed entries", hint=f"you changed {changed or 'nothing'}")
    seen = run(treated, seeds)
    gained = seen["accuracy"].median()
    hint = f"the median is {100 * gained:.0f} %; the change of {changed[0]} does not reach the cause, or not far enough"
    check.true(gained > 0.6, f"more than half of the treated networks of {name} get over 60 % right", hint=hint)
    return word, seen


# %% nbgrader={"grade_id": "treat_a_check_tools_2", "locked": true}
# For the check below.
def second_opinion(name):
    """The illness, from measurements alone: the product over all layers, then the longest steps."""
    total = growth(PATIENTS[name]).mean() * (PATIENTS[name]["depth"] - 1)
    if abs(total) > 2:
        return "product " + ("grows" if total > 0 else "vanishes")
    return "step too " + ("long" if before[name]["ratio"].median(0).values[:20].max() > 0.05 else "short")


def admitted(check, name, treat):
    """The visible check of a patient: treatment and diagnosis; keeps the run for the last figure."""
    said, seen = examine(check, name, treat)
    hint = "growth times layers far from 0: look at the product; else compare the ratio with what is usual"
    check.true(said == second_opinion(name), f"measurements agree with your diagnosis, {said!r}", hint=hint)
    after[name] = seen
    was, now = (100 * log[name]["accuracy"].median() for log in (before, after))
    print(f"{name}: {was:.0f} % right before, {now:.0f} % after")


# %% nbgrader={"grade_id": "treat_a_check_tools_3", "locked": true}
# For the check below.
def discharged(check, name, treat, word):
    """The hidden test of a patient: the word, and eight networks that nobody has seen."""
    check.equal(treat(dict(PATIENTS[name]))[0], word, f"the diagnosis of {name}")
    examine(check, name, treat, range(100, 108))


# %% nbgrader={"grade_id": "treat_a_check", "grade": true, "points": 2}
with exercise("treat_a") as check:
    admitted(check, "A", treat_a)
### BEGIN HIDDEN TESTS
with exercise("treat_a, other seeds") as check:
    discharged(check, "A", treat_a, "step too long")
### END HIDDEN TESTS

# %% [markdown]
# ## 2. Patient B
#
# A loss hardly above a guess, a rate that others take well. Look at the growth, and multiply it by the number of layers before you take an exponential.

# %% nbgrader={"grade_id": "treat_b", "solution": true}
def treat_b(patient):
    """(diagnosis, treated patient) of B."""
    ### BEGIN SOLUTION
    return "product grows", patient | {"gain": 1.0}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_b_check", "grade": true, "points": 2}
with exercise("treat_b") as check:
    admitted(check, "B", treat_b)
### BEGIN HIDDEN TESTS
with exercise("treat_b, other seeds") as check:
    discharged(check, "B", treat_b, "product grows")
### END HIDDEN TESTS

# %% [markdown]
# ## 3. Patient C
#
# C's loss goes up and up. Its growth is not zero, either. Multiply before you decide, and then compare the ratio with what is usual.

# %% nbgrader={"grade_id": "treat_c", "solution": true}
def treat_c(patient):
    """(diagnosis, treated patient) of C."""
    ### BEGIN SOLUTION
    return "step too long", patient | {"lr": 0.03}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_c_check", "grade": true, "points": 2}
with exercise("treat_c") as check:
    admitted(check, "C", treat_c)
### BEGIN HIDDEN TESTS
with exercise("treat_c, other seeds") as check:
    discharged(check, "C", treat_c, "step too long")
### END HIDDEN TESTS

# %% [markdown]
# ## 4. Three medicines, two patients
#
# The pharmacy sells three things for a network that does not learn: a **clip** of the gradient to a norm of 0.1, a **rate** sixteen times smaller, and **weights** scaled down to a third. B and C each take all three, one at a time. **Before you run anything: which help whom?** Write down what you expect for each. The check then tries the three on C. Try them on B yourself, as in `run(MEDICINES["clip"](PATIENTS["B"]))["accuracy"].median()`, and correct your answer where you were wrong.

# %%
MEDICINES = {
    "clip": lambda patient: patient | {"clip": 0.1},
    "rate": lambda patient: patient | {"lr": patient["lr"] / 16},
    "weights": lambda patient: patient | {"gain": patient["gain"] / 3},
}


# %% nbgrader={"grade_id": "helps", "solution": true}
def helps(name):
    """The medicines that help patient name, "B" or "C": a set of "clip", "rate", "weights"."""
    ### BEGIN SOLUTION
    return {"B": {"weights"}, "C": {"clip", "rate"}}[name]
    ### END SOLUTION


# %% nbgrader={"grade_id": "helps_check", "grade": true, "points": 3}
def tried(name, seeds):
    """The medicines with which the median network gets over 60 % right."""
    accuracy = {word: run(give(PATIENTS[name]), seeds)["accuracy"].median() for word, give in MEDICINES.items()}
    return {word for word, value in accuracy.items() if value > 0.6}


with exercise("helps") as check:
    both = [set(helps(name)) <= set(MEDICINES) for name in ("B", "C")]
    check.true(all(both), "both answers are sets of the medicines' names", hint='a set is written {"clip", "rate"}')
    hint = "C's growth is near 0 and its steps are too long; which medicines act on the step?"
    check.true(set(helps("C")) == tried("C", 8), "your three predictions for C are what happened", hint=hint)
### BEGIN HIDDEN TESTS
with exercise("helps, both patients") as check:
    for name in ("B", "C"):
        check.true(set(helps(name)) == tried(name, range(50, 58)), f"your prediction for {name} is what happened")
### END HIDDEN TESTS

# %% [markdown]
# ## 5. What happens when nobody empties the pot
#
# torch *adds* each gradient to `p.grad`. Whoever forgets `zero_grad` steps along the sum of all gradients so far. Is that so bad? Take the smallest case, a valley $\tfrac12\lambda w^2$ with slope $\lambda w$, and plain descent with rate $\eta$:
#
# $$G_k = G_{k-1} + \lambda w_k, \qquad w_{k+1} = w_k - \eta\,G_k .$$
#
# Subtract from the second line the same line one step earlier: $w_{k+1} - 2w_k + w_{k-1} = -\eta\lambda\,w_k$. Try $w_k = \cos(\theta k + \varphi)$ and use $\cos(\alpha+\theta) + \cos(\alpha-\theta) = 2\cos\alpha\cos\theta$. For $0 < \eta\lambda < 4$ some angle $\theta$ fits exactly, and so the swing never dies down: the weight passes the minimum again and again, at full speed. **How many steps does one full swing, there and back, take?**

# %% nbgrader={"grade_id": "period", "solution": true}
def period(lr, curvature):
    """Steps of one full swing (need not be whole) in a valley of this curvature, 0 < lr · curvature < 4."""
    ### BEGIN SOLUTION
    return 2 * math.pi / math.acos(1 - lr * curvature / 2)
    ### END SOLUTION


# %% nbgrader={"grade_id": "period_check", "grade": true, "points": 3}
def measured_period(lr, curvature, steps=20000):
    """The same by trying: two changes of sign make a full swing."""
    w, heap, signs = 1.0, 0.0, []
    for _ in range(steps):
        heap += curvature * w
        w -= lr * heap
        signs.append(w > 0)
    return 2 * steps / sum(a != b for a, b in zip(signs, signs[1:]))


with exercise("period") as check:
    hint = "2 cos θ - 2 = -η λ, and a full swing is 2π / θ steps"
    check.close(period(0.1, 20.0), measured_period(0.1, 20.0), "the period for η λ = 2", rtol=2e-3, hint=hint)
### BEGIN HIDDEN TESTS
with exercise("period, other valleys") as check:
    for lr, curvature in ((0.01, 3.0), (0.5, 0.2), (0.3, 10.0), (2.0, 1.9)):
        what = f"the period for η = {lr} and λ = {curvature}"
        check.close(period(lr, curvature), measured_period(lr, curvature), what, rtol=5e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## 6. Patient D
#
# The same in a network: with every step the heap grows and turns too late. A smaller rate makes the swings slower, and the mistake stays where it is. Remove the mistake.

# %% nbgrader={"grade_id": "treat_d", "solution": true}
def treat_d(patient):
    """(diagnosis, treated patient) of D."""
    ### BEGIN SOLUTION
    return "step too long", patient | {"zero_grad": True}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_d_check", "grade": true, "points": 2}
with exercise("treat_d") as check:
    admitted(check, "D", treat_d)
### BEGIN HIDDEN TESTS
with exercise("treat_d, other seeds") as check:
    check.true(treat_d(dict(PATIENTS["D"]))[1]["zero_grad"], "each step uses the gradient of one batch alone")
    discharged(check, "D", treat_d, "step too long")
### END HIDDEN TESTS

# %% [markdown]
# ## 7. A step for float16
#
# Read `step_of_e` again, and compare the norm that it clips with the threshold. Then write the step as it should be, for gradients of scale · loss:
#
# 1. divide the scale out;
# 2. find the networks whose gradient holds an inf or a nan: they skip this step, and neither their weights nor their velocities change (not even by momentum), as torch's `GradScaler` does it;
# 3. clip every other network by its own norm, add to the velocity, move.
#
# One trap: `0 * nan` is nan. A network that is skipped must be left out with `torch.where`, not multiplied by zero. `tau=None` clips nothing.

# %% nbgrader={"grade_id": "mixed_step", "solution": true}
def mixed_step(params, velocity, grads, lr, beta, tau, scale):
    """Change params and velocity (dicts of tensors (networks, …)) in place; returns who stepped, bool (networks,).

    grads holds the gradients of scale · loss; do not change it.
    """
    ### BEGIN SOLUTION
    grads = {name: g / scale for name, g in grads.items()}
    norms = global_norm(grads)
    stepped = norms.isfinite()
    factor = torch.ones_like(norms) if tau is None else (tau / (norms + 1e-6)).clamp(max=1)
    for name, g in grads.items():
        shape = (-1, *[1] * (g.dim() - 1))
        new = beta * velocity[name] + times(g, factor)
        velocity[name].copy_(torch.where(stepped.view(shape), new, velocity[name]))
        moved = params[name] - lr * new
        params[name].copy_(torch.where(stepped.view(shape), moved, params[name]))
    return stepped
    ### END SOLUTION


# %% nbgrader={"grade_id": "mixed_step_check", "grade": true, "points": 5}
def one_weight(gradients, tau, scale, beta=0.5, lr=0.1):
    """Where a weight that starts at 0 is after each of these gradients of scale · loss, and who stepped."""
    params, velocity, path, stepped = {"w": torch.zeros(1, 1, 1)}, {"w": torch.zeros(1, 1, 1)}, [], []
    for g in gradients:
        moved = mixed_step(params, velocity, {"w": torch.full((1, 1, 1), float(g))}, lr, beta, tau, scale)
        path.append(params["w"].item())
        stepped += torch.as_tensor(moved).tolist()
    return path, stepped


with exercise("mixed_step") as check:
    path, stepped = one_weight([32.0, 32.0], tau=None, scale=8.0)
    hint = "v is 4, then 0.5·4 + 4"
    check.close(path, [-0.4, -1.0], "the weight after two gradients of 4, scale 8, no clip", hint=hint)
    path, stepped = one_weight([32.0, 32.0], tau=1.0, scale=8.0)
    check.close(path, [-0.1, -0.25], "the weight with a clip to 1", hint="divide by the scale, then clip")
    path, stepped = one_weight([32.0, math.inf, 32.0], tau=1.0, scale=8.0)
    check.equal(stepped, [True, False, True], "who stepped, with an inf in the middle")
    check.close(path, [-0.1, -0.1, -0.25], "the weight with an inf in the middle", hint="skip the velocity, too")
### BEGIN HIDDEN TESTS
with exercise("mixed_step, beside torch's own") as check:
    rng = torch.Generator().manual_seed(3)

    def normal(*shape):
        return torch.randn(*shape, generator=rng, dtype=torch.float64)

    for tau, beta, lr, scale in ((2.0, 0.9, 0.1, 1024.0), (None, 0.0, 0.3, 8.0), (0.5, 0.7, 0.05, 2.0**16)):
        params = {"W": normal(3, 4, 2), "b": normal(3, 1, 2)}
        velocity = {name: torch.zeros_like(p) for name, p in params.items()}
        twins = [[torch.nn.Parameter(p[i].clone()) for p in params.values()] for i in range(3)]
        torch_sgd = [torch.optim.SGD(twin, lr=lr, momentum=beta) for twin in twins]
        for k in range(5):
            grads = {name: normal(*p.shape) * scale * 10 ** (k - 2) for name, p in params.items()}
            if k in (1, 3):
                grads["W" if k == 1 else "b"][k % 2, 0, 0] = math.nan if k == 1 else math.inf
            bad = 1 if k in (1, 3) else None
            given = {name: g.clone() for name, g in grads.items()}
            stepped = mixed_step(params, velocity, grads, lr, beta, tau, scale)
            check.equal(torch.as_tensor(stepped).tolist(), [i != bad for i in range(3)], "who stepped")
            kept = all(torch.equal(g.nan_to_num(), given[name].nan_to_num()) for name, g in grads.items())
            check.true(kept, "the gradients that were handed in are unchanged")
            for i in (i for i in range(3) if i != bad):
                for p, g in zip(twins[i], grads.values()):
                    p.grad = g[i] / scale
                if tau is not None:
                    torch.nn.utils.clip_grad_norm_(twins[i], tau)
                torch_sgd[i].step()
            for j, name in enumerate(params):
                want = torch.stack([twin[j].detach() for twin in twins])
                check.close(params[name], want, f"{name} after {k + 1} steps, tau {tau}", rtol=1e-4, atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ## 8. Patient E
#
# Your step is the medicine: a function can be an entry of a patient, too. E needs its loss scale and its clip, so leave both as they are.

# %% nbgrader={"grade_id": "treat_e", "solution": true}
def treat_e(patient):
    """(diagnosis, treated patient) of E."""
    ### BEGIN SOLUTION
    return "step too short", patient | {"step": mixed_step}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_e_check", "grade": true, "points": 2}
with exercise("treat_e") as check:
    admitted(check, "E", treat_e)
### BEGIN HIDDEN TESTS
with exercise("treat_e, other seeds") as check:
    kept = treat_e(dict(PATIENTS["E"]))[1]
    check.equal((kept["loss_scale"], kept["clip"]), (65536.0, 1.0), "E's loss scale and clip, which it needs,")
    small, moved = torch.full((1, 1, 1), 0.01 * 65536), {"w": torch.zeros(1, 1, 1)}
    kept["step"](moved, {"w": torch.zeros(1, 1, 1)}, {"w": small}, 0.1, 0.0, 1.0, 65536.0)
    check.close(moved["w"], torch.full((1, 1, 1), -0.001), "the step of a gradient of 0.01 at a rate of 0.1")
    discharged(check, "E", treat_e, "step too short")
### END HIDDEN TESTS

# %% [markdown]
# ## 9. Patient F
#
# The update ratio is that of the *liveliest* layer. Ask what the first layer gets.

# %% nbgrader={"grade_id": "treat_f", "solution": true}
def treat_f(patient):
    """(diagnosis, treated patient) of F."""
    ### BEGIN SOLUTION
    return "product vanishes", patient | {"activation": "tanh"}
    ### END SOLUTION


# %% nbgrader={"grade_id": "treat_f_check", "grade": true, "points": 2}
with exercise("treat_f") as check:
    admitted(check, "F", treat_f)
### BEGIN HIDDEN TESTS
with exercise("treat_f, other seeds") as check:
    discharged(check, "F", treat_f, "product vanishes")
### END HIDDEN TESTS

# %% [markdown]
# ## 10. The clinic's record
#
# Did it help, and by how much? Before and after start from the same sixteen seeds, so compare each network with *itself*: take the sixteen differences, their mean, and the standard error of that mean.

# %% nbgrader={"grade_id": "benefit", "solution": true}
def benefit(before, after):
    """Mean gain and its standard error, two numbers; before and after (networks,), in the same order of seeds."""
    ### BEGIN SOLUTION
    gain = after - before
    return gain.mean(), gain.std() / len(gain) ** 0.5
    ### END SOLUTION


# %% nbgrader={"grade_id": "benefit_check", "grade": true, "points": 2}
with exercise("benefit") as check:
    gain, error = benefit(torch.tensor([0.1, 0.5]), torch.tensor([0.4, 1.0]))
    check.close(gain, 0.4, "the mean of the gains 0.3 and 0.5")
    check.close(error, 0.1, "its standard error", hint="s is √2/10 here, with n - 1 = 1, and n is 2")
### BEGIN HIDDEN TESTS
with exercise("benefit, other results") as check:
    rng = torch.Generator().manual_seed(5)
    for n in (3, 16, 100):
        start, gains = torch.randn(n, generator=rng) * 5, torch.rand(n, generator=rng)
        gain, error = benefit(start, start + gains)
        check.close(gain, gains.mean(), f"the mean gain of {n} networks", atol=1e-5)
        check.close(error, gains.std() / n**0.5, "its standard error", atol=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ## Before and after
#
# Every panel is one patient: the loss of sixteen networks, median and band, as they came in and after the one change that you made.

# %%
with needs("treat_a", "treat_b", "treat_c", "treat_d", "treat_e", "treat_f", "benefit"):
    treats, changed = (treat_a, treat_b, treat_c, treat_d, treat_e, treat_f), {}
    for (name, patient), treat in zip(PATIENTS.items(), treats):
        treated = treat(dict(patient))[1]
        after[name] = after.get(name) or run(treated)
        changed[name] = ", ".join(key for key in patient if treated[key] != patient[key])
    fig, axes = plt.subplots(2, 3, figsize=(9.6, 5.4), sharex=True, sharey=True)
    for ax, name in zip(axes.flat, PATIENTS):
        plot_band(ax, range(60), before[name]["loss"], color=ILL, linestyle="--", label="before")
        plot_band(ax, range(60), after[name]["loss"], color=CURED, label="after")
        gain, error = benefit(before[name]["accuracy"], after[name]["accuracy"])
        title = f"{name}, {changed[name]}: {100 * gain:+.0f} ± {100 * error:.0f}"
        label(ax, title, "", "", log="y", ylim=(0.01, 200), legend=ax is axes[0, 0])
    for ax in axes[1]:
        ax.set_xlabel("step")
    for ax in axes[:, 0]:
        ax.set_ylabel("training loss")
    heading(fig, "One change each, and what it gained in test accuracy (percentage points)")
    plt.show()

# %% [markdown]
# ## 11. In a few sentences
#
# A handbook says: "If training is unstable, clip the gradients and lower the learning rate." Write the leaflet that should come with this advice, in four to eight sentences: which of your six patients it would help, which not, and why not; and which two numbers of a chart you would look at first, to know which kind of patient you have.

# %% [markdown] nbgrader={"grade_id": "paragraph", "solution": true, "grade": true, "points": 3}
# Both medicines shorten the step. They help where the step is too long and the gradient is sound: patient C, who took either. D would learn at a smaller rate, too, but that hides the forgotten `zero_grad`, which makes its steps long: remove the mistake instead. A's steps are long because its inputs are, and none of the rates and clips that I tried brought it to one half within sixty steps: standardize the inputs. They do nothing for B, whose Jacobian product grows: a common factor leaves the ratio between the layers as it is, and all three of B's ensembles showed it, as only the smaller weights helped. F's product vanishes, and shorter steps are the opposite of what its first layers need. E's steps are too short already, because of a clip in the wrong place: another clip makes nothing better. I would look first at the growth of δ per layer, with its error, and then at the update ratio: a growth far from zero means a product, and a growth near zero with a ratio far from the usual range means a step. (One point each for: who is helped, and that both act on the step; why B or F is not, with the common factor; growth and update ratio as the two numbers.)
