# %% [markdown]
# # Batch normalization
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch
import torch.nn.functional as F

from blowup.evidence import agree, equals
from blowup.theory import batch_norm_growth

# %% [markdown] question="batch-normalization-01" points=4 minutes=6 level="easy" kind="compute" objective="BN1"
# A unit has the pre-activations $z = ({z1:g}, {z2:g}, {z3:g}, {z4:g})$ over a batch of four. Its scale is
# $\gamma = {gamma:g}$, its shift $\beta = {beta:g}$, and $\varepsilon = 0$.
#
# 1. Compute the output of batch normalization in training.
# 2. The fourth value becomes {far:,.0f}. What output does it get now, to two decimals, and what happens to
#    the other three?

# %%
z1, z2, z3, z4, gamma, beta, far = 1.0, 3.0, 5.0, 7.0, 2.0, 1.0, 7000.0


def normalized(z):
    return (z - z.mean()) / z.std(correction=0)


z = torch.tensor([z1, z2, z3, z4], dtype=torch.float64)
mean, variance = z.mean().item(), z.var(correction=0).item()
y1, y2, y3, y4 = (gamma * normalized(z) + beta).tolist()
whole = F.batch_norm(
    z[:, None], None, None, torch.tensor([gamma]).double(), torch.tensor([beta]).double(), True, eps=1e-12
)
equals(whole[:, 0], gamma * normalized(z) + beta, atol=1e-11)
z[3] = far
o1, o2, o3, o4 = (gamma * normalized(z) + beta).tolist()
bound = math.sqrt(3)
limit = gamma * bound + beta
equals(o4, limit, rtol=1e-6)  # thousands of deviations away from the others: one over their square below
apart = abs(o3 - o1)

# %% [markdown] answer="batch-normalization-01"
# 1. The mean is {mean:g} and the biased variance {variance:g}, so the output is
#    $\gamma\,(z - {mean:g})/\sqrt{{variance:g}} + \beta$: $({y1:.2f}, {y2:.2f}, {y3:.2f}, {y4:.2f})$.
# 2. No standardized value passes $\sqrt{B-1} = {bound:.3f}$, and one outlier among nearly equal values sits
#    nearly on that bound: its output is $\gamma\sqrt{B-1} + \beta = {o4:.2f}$. The other three are squeezed
#    together near ${o2:.2f}$, not more than {apart:.4f} apart. The output of the outlier does no harm; what
#    it takes from its companions is their resolution.

# %% [markdown] question="batch-normalization-02" points=5 minutes=9 level="medium" kind="compute" objective="BN1"
# Batch normalization, in training, meets a unit with the pre-activations
# $z = ({z1:g}, {z2:g}, {z3:g}, {z4:g})$; $\gamma = 1$, $\beta = 0$, $\varepsilon = 0$. The loss depends on
# the first output only, $\partial L/\partial y = (1, 0, 0, 0)$.
#
# Compute $\partial L/\partial z$ for all four examples. Name two properties that such a gradient must have,
# and check them. Why do the other examples get a gradient at all?

# %%
z1, z2, z3, z4 = 1.0, 3.0, 5.0, 7.0
z = torch.tensor([z1, z2, z3, z4], dtype=torch.float64, requires_grad=True)
z_hat = (z - z.mean()) / z.std(correction=0)
(dz,) = torch.autograd.grad(z_hat[0], z)
h, s = z_hat.detach(), z.detach().std(correction=0).item()
g = torch.tensor([1.0, 0, 0, 0], dtype=torch.float64)
by_hand = (g - g.mean() - h * (g * h).mean()) / s
equals(dz, by_hand, atol=1e-12)
equals([dz.sum(), dz @ h], 0, atol=1e-12)
d1, d2, d3, d4 = dz.tolist()
h1, h2, h3, h4 = h.tolist()
mean_g, mean_gh = g.mean().item(), (g * h).mean().item()

# %% [markdown] answer="batch-normalization-02"
# With $g = \partial L/\partial\hat z$ the backward pass is
# $\frac1s\big[g - \langle g\rangle - \hat z\,\langle g\hat z\rangle\big]$. Here
# $\hat z = ({h1:.3f}, {h2:.3f}, {h3:.3f}, {h4:.3f})$, $s = {s:.3f}$, $\langle g\rangle = {mean_g:g}$ and
# $\langle g\hat z\rangle = {mean_gh:.4f}$, so
#
# $$\frac{\partial L}{\partial z} = ({d1:.4f}, {d2:.4f}, {d3:.4f}, {d4:.4f}).$$
#
# The entries add up to 0, and their product with $\hat z$ is 0: shifting or stretching all $z$ together
# changes no output. The other examples are part of the mean and of the deviation that the first one is
# measured by, so they have a say in its output.

# %% [markdown] question="batch-normalization-03" points=5 minutes=8 level="medium" kind="compute" objective="BN1"
# A fresh `BatchNorm1d` layer (momentum 0.1, running mean 0, running variance 1) sees {k:d} large batches in
# each of which a unit has mean {m:g} and variance {v:g}. Then it is switched to evaluation. The scale is 1,
# the shift 0. (Ignore $\varepsilon$, and the difference between biased and unbiased variance.)
#
# 1. What are the running statistics now?
# 2. What output does $z = {z:g}$ get in evaluation, and what did it get in training?
# 3. How many batches does it take until the running mean is within 1 % of {m:g}?

# %%
k, m, v, z = 10, 5.0, 9.0, 8.0
keep, close = 0.9, 0.01
left = keep**k
running_mean, running_var = m * (1 - left), v + (1 - v) * left
evaluated, trained = (z - running_mean) / math.sqrt(running_var), (z - m) / math.sqrt(v)
needed = math.ceil(math.log(close) / math.log(keep))
layer = torch.nn.BatchNorm1d(1, dtype=torch.float64)
batch = torch.randn(64, 1, dtype=torch.float64)
batch = (batch - batch.mean()) / batch.std() * v**0.5 + m  # this mean and (unbiased) variance exactly
for _ in range(k):
    layer(batch)
equals(layer.running_mean, running_mean)
equals(layer.running_var, running_var)
equals(layer.eval()(torch.tensor([[z]], dtype=torch.float64)), evaluated, rtol=1e-5)  # ε

# %% [markdown] answer="batch-normalization-03"
# 1. Each batch keeps nine tenths of the old value, so after {k:d} batches ${keep:g}^{{k:d}} = {left:.3f}$ of
#    the start is left: mean ${m:g}\,(1 - {left:.3f}) = {running_mean:.3f}$, variance
#    ${v:g} + (1 - {v:g})\cdot{left:.3f} = {running_var:.3f}$.
# 2. In evaluation $({z:g} - {running_mean:.3f})/\sqrt{{running_var:.3f}} = {evaluated:.3f}$, in training
#    $({z:g} - {m:g})/\sqrt{{v:g}} = {trained:g}$. A network that is evaluated too early is not the one that
#    was trained.
# 3. ${keep:g}^k < {close:g}$ from $k = {needed:d}$ on.

# %% [markdown] question="batch-normalization-04" points=5 minutes=9 level="hard" kind="derive" objective="BN2"
# In a batch of $B$ examples a unit has the same huge value $c > 0$ for $k$ of them and 0 for the others. Let
# $\varepsilon = 0$.
#
# 1. Show that the $k$ large ones get $\hat z = \sqrt{(B-k)/k}$, whatever their value.
# 2. For $B = {B:d}$: which value do they get for $k = 1$, {few:d} and {half:d}?
# 3. A feature that is on for few examples thus gets a large $\hat z$. Is the *gradient* that flows back
#    through such an example large as well?

# %%
B, few, half, huge = 64, 4, 32, 1e6


def value(k):
    return math.sqrt((B - k) / k)


for k in (1, few, half):
    z = torch.zeros(B, dtype=torch.float64)
    z[:k] = huge
    z_hat = (z - z.mean()) / z.std(correction=0)
    equals(z_hat[0], value(k))
one, some, many = value(1), value(few), value(half)
z = torch.zeros(B, dtype=torch.float64)
z[0] = huge
z.requires_grad_()
z_hat = (z - z.mean()) / z.std(correction=0)
(dz,) = torch.autograd.grad(z_hat[0], z)
equals(dz, 0, atol=1e-15)

# %% [markdown] answer="batch-normalization-04"
# 1. Let $p = k/B$. The mean is $pc$, the variance $p(1-p)c^2$, and
#    $\hat z = \frac{c - pc}{c\sqrt{p(1-p)}} = \sqrt{\frac{1-p}{p}} = \sqrt{(B-k)/k}$.
# 2. {one:.2f}, {some:.2f} and {many:.2f}.
# 3. No. The backward pass carries $1/s$, and $s$ is in proportion to the huge value. For $k = 1$ there is
#    more: $\hat z_1$ sits on its bound, the largest value it can have, so no small change of any $z$ changes
#    it to first order, and the gradient through it is 0. Large values forward do not mean large gradients
#    backward.

# %% [markdown] question="batch-normalization-05" points=6 minutes=10 level="medium" kind="predict" objective="BN2"
# All weights of a network feed into batch normalization ($\varepsilon = 0$), and it is trained with plain
# gradient descent without decay. You start a second run with all weights multiplied by $c = {c:g}$.
#
# 1. Compare its losses and its gradients at the start.
# 2. By what factor must you multiply the learning rate so that both runs visit the same *directions* of the
#    weights, step by step?
# 3. What happens if you leave the rate alone?

# %%
c, lr = 3.0, 0.5
X, y = torch.randn(32, 6, dtype=torch.float64), torch.randn(32, dtype=torch.float64)
start = torch.randn(6, dtype=torch.float64)


def run(w, lr, steps=25):
    losses = []
    for _ in range(steps):
        w = w.detach().requires_grad_()
        z = X @ w
        loss = ((z - z.mean()) / z.std(correction=0) - y).square().mean()
        (g,) = torch.autograd.grad(loss, w)
        losses.append(loss.item())
        w = w - lr * g
    return torch.tensor(losses, dtype=torch.float64), w.detach(), g


square = c**2
first, w1, _ = run(start, lr)
second, w2, _ = run(c * start, lr * square)
same, _, _ = run(c * start, lr)
equals(first, second, rtol=1e-9)  # 25 steps carry the rounding along
equals(w2, c * w1, rtol=1e-9, atol=1e-9)
slower, _, _ = run(start, lr / square)
equals(same, slower, rtol=1e-9)
g1, g2 = (run(v, lr, steps=1)[2].norm() for v in (start, c * start))
equals(g1 / g2, c, rtol=1e-10)

# %% [markdown] answer="batch-normalization-05"
# 1. The losses are equal, $L(cw) = L(w)$. Differentiate by $w$: $c\,\nabla L(cw) = \nabla L(w)$, so the
#    gradients are {c:g} times smaller.
# 2. The second run is at $c\,w$ and needs a step $c$ times as long, from a gradient $c$ times as small: the
#    rate must be multiplied by $c^2 = {square:g}$. Then it is at $c$ times the first run's weights after
#    every step.
# 3. It behaves like the first run at a rate {square:g} times smaller. The initial scale does not matter for
#    what such a network computes; it sets the effective learning rate, $\eta/\|w\|^2$.

# %% [markdown] question="batch-normalization-06" points=8 minutes=15 level="hard" kind="derive" objective="BN3"
# A wide network repeats: linear layer, batch normalization (large batch), leaky ReLU with slopes 1 and $s$.
#
# 1. Derive the growth of the squared gradient per layer,
#    $\chi = \mathbb E\varphi'(u)^2/\operatorname{Var}\varphi(u)$ with $u$ standard normal, as a function of
#    $s$. *Hint:* $\mathbb E\max(u,0) = 1/\sqrt{2\pi}$.
# 2. Check $s = 0$ and $s = 1$.
# 3. For $s = {s:g}$: after how many layers has the *norm* grown a hundredfold? And for the ReLU?

# %%
s = 0.2


def growth(s):
    return 1 / (1 - (1 - s) ** 2 / (math.pi * (1 + s**2)))


def depth(s):
    return math.ceil(2 * math.log(100) / math.log(growth(s)))


u = torch.linspace(-9, 9, 200_001, dtype=torch.float64)
density = torch.exp(-(u**2) / 2) / torch.exp(-(u**2) / 2).sum()
for slope in (0.0, s, 0.7):
    phi = torch.where(u > 0, u, slope * u)
    steep = torch.where(u > 0, u * 0 + 1, slope)
    mean, square = (density * phi).sum(), (density * phi**2).sum()
    # A grid of step 9e-5, on whose point 0 the slope jumps.
    equals((density * steep**2).sum() / (square - mean**2), growth(slope), rtol=1e-4)
equals([growth(0.0), growth(1.0)], [batch_norm_growth(), 1])
chi, relu, deep, deep_relu = growth(s), growth(0.0), depth(s), depth(0.0)

# %% [markdown] answer="batch-normalization-06"
# 1. $\mathbb E\varphi'^2 = \tfrac12(1+s^2)$, and $\mathbb E\varphi^2$ is the same, since
#    $\varphi(u) = u\,\varphi'(u)$ and the two halves have mean square $\tfrac12$ each. The mean is
#    $\mathbb E\varphi = (1-s)/\sqrt{2\pi}$. So
#    $\operatorname{Var}\varphi = \tfrac12(1+s^2) - (1-s)^2/(2\pi)$, and
#
#    $$\chi = \frac{1}{1 - \frac{(1-s)^2}{\pi(1+s^2)}}.$$
#
# 2. $s = 0$: $\pi/(\pi-1) = {relu:.3f}$. $s = 1$: no mean is lost, and $\chi = 1$.
# 3. $\chi = {chi:.3f}$, and $\chi^{n/2}$ passes a hundred at $n = {deep:d}$. For the ReLU it does so at
#    {deep_relu:d}. The mean that the normalization subtracts is what makes the gradient grow, and a leak
#    makes that mean smaller.

# %% [markdown] question="batch-normalization-07" points=5 minutes=8 level="medium" kind="choose" objective="BN3"
# A ReLU network with batch norm in each of its {depth:d} layers trains on one device with batches of
# {whole:d}. It is moved to {devices:d} devices that share each batch equally, and every device normalizes
# over its own part. For part sizes of {whole:d} and {part:d} the squared gradient grows by {chi_whole:.3f}
# and {chi_part:.3f} a layer at initialization.
#
# 1. By what factor does the norm of the gradient grow from the last layer to the first, before the move and
#    after it?
# 2. Name two remedies and what each costs.

# %%
depth, whole, devices = 30, 64, 8
part = whole // devices
layers = depth - 1
chi_whole, chi_part = batch_norm_growth(whole), batch_norm_growth(part)
before, after = chi_whole ** (layers / 2), chi_part ** (layers / 2)
ratio = after / before
equivalent = math.log(before) * 2 / math.log(chi_part)
nets, width, sampled = 20, 128, 12
a, z = torch.randn(nets, part, width, dtype=torch.float64), []
for _ in range(sampled):
    z.append((a @ (torch.randn(nets, width, width, dtype=torch.float64) / width**0.5)).requires_grad_())
    a = ((z[-1] - z[-1].mean(1, keepdim=True)) / z[-1].std(1, keepdim=True, correction=0)).relu()
first, last = torch.autograd.grad((a * torch.randn_like(a)).sum(), [z[2], z[-1]])
rates = 2 * (first.norm(dim=(1, 2)) / last.norm(dim=(1, 2))).log() / (sampled - 3)
agree(rates, math.log(chi_part), within=2.5 / width)  # a typical network lies a little below the mean

# %% [markdown] answer="batch-normalization-07"
# 1. Each device sees {part:d} examples. Over the {layers:d} layers that the gradient crosses the norm grew by
#    ${chi_whole:.3f}^{{layers:d}/2} = {before:.0f}$ and now grows by
#    ${chi_part:.3f}^{{layers:d}/2} = {after:,.0f}$: {ratio:.1f} times as much. The same code on more devices
#    is another network. (It is as if it were deeper: the old growth is now reached after {equivalent:.0f}
#    layers.)
# 2. Normalize over the whole batch on all devices (synchronized batch norm): the devices must exchange
#    statistics in every layer, forward and backward. Or use a norm that does not look at the batch, such as
#    layer or group norm: it is another function, and needs tuning of its own. Larger batches on each device
#    cost memory. Smaller initial weights do not help, since their scale cancels.

# %% [markdown] question="batch-normalization-08" points=5 minutes=8 level="medium" kind="find the error" objective="BN1"
# A network with batch norm reaches 98 % in training. Its author evaluates it class by class, one batch for
# each class, with
#
# ```python
# with torch.no_grad():
#     for x, y in one_class_at_a_time:
#         correct += (model(x).argmax(1) == y).sum()
# ```
#
# and finds an accuracy near chance. A unit that tells two equally frequent classes apart has pre-activations
# $\mathcal N(\pm{m:g}, 1)$, plus for one class, minus for the other. What standardized value does it give for
# the mean example of the first class with the line that is missing, and what without it?

# %%
m = 3.0
variance = m**2 + 1
right = m / math.sqrt(variance)
units, many = 50, 400
z = torch.randn(many, units, dtype=torch.float64)
layer = torch.nn.BatchNorm1d(units, dtype=torch.float64, momentum=None, affine=False)  # running: an average
layer(torch.cat([z[: many // 2] + m, z[many // 2 :] - m]))
alone = z[:100] + m
center = torch.full((1, units), m, dtype=torch.float64)
agree(layer.eval()(center)[0], right, within=1 / many)
wrong = (m - m) / 1.0
agree(layer.train()(torch.cat([alone, center]))[-1], wrong)

# %% [markdown] answer="batch-normalization-08"
# `model.eval()` is missing. With it the layer uses the running statistics of the mixture: mean 0, variance
# ${m:g}^2 + 1 = {variance:g}$, and the example gets ${m:g}/\sqrt{{variance:g}} = {right:.3f}$, clearly on its
# side.
#
# Without it the layer standardizes by the batch at hand, which holds one class only: mean {m:g}, deviation 1.
# The example gets {wrong:g}, and so does the mean example of the other class. What told the classes apart was
# their mean, and the batch has subtracted it. `no_grad` switches off gradients, not the training mode.

# %% [markdown] question="batch-normalization-09" points=4 minutes=7 level="medium" kind="find the error" objective="BN4"
# "Batch normalization keeps every standardized value within $\sqrt{B-1}$. So its activations are bounded, and
# therefore its gradients: a network with batch norm in each layer cannot have exploding gradients."
#
# Which step of the argument is wrong? By how much does the norm of the gradient grow over {depth:d} ReLU
# layers at initialization, with large batches? Why does the bound on the values not help?

# %%
depth = 50
chi = math.pi / (math.pi - 1)
grown = chi ** (depth / 2)
equals(chi, batch_norm_growth())
nets, batch, width, layers = 12, 128, 128, 12
a, z = torch.randn(nets, batch, width, dtype=torch.float64), []
for _ in range(layers):
    z.append((a @ (torch.randn(nets, width, width, dtype=torch.float64) / width**0.5)).requires_grad_())
    a = ((z[-1] - z[-1].mean(1, keepdim=True)) / z[-1].std(1, keepdim=True, correction=0)).relu()
grads = torch.autograd.grad((a * torch.randn_like(a)).sum(), [z[2], z[-1]])
rates = 2 * (grads[0].norm(dim=(1, 2)) / grads[1].norm(dim=(1, 2))).log() / (layers - 3)
agree(rates, math.log(chi), within=math.log(batch_norm_growth(batch) / chi) + 2.5 / width)

# %% [markdown] answer="batch-normalization-09"
# "And therefore its gradients" does not follow. The chain rule multiplies derivatives, not values. A function
# may stay between two bounds and still be as steep as you like.
#
# Backward, each layer multiplies the squared norm by $\pi/(\pi-1) = {chi:.3f}$. Over the {depth:d} layers the
# norm grows by ${chi:.3f}^{{depth:d}/2} = {grown:,.0f}$. The very step that keeps the values in bounds does
# it: the normalization subtracts the mean of the ReLU's output, stretches the rest back to one, and stretches
# the gradient with it.
