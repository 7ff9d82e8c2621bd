# %% [markdown]
# # Gradient clipping
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch
from torch.nn.utils import clip_grad_norm_

from blowup.evidence import agree, certain, equals

# %% [markdown] question="gradient-clipping-01" points=4 minutes=7 level="easy" kind="compute" objective="GC1"
# A model has two parameters. Their gradients are $({a1:g}, {a2:g})$ and $({b1:g}, {b2:g})$.
#
# Clip them by norm to $\tau = {tau:g}$, then, starting again from the original gradients, by value to
# {cap:g}. Give the clipped gradients, the norm of the whole before and after, and the angle by which the
# whole turns.

# %%
a1, a2, b1, b2, tau, cap = 6.0, -8.0, 0.0, 24.0, 2.6, 5.0
g = torch.tensor([a1, a2, b1, b2], dtype=torch.float64)
norm = g.norm().item()
factor = min(1.0, tau / norm)
c1, c2, c3, c4 = (factor * g).tolist()
by_value = g.clamp(-cap, cap)
v1, v2, v3, v4 = by_value.tolist()
norm_value = by_value.norm().item()
cosine = torch.cosine_similarity(g, by_value, dim=0).item()
angle = math.degrees(math.acos(cosine))
p, q = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
p.grad, q.grad = g[:2].float(), g[2:].float()
equals(clip_grad_norm_([p, q], tau), norm, rtol=1e-6)  # float32
equals(torch.cat([p.grad, q.grad]), factor * g, rtol=1e-6)

# %% [markdown] answer="gradient-clipping-01"
# The norm counts all parameters together: $\sqrt{{a1:g}^2 + ({a2:g})^2 + {b1:g}^2 + {b2:g}^2} = {norm:g}$.
#
# By norm: every entry times ${tau:g}/{norm:g} = {factor:g}$, so $({c1:.2g}, {c2:.2g})$ and
# $({c3:.2g}, {c4:.2g})$. The norm is {tau:g} and the angle 0.
#
# By value: $({v1:g}, {v2:g})$ and $({v3:g}, {v4:g})$, of norm {norm_value:.3f}. The cosine with the original
# is {cosine:.4f}, an angle of {angle:.1f}°: each entry is shortened by a factor of its own.

# %% [markdown] question="gradient-clipping-02" points=4 minutes=6 level="medium" kind="predict" objective="GC2"
# A weight starts {distance:g} away from its optimum, on a slope so steep that every gradient is clipped. The
# threshold is $\tau = {tau:g}$ and the learning rate $\eta = {lr:g}$.
#
# How many steps does it take at least with plain gradient descent? About how many with momentum
# $\beta = {beta:g}$?

# %%
distance, tau, lr, beta = 50.0, 1.0, 0.05, 0.9
plain = math.ceil(distance / (lr * tau))
about = distance * (1 - beta) / (lr * tau)


def travel(momentum):
    p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([p], lr=lr, momentum=momentum)
    for step in range(1, 10 * plain):
        p.grad = torch.full((1,), -1e6, dtype=torch.float64)
        clip_grad_norm_([p], tau)
        optimizer.step()
        if p.item() >= distance * (1 - 1e-9):
            return step


certain(travel(0.0) == plain)
exact = travel(beta)
certain(abs(exact - about) < 20)
late = exact - about

# %% [markdown] answer="gradient-clipping-02"
# A clipped step of plain gradient descent is at most $\eta\tau = {lr:g}\cdot{tau:g}$ long, so it takes at
# least ${distance:g}/(\eta\tau) = {plain:,d}$ steps, however steep the slope. Clipping puts a speed limit on
# the whole run, not only on the accidents.
#
# With momentum equal gradients add up to $\tau/(1-\beta)$. At that speed it takes
# ${distance:g}\,(1-\beta)/(\eta\tau) = {about:,.0f}$ steps, and the start-up costs a few more: {exact:,d} in
# a run, {late:.0f} later. A threshold that was chosen without momentum allows longer steps with it.

# %% [markdown] question="gradient-clipping-03" points=4 minutes=5 level="easy" kind="find the error" objective="GC2"
# A training loop clips, and its loss explodes exactly as before:
#
# ```python
# for x, y in loader:
#     loss = criterion(model(x), y)
#     loss.backward()
#     optimizer.step()
#     torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
#     optimizer.zero_grad()
# ```
#
# Why? Write the five lines of the loop's body in the right order.


# %%
def path(order):
    w = torch.nn.Parameter(torch.tensor([3.0], dtype=torch.float64))
    optimizer, visited = torch.optim.SGD([w], lr=0.3), []
    for _ in range(6):
        (w**4).sum().backward()
        if order == "right":
            clip_grad_norm_([w], 1.0)
        optimizer.step()
        if order == "late":
            clip_grad_norm_([w], 1.0)
        optimizer.zero_grad()
        visited.append(w.item())
    return torch.tensor(visited, dtype=torch.float64)


equals(path("late"), path("never"))
certain(path("late").abs().max() > 1e6 and path("right").abs().max() < 3)

# %% [markdown] answer="gradient-clipping-03"
# The step has already used the gradients when they are clipped, and the next line deletes them. The clipping
# acts on nothing: the path is the same, bit for bit, as without it. It belongs after the backward pass and
# before the step:
#
# ```python
#     loss = criterion(model(x), y)
#     optimizer.zero_grad()
#     loss.backward()
#     torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
#     optimizer.step()
# ```
#
# (`zero_grad` may stand anywhere outside the stretch from `backward` to `step`.) Log the norm that
# `clip_grad_norm_` returns: it is the norm before clipping, and would have shown the explosion in either
# place.

# %% [markdown] question="gradient-clipping-04" points=6 minutes=10 level="medium" kind="find the error" objective="GC2"
# To save memory a gradient is added up over {parts:d} micro-batches. `clip_grad_norm_(parameters, {tau:g})`
# is called after *each* `backward`. The micro-batches send the gradients $({x:g}, 0)$ and then $(0, {x:g})$,
# one after the other.
#
# Which gradient does the optimizer get? Which one should it get? By how many degrees do they differ, and
# which micro-batch does the mistake favor?

# %%
parts, tau, x = 2, 1.0, 4.0
grads = torch.tensor([[x, 0.0], [0.0, x]], dtype=torch.float64)
p = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
for g in grads:
    (p @ g).backward()  # adds g to p.grad
    clip_grad_norm_([p], tau)
wrong = p.grad.clone()
p.grad = None
(p @ grads.sum(0)).backward()
clip_grad_norm_([p], tau)
right = p.grad.clone()
after_first = tau
sum_norm = math.hypot(after_first, x)
expected = torch.tensor([after_first, x], dtype=torch.float64) / sum_norm * tau
equals(wrong, expected, rtol=1e-6)  # torch adds 1e-6 to a norm
w1, w2 = wrong.tolist()
r1, r2 = right.tolist()
angle = math.degrees(torch.cosine_similarity(wrong, right, dim=0).acos())

# %% [markdown] answer="gradient-clipping-04"
# After the first micro-batch $({x:g}, 0)$ is clipped to $({after_first:g}, 0)$. The second adds its gradient
# to what is left: $({after_first:g}, {x:g})$, of norm {sum_norm:.3f}, which is clipped to
# $({w1:.3f}, {w2:.3f})$.
#
# The sum of both is $({x:g}, {x:g})$; clipped once, at the end, it is $({r1:.3f}, {r2:.3f})$. The two differ
# by {angle:.0f}°. The early micro-batches are shortened again and again, the last one only once: it
# dominates, and the result depends on their order. Clip once, after the last `backward`.

# %% [markdown] question="gradient-clipping-05" points=6 minutes=10 level="hard" kind="derive" objective="GC4"
# A weight gets the gradient ${small:g}$ from {usual:.0f} % of the examples and ${large:g}$ from the others.
# Each *example's* gradient is clipped to $\tau$, then they are averaged.
#
# 1. In which direction does the weight move without clipping, and in which with $\tau = {tau:g}$?
# 2. Above which $\tau$ is the direction right?
# 3. Would it help to clip the average of the batch instead?

# %%
small, large, rare, tau = -1.0, 20.0, 0.1, 1.0
usual = 100 * (1 - rare)


def mean(limit):
    return (1 - rare) * max(-limit, min(limit, small)) + rare * max(-limit, min(limit, large))


unclipped, clipped, keep = mean(math.inf), mean(tau), 1 - rare
border = (1 - rare) * -small / rare
certain(mean(border * 1.001) > 0 > mean(border * 0.999))
sample = torch.where(torch.rand(200_000, dtype=torch.float64) < rare, large, small)
agree(torch.stack([sample, sample.clamp(-tau, tau)], 1), [unclipped, clipped])
certain(unclipped > 0 > clipped)

# %% [markdown] answer="gradient-clipping-05"
# 1. The mean gradient is ${unclipped:.2g}$, so descent moves the weight down. Clipped one by one it is
#    ${clipped:.2g}$: descent moves the weight *up*, away from the optimum. The rare examples carry the mean,
#    and they lose most.
# 2. If $\tau$ is below both sizes, every example counts as $\pm\tau$ and the many win. Between the two sizes
#    the mean is ${keep:g}\cdot({small:g}) + {rare:g}\,\tau$, which is positive for $\tau > {border:g}$.
# 3. Yes, for the direction. If the batch is large enough for its average to have the right sign, clipping it
#    multiplies it by a positive number and cannot turn it. (In a small batch without a rare example the
#    average itself points the wrong way. Clipping then shortens the batches *with* one, and a bias remains.)

# %% [markdown] question="gradient-clipping-06" points=5 minutes=8 level="easy" kind="read" objective="GC3"
# The norms of the first {n:d} gradients of a run without clipping:
#
# {log:s}
#
# 1. Choose a threshold by the median, and say what share of these steps it would clip.
# 2. What would the mean have suggested, and why is it a bad guide here?
# 3. With $\eta = {lr:g}$ and momentum {beta:g}: how long can a step become under your threshold?

# %%
norms = torch.tensor([0.8, 1.1, 0.9, 1.3, 14.0, 1.0, 0.7, 1.2, 35.0, 0.9, 1.1, 1.0], dtype=torch.float64)
lr, beta = 0.02, 0.9
n, log = len(norms), "0.8  1.1  0.9  1.3  14  1.0  0.7  1.2  35  0.9  1.1  1.0"
equals([float(v) for v in log.split()], norms)
median, mean = norms.quantile(0.5).item(), norms.mean().item()
share = 100 * (norms > median).double().mean().item()
above_mean = (norms > mean).sum().item()
longest = lr * median / (1 - beta)
p = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
optimizer, before = torch.optim.SGD([p], lr=lr, momentum=beta), 0.0
for _ in range(300):
    before, p.grad = p.item(), torch.full((1,), median, dtype=torch.float64)
    optimizer.step()
equals(before - p.item(), longest, rtol=1e-9)

# %% [markdown] answer="gradient-clipping-06"
# 1. The median is {median:.2f}. Of these steps {share:.0f} % are above it: most of them are shortened a
#    little, and the two giants a lot.
# 2. The mean is {mean:.2f}, pulled up by these two giants. Only these {above_mean:d} norms are above it, and
#    clipping would leave them several times longer than a usual gradient.
# 3. Equal gradients of norm $\tau$ add up to $\tau/(1-\beta)$ in the velocity:
#    $\eta\tau/(1-\beta) = {longest:.2f}$.

# %% [markdown] question="gradient-clipping-07" points=7 minutes=14 level="hard" kind="derive" objective="GC3"
# Plain gradient descent on $L = \tfrac12\lambda w^2$ with $\lambda = {curvature:g}$ and $\eta = {lr:g}$
# diverges, since $\eta\lambda = {product:g} > 2$. Now the gradient is clipped to $\tau = {tau:g}$.
#
# 1. What is a step like for $|w| > \tau/\lambda$, and what for $|w| < \tau/\lambda$?
# 2. Show that $w$ comes near the minimum, that it can never settle there, and that its distance stays below
#    $\eta\tau$.
# 3. What do you see in a log of the loss and of the norm? What would you change?

# %%
curvature, lr, tau = 3.0, 1.0, 0.01
product, step = lr * curvature, lr * tau
zone = tau / curvature
w, visited = 0.7312, []
for _ in range(2000):
    g = curvature * w
    w = w - lr * max(-tau, min(tau, g))
    visited.append(w)
late = torch.tensor(visited[500:], dtype=torch.float64)
certain(zone < late.abs().max() < step)
certain(late.diff().abs().max() <= step * (1 + 1e-9) and late[-100:].abs().mean() > step / 4)
minus, gain = 1 - product, abs(1 - product)
worst = 0.5 * curvature * step**2

# %% [markdown] answer="gradient-clipping-07"
# 1. Outside, the gradient is longer than $\tau$ and the step is exactly $\eta\tau = {step:g}$ toward the
#    minimum. Inside, $|w| < \tau/\lambda = {zone:.4f}$, nothing is clipped, and $w$ is multiplied by
#    $1 - \eta\lambda = {minus:g}$.
# 2. From far away $w$ moves by {step:g} a step until it is within {step:g} of the minimum. A clipped step
#    from there leads to the other side, to a distance of $|\eta\tau - |w|| < \eta\tau$. An unclipped step
#    multiplies the distance by {gain:g}, to less than ${gain:g}\,\tau/\lambda < \eta\tau$. So it stays within
#    $\eta\tau$. It cannot settle: inside the zone every step leads outward. (Only a step that lands on 0
#    exactly would end it.)
# 3. The loss falls and then hovers, at up to $\tfrac12\lambda(\eta\tau)^2 = {worst:.1e}$; the norm jumps up
#    and down around the threshold and never goes to zero. Clipping has turned a divergence into a dance. A
#    smaller rate ends it, here any $\eta < 2/\lambda$.

# %% [markdown] question="gradient-clipping-08" points=5 minutes=8 level="medium" kind="compute" objective="GC4"
# A model has {n:.0e} parameters, and in one step every entry of its gradient is {entry:.0e}. All computation
# is in float32, whose largest number is {largest:.2e}.
#
# 1. Does the square of one entry overflow? Does the norm, computed as the root of the sum of squares? What
#    does the optimizer get after clipping to 1?
# 2. From what size of the entries on does this happen, for this number of parameters?
# 3. Propose a way to compute the norm that does not overflow.

# %%
n, entry = 10**6, 1e17
largest = torch.finfo(torch.float32).max
border = math.sqrt(largest / n)
g = torch.full((n,), entry)
square = entry**2
certain(torch.isfinite(g[0].square()) and torch.isinf(g.square().sum()))
p = torch.nn.Parameter(torch.zeros(n))
p.grad = g.clone()
certain(torch.isinf(clip_grad_norm_([p], 1.0)) and p.grad.eq(0).all())
top = g.abs().max()
safe = (top * (g / top).square().sum().sqrt()).item()
true_norm = entry * math.sqrt(n)
equals(safe, true_norm, rtol=1e-5)  # float32
certain(torch.isfinite(torch.full((n,), 0.9 * border).square().sum()))

# %% [markdown] answer="gradient-clipping-08"
# 1. One square is ${square:.0e}$, which fits. The sum of ${n:.0e}$ of them does not: the norm is `inf`, the
#    factor $\tau/\infty$ is 0, and the optimizer gets zeros, without an error and without a `nan`.
# 2. From $\sqrt{\text{largest}/n} = {border:.1e}$ on. The more parameters, the earlier.
# 3. Divide by the largest entry $m$ first: $\|g\| = m\,\|g/m\|$. Here that gives ${safe:.1e}$, which is right
#    and fits easily. (Or sum in float64.) And log the norm: an `inf` there is the only trace that the mistake
#    leaves.

# %% [markdown] question="gradient-clipping-09" points=7 minutes=14 level="hard" kind="predict" objective="GC1"
# Adaptive clipping (AGC) allows each unit a gradient of at most $\lambda\max(\|w\|, {floor:g})$, with $w$ the
# unit's own weights. A unit starts at $w = 0$, its gradient is huge and always points the same way,
# $\lambda = {lam:g}$ and $\eta = {lr:g}$.
#
# How does $\|w\|$ grow? After how many steps does it reach 1? What would clipping to a fixed norm of {lam:g}
# have done?

# %%
floor, lam, lr = 1e-3, 0.01, 0.1
first = math.ceil(1 / (lr * lam))
then = math.ceil(math.log(1 / floor) / math.log(1 + lr * lam))
length, steps, phase = 0.0, 0, None
while length < 1:
    length, steps = length + lr * lam * max(length, floor), steps + 1
    phase = steps if phase is None and length >= floor * (1 - 1e-9) else phase
certain(abs(phase - first) <= 1 and abs(steps - first - then) <= 2)
total = first + then
fixed = math.ceil(1 / (lr * lam))

# %% [markdown] answer="gradient-clipping-09"
# While $\|w\| < {floor:g}$ the cap is $\lambda\cdot{floor:g}$ and each step adds $\eta\lambda\cdot{floor:g}$:
# straight growth, {first:,d} steps until $\|w\| = {floor:g}$.
#
# From there on a step adds $\eta\lambda\|w\|$: the length is multiplied by $1+\eta\lambda$, exponential
# growth, and reaches 1 after $\ln(1/{floor:g})/\ln(1+\eta\lambda)$, that is {then:,d} further steps. Together
# {total:,d}.
#
# Under a fixed threshold each step adds $\eta\lambda$, and the length 1 is reached after {fixed:,d} steps.
# AGC limits *relative* change: small weights move slowly, and a unit at zero moves only thanks to the floor.
