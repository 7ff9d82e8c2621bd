# %% [markdown]
# # Regularization
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch

from blowup.evidence import agree, certain, equals

# %% [markdown] question="regularization-01" points=4 minutes=7 level="easy" kind="compute" objective="RG2"
# A model is trained with AdamW, `weight_decay` $\lambda = {lam:g}$, over {steps:,d} steps. The learning rate
# falls on a straight line from ${lr:g}$ to 0.
#
# By what factor does a weight without any loss gradient shrink over the whole run? And if the rate had stayed
# at ${lr:g}$?

# %%
lam, lr, steps = 0.05, 1e-3, 100_000
factor, constant = math.exp(-lam * lr * steps / 2), math.exp(-lam * lr * steps)
rates = lr * (1 - torch.arange(steps, dtype=torch.float64) / steps)
small = steps * (lr * lam) ** 2  # the next order
equals((1 - rates * lam).log().sum().exp(), factor, rtol=small)
equals((1 - lr * lam) ** steps, constant, rtol=small)
exponent = lam * lr * steps / 2

# %% [markdown] answer="regularization-01"
# Step $t$ multiplies the weight by $1 - \eta_t\lambda \approx e^{-\eta_t\lambda}$, so the whole run
# multiplies it by $\exp(-\lambda\sum_t\eta_t)$. The rates of a straight line add up to half of $\eta_0$ times
# the number of steps: $e^{-{exponent:g}} = {factor:.3f}$.
#
# With a constant rate the exponent is twice that, and the factor {constant:.4f}. What counts is the *sum* of
# the rates. A schedule changes the decay along with the step.

# %% [markdown] question="regularization-02" points=5 minutes=8 level="medium" kind="find the error" objective="RG1"
# "I use `torch.optim.Adam(parameters, lr={lr:g}, weight_decay={lam:g})`. Weights that the loss does not need
# are multiplied by $1 - {lr:g}\cdot{lam:g}$ in each step, so after {steps:d} steps they are at {believed:.4f}
# of their size."
#
# Why is this wrong? Give the size of the first step for a weight of 1 and for a weight of 0.01 with no loss
# gradient. Which optimizer does what was intended?

# %%
lr, lam, steps = 1e-3, 0.1, 100
believed = (1 - lr * lam) ** steps


def first_step(start, kind):
    w = torch.nn.Parameter(torch.tensor([start], dtype=torch.float64))
    w.grad = torch.zeros_like(w)
    kind([w], lr=lr, weight_decay=lam).step()
    return start - w.item()


small_weight = 0.01
large, small = first_step(1.0, torch.optim.Adam), first_step(small_weight, torch.optim.Adam)
right, right_small = first_step(1.0, torch.optim.AdamW), first_step(small_weight, torch.optim.AdamW)
equals([large, small], lr, rtol=2e-5)  # Adam adds 1e-8 to gradients of 1e-1 and 1e-3
equals([right, right_small], [lr * lam, lr * lam * small_weight], rtol=1e-9)
share = 100 * small / small_weight

# %% [markdown] answer="regularization-02"
# `weight_decay` of `Adam` adds $\lambda w$ to the gradient, and Adam divides the gradient by its own root
# mean square. Where the loss sends nothing, the decay *is* the gradient, and its size cancels: the first step
# is $\eta\,\operatorname{sign}(w)$. It is {large:.2g} for the weight of 1 and {small:.2g} for the weight of
# {small_weight:g}, which is {share:.0f} % of that weight. $\lambda$ plays no part.
#
# `torch.optim.AdamW` multiplies by $1 - \eta\lambda$ beside the gradient: steps of ${right:.0e}$ and
# ${right_small:.0e}$, in proportion to the weight.

# %% [markdown] question="regularization-03" points=5 minutes=9 level="medium" kind="predict" objective="RG2"
# The loss pushes a weight outward by a steady gradient of ${push:g}$ (in size). Plain gradient descent,
# $\eta = {lr:g}$, decay $\lambda = {lam:g}$, start at $w = {start:g}$.
#
# 1. Where does the weight end?
# 2. Where is it after {steps:,d} steps?
# 3. Without decay, when would it have passed the final value of part 1?

# %%
push, lr, lam, start, steps = 0.02, 0.1, 0.001, 1.0, 5000
ceiling = push / lam
clock = 1 / (lr * lam)
then = ceiling - (ceiling - start) * math.exp(-steps / clock)
crossing = math.ceil((ceiling - start) / (lr * push))
w = start
for _ in range(steps):
    w = (1 - lr * lam) * w + lr * push
equals(w, then, rtol=steps / clock**2)  # the next order
free, taken = start, 0
while free < ceiling - 1e-9:
    free, taken = free + lr * push, taken + 1
certain(taken == crossing)

# %% [markdown] answer="regularization-03"
# 1. Push and pull balance where $\lambda w = u$, at $w = {push:g}/{lam:g} = {ceiling:g}$.
# 2. The gap to that value shrinks by $1-\eta\lambda$ a step, with a clock of $1/(\eta\lambda) = {clock:,.0f}$
#    steps. After {steps:,d} steps
#    $w = {ceiling:g} - ({ceiling:g} - {start:g})\,e^{-{steps:d}/{clock:.0f}} = {then:.2f}$.
# 3. It grows by $\eta u$ a step and passes {ceiling:g} after {crossing:,d} steps. Decay turns growth without
#    end into growth toward a ceiling, but slowly: an explosion that comes sooner than the clock is not
#    prevented.

# %% [markdown] question="regularization-04" points=4 minutes=6 level="easy" kind="read" objective="RG2"
# In a run with SGD, learning rate ${lr:g}$ and momentum {beta:g}, the norm of a weight matrix whose loss
# gradient is negligible is logged:
#
# | step | 2000 | 2100 | 2200 | 2300 |
# |---|---|---|---|---|
# | norm | {n0:.2f} | {n1:.2f} | {n2:.2f} | {n3:.2f} |
#
# Which `weight_decay` was used? The script says that the penalty is $\lambda\sum W^2$: which $\lambda$ stands
# in it?

# %%
lr, beta, decay = 0.02, 0.9, 0.01
clock = (1 - beta) / (lr * decay)
n0, n1, n2, n3 = (10 * math.exp(-t / clock) for t in (0, 100, 200, 300))
last = 300
read = last / math.log(n0 / n3)
found = (1 - beta) / (lr * read)
equals(found, decay)
penalty = found / 2
w = torch.nn.Parameter(torch.ones(1, dtype=torch.float64))
optimizer, path = torch.optim.SGD([w], lr=lr, momentum=beta, weight_decay=decay), []
for _ in range(300):
    path.append(w.item())
    w.grad = torch.zeros_like(w)
    optimizer.step()
equals(math.log(path[100] / path[299]) / 199 * clock, 1, rtol=lr * decay / (1 - beta) ** 2)  # the next order

# %% [markdown] answer="regularization-04"
# The logarithm falls on a straight line: $T = \frac{{last:d}}{\ln({n0:.2f}/{n3:.2f})} = {read:.0f}$ steps for
# a factor $e$. With momentum, once the velocity has settled, $T = (1-\beta)/(\eta\lambda)$, so `weight_decay`
# is $(1-\beta)/(\eta T) = {found:.3g}$.
#
# The gradient of $\lambda\sum W^2$ is $2\lambda W$, and PyTorch's number is the whole factor in front of $W$.
# So the penalty's $\lambda$ is half of it, {penalty:.3g}.

# %% [markdown] question="regularization-05" points=8 minutes=15 level="hard" kind="derive" objective="RG3"
# Weights in front of a normalization are trained with SGD and decay. In the balance
# $\|w\|^4 = \eta G^2/(2\lambda)$, with $G = \|\nabla L\|\,\|w\|$ constant, and each step turns the weights by
# $\theta = \sqrt{2\eta\lambda}$. Here $\eta = {lr:g}$ and $\lambda = {lam:g}$.
#
# Now the learning rate is divided by {drop:d}.
#
# 1. What is the angle per step before the drop, in degrees? Right after it? In the new balance?
# 2. Away from the balance $\|w\|^4$ approaches it with the clock $1/(4\eta\lambda)$. How many steps is that
#    after the drop?
# 3. The loss falls at the drop, and slowly rises again later. Explain.

# %%
lr, lam, drop, G = 0.2, 1e-4, 10, 1.0


def step(square, lr):
    """Squared length after one step, and the angle of the step."""
    after = (1 - lr * lam) ** 2 * square + lr**2 * G**2 / square
    return after, math.acos((1 - lr * lam) * math.sqrt(square / after))


before = math.degrees(math.sqrt(2 * lr * lam))
right_after, settled = before / drop, before / math.sqrt(drop)
clock = 1 / (4 * lr / drop * lam)
square = math.sqrt(lr * G**2 / (2 * lam))
equals(math.degrees(step(square, lr)[1]), before, rtol=1e-3)
equals(math.degrees(step(square, lr / drop)[1]), right_after, rtol=1e-3)
fourth = []
for _ in range(8 * int(clock)):
    fourth.append(square**2)
    square = step(square, lr / drop)[0]
equals(math.degrees(step(square, lr / drop)[1]), settled, rtol=drop * math.exp(-8))  # what is left
gap = [fourth[k] - fourth[-1] for k in (0, int(clock))]
equals(gap[1] / gap[0], math.exp(-1), rtol=1e-3)
rise = settled / right_after

# %% [markdown] answer="regularization-05"
# 1. Before: $\sqrt{2\eta\lambda} = {before:.3f}°$. A step turns the weights by about
#    $\eta\|\nabla L\|/\|w\| = \eta G/\|w\|^2$. At the drop $\eta$ changes at once and the length does not, so
#    the angle is divided by {drop:d}: {right_after:.3f}°. In the new balance $\sqrt{2\eta\lambda}$ has lost
#    only $\sqrt{{drop:d}}$: {settled:.3f}°.
# 2. $1/(4\eta\lambda) = {clock:,.0f}$ steps with the new rate.
# 3. Small turns let the weights settle into the valley: the loss falls. Then the length shrinks toward its
#    new balance, since $\|w\|^4$ goes with $\eta$. Shorter weights have larger gradients, the turns grow by a
#    factor of {rise:.2f}, and with them the noise. The effective rate recovers although nobody touched the
#    schedule.

# %% [markdown] question="regularization-06" points=5 minutes=8 level="medium" kind="derive" objective="RG4"
# Near a minimum the loss is $\tfrac12hw^2$ with $h = {h:g}$. The penalty $\mu\|\nabla L\|^2$ is added.
#
# 1. Find the largest stable learning rate of plain gradient descent as a function of $\mu$.
# 2. Which $\mu$ halves it?
# 3. A run without penalty stands just below its limit. Somebody adds the penalty "to tame its large
#    gradients". What happens?

# %%
h = 50.0
limit = 2 / h
half = 1 / (2 * h)


def shrinks(lr, mu):
    w = torch.tensor(1.0, dtype=torch.float64)
    for _ in range(400):
        w.requires_grad_()
        (g,) = torch.autograd.grad(0.5 * h * w**2, w, create_graph=True)
        (total,) = torch.autograd.grad(0.5 * h * w**2 + mu * g**2, w)
        w = (w - lr * total).detach().clamp(-1e9, 1e9)
    return abs(w.item()) < 1


halved = 2 / (h + 2 * half * h**2)
equals(halved / limit, 0.5)
certain(shrinks(0.98 * halved, half) and not shrinks(1.02 * halved, half))
certain(shrinks(0.98 * limit, 0.0) and not shrinks(0.98 * limit, half))

# %% [markdown] answer="regularization-06"
# 1. $\nabla L = hw$, so the penalty is $\mu h^2w^2$ and the sum $\tfrac12(h + 2\mu h^2)\,w^2$: a steeper
#    parabola. The limit is $\dfrac{2}{h + 2\mu h^2}$.
# 2. $2\mu h^2 = h$, that is $\mu = \dfrac1{2h} = {half:g}$. The limit falls from {limit:g} to {halved:g}.
# 3. It diverges: the step that was just short enough is too long for the steeper loss. A gradient penalty
#    asks the optimizer to go to flatter places, and makes the way there steeper.

# %% [markdown] question="regularization-07" points=4 minutes=6 level="easy" kind="choose" objective="RG4"
# A ReLU network of {depth:d} layers has He's weights and dropout behind every layer, which keeps a unit with
# probability $p$ (the kept ones are divided by $p$).
#
# At initialization, in training mode, the norm of the gradient is to grow by no more than a factor of
# {allowed:g} over all layers. Which $p$ are allowed? How large is the growth at the customary
# $p = {usual:g}$?

# %%
depth, allowed, usual = 60, 10.0, 0.5
least = allowed ** (-2 / depth)
growth = usual ** (-depth / 2)
width, keep = 400, 0.7
delta = torch.randn(60, width, dtype=torch.float64)
mask = (torch.rand(60, width) < keep).double() / keep
agree((mask * delta).square().sum(1) / delta.square().sum(1) * keep, 1)

# %% [markdown] answer="regularization-07"
# On the way back the gradient meets the same mask, which is $1/p$ with probability $p$ and 0 otherwise. Its
# mean square is $1/p$, so each layer multiplies the squared norm by $1/p$, and the norm grows by $p^{-L/2}$.
# This is at most {allowed:g} for $p \ge {allowed:g}^{-2/L} = {least:.3f}$.
#
# At $p = {usual:g}$ it is ${growth:.1e}$. He's rule was made for a network without masks. In a deep network
# dropout belongs in few layers, or nearly nothing may be dropped.

# %% [markdown] question="regularization-08" points=6 minutes=10 level="hard" kind="derive" objective="RG4"
# Spectral normalization replaces each weight matrix by $c\,W/\|W\|$ before the forward pass, with $\|W\|$ the
# largest singular value. For a wide square Gaussian matrix of variance $\sigma_w^2/N$ it is about
# $2\sigma_w$.
#
# 1. Which $\sigma_w$ does the layer effectively have, and does the scale of the initial weights matter?
# 2. Which $c$ makes a ReLU network critical?
# 3. With $c = 1$, what part of the norm of $\delta$ is left after {depth:d} ReLU layers?

# %%
depth, eight = 12, 2**3
c = math.sqrt(eight)
chi = 1 / eight
left = chi ** (depth / 2)
nets, N = 12, 400
W = 7.0 * torch.randn(nets, N, N, dtype=torch.float64) / N**0.5
W = W / torch.linalg.matrix_norm(W, 2)[:, None, None]
edge = N ** (-2 / 3)  # how far the largest singular value is from its limit (Tracy and Widom)
agree(W.square().mean((1, 2)) * N, 0.25, within=0.5 * edge)
z, delta = torch.randn(2, nets, N, 1, dtype=torch.float64)
rate = ((z > 0) * (W.mT @ delta)).square().sum((1, 2)) / delta.square().sum((1, 2))
agree(rate, chi, within=2 * chi * edge)

# %% [markdown] answer="regularization-08"
# 1. $\sigma_w$ becomes $c\,\sigma_w/(2\sigma_w) = c/2$. The initial scale cancels.
# 2. $\chi = \tfrac12\sigma_w^2 = c^2/{eight:d} = 1$ gives $c = 2\sqrt2 = {c:.3f}$.
# 3. $\chi = 1/{eight:d}$, and ${left:.1e}$ of the norm is left. No direction may grow, so the typical one is
#    halved in every layer, and the ReLU takes half of the square besides.

# %% [markdown] question="regularization-09" points=5 minutes=9 level="medium" kind="compute" objective="RG1"
# In one step the loss gradient of a weight vector has norm {loss_norm:g} and is perpendicular to the weights,
# which have norm {length:g}. The decay is $\lambda = {lam:g}$ and gradients are clipped to $\tau = {tau:g}$,
# with plain gradient descent.
#
# Compare two programs: (a) the penalty $\tfrac\lambda2\|w\|^2$ is part of the loss, and the whole gradient is
# clipped; (b) the loss gradient is clipped, and `weight_decay` adds $\lambda w$ afterward. By how much does
# each pull at the weights, and in which is the decay weakened while gradients are large?

# %%
loss_norm, length, lam, tau = 99.0, 10.0, 0.1, 1.0
pull = lam * length
total = math.hypot(loss_norm, pull)
factor = min(1.0, tau / total)
inside, outside = factor * pull, pull
ratio = outside / inside
w = torch.nn.Parameter(torch.tensor([length, 0.0], dtype=torch.float64))
w.grad = torch.tensor([0.0, loss_norm], dtype=torch.float64) + lam * w.detach()
torch.nn.utils.clip_grad_norm_([w], tau)
equals(w.grad[0], inside, rtol=1e-7)  # torch adds 1e-6 to the norm of 99
w.grad = torch.tensor([0.0, loss_norm], dtype=torch.float64)
torch.nn.utils.clip_grad_norm_([w], tau)
torch.optim.SGD([w], lr=1.0, weight_decay=lam).step()
equals(length - w[0].item(), outside)

# %% [markdown] answer="regularization-09"
# The pull of the decay is $\lambda\|w\| = {pull:g}$.
#
# (a) The whole gradient has the norm $\sqrt{{loss_norm:g}^2 + {pull:g}^2} = {total:.3f}$ and is multiplied by
# {factor:.4f}. Of the pull {inside:.4f} is left.
#
# (b) The loss gradient is clipped to {tau:g}, and the pull is added in full: {outside:g}, which is
# {ratio:.0f} times as much.
#
# So in (a) the decay is weakest exactly when gradients are large. For plain SGD without clipping the two
# programs are one; with clipping they are not.
