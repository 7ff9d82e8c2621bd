# %% [markdown]
# # The chain rule
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch

from blowup.evidence import agree, certain, equals

# %% [markdown] question="chain-rule-01" points=4 minutes=6 level="easy" kind="compute" objective="CR1"
# Three layers of one neuron each: $z_\ell = W_\ell\,a_{\ell-1}$, $a_\ell = \varphi(z_\ell)$, $a_0 = x$. The
# activation is $\varphi(z) = z$ for $z > 0$ and ${leak:g}\,z$ otherwise. The loss is
# $L = \tfrac12(a_3 - y)^2$, with $W_1 = {w1:g}$, $W_2 = {w2:g}$, $W_3 = {w3:g}$, $x = {x:g}$, $y = {y:g}$.
#
# Compute $\partial L/\partial W_1$ by hand. Name each factor.

# %%
w1, w2, w3, x, y, leak = 2.0, -3.0, 5.0, 1.0, -1.0, 0.1


def phi(z):
    return torch.where(z > 0, z, leak * z)


W = torch.tensor([w1, w2, w3], dtype=torch.float64, requires_grad=True)
a, z = [torch.tensor(x, dtype=torch.float64)], []
for w in W:
    z.append(w * a[-1])
    a.append(phi(z[-1]))
(0.5 * (a[-1] - y) ** 2).backward()
z1, z2, z3 = (v.item() for v in z)
a1, a2, a3 = (v.item() for v in a[1:])
s1, s2, s3 = (1.0 if v > 0 else leak for v in (z1, z2, z3))
error = a3 - y
gradient = error * s3 * w3 * s2 * w2 * s1 * x
equals(gradient, W.grad[0])

# %% [markdown] answer="chain-rule-01"
# Forward: $z_1 = {z1:g}$, $a_1 = {a1:g}$; $z_2 = {z2:g}$, $a_2 = {a2:g}$; $z_3 = {z3:g}$, $a_3 = {a3:g}$.
#
# Backward, from the loss: the error $a_3 - y = {error:.3g}$, the slope $\varphi'(z_3) = {s3:g}$, the weight
# $W_3 = {w3:g}$, the slope $\varphi'(z_2) = {s2:g}$, the weight $W_2 = {w2:g}$, the slope
# $\varphi'(z_1) = {s1:g}$, the input $x = {x:g}$. Their product is
# $\partial L/\partial W_1 = {gradient:.4g}$. $W_1$ itself is not among the factors.

# %% [markdown] question="chain-rule-02" points=3 minutes=4 level="easy" kind="compute" objective="CR1"
# Layer 5 of a network computes $z = W a + b$. For one example the activations that enter it are
# $a = ({a1:g}, {a2:g}, {a3:g})$, and autograd reports $\partial L/\partial b = ({d1:g}, {d2:g})$.
#
# Write down $\partial L/\partial W$. One column of it is zero: why, and is it zero for every example?

# %%
a1, a2, a3, d1, d2 = 3.0, 0.0, 1.0, 0.2, -0.1
a = torch.tensor([a1, a2, a3], dtype=torch.float64)
delta = torch.tensor([d1, d2], dtype=torch.float64)
W = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
b = torch.zeros(2, dtype=torch.float64, requires_grad=True)
((W @ a + b) @ delta).backward()  # a loss whose gradient at z is delta
equals(b.grad, delta)
equals(W.grad, torch.outer(delta, a))
(g11, g12, g13), (g21, g22, g23) = W.grad.tolist()

# %% [markdown] answer="chain-rule-02"
# Since $z = Wa + b$, the gradient at $b$ is $\delta$ itself. So $\delta = ({d1:g}, {d2:g})$, and
#
# $$\frac{\partial L}{\partial W} = \delta\,a^\top = \begin{pmatrix} {g11:g} & {g12:g} & {g13:g}\\
# {g21:g} & {g22:g} & {g23:g} \end{pmatrix}.$$
#
# The second column belongs to the second input, which is zero here: a weight that met no signal cannot have
# changed the loss. For another example the same input may be on, and the column is not zero.

# %% [markdown] question="chain-rule-03" points=6 minutes=12 level="hard" kind="derive" objective="CR2"
# A chain of single tanh neurons shares one weight $W > 1$ and has no bias, so that
# $a_{\ell+1} = \tanh(W a_\ell)$. Deep in the chain the activation settles at some $a > 0$, with
# pre-activation $z = Wa$.
#
# 1. Show that each layer then multiplies the gradient by $\dfrac{2z}{\sinh 2z}$.
# 2. Conclude that no such chain explodes once it has settled, however large $W$.
# 3. For $W = {W:g}$ compute the factor. Somebody predicts a factor of {W:g}, "since the slope of tanh is 1".
#    Where is the mistake?

# %%
W = 3.0
a = torch.tensor(0.5, dtype=torch.float64)
for _ in range(200):
    a = torch.tanh(W * a)
z = (W * a).item()
factor = 2 * z / math.sinh(2 * z)
equals(factor, W * (1 - a.item() ** 2), rtol=1e-11)  # the chain rule's factor, W φ′(z)
settled = a.item()
slope = 1 - settled**2
certain([2 * v / math.sinh(2 * v) < 1 for v in (0.01, 0.1, 1.0, 5.0)])

# %% [markdown] answer="chain-rule-03"
# 1. The factor is $W\varphi'(z) = W(1 - \tanh^2 z) = W/\cosh^2 z$. Settled means $a = \tanh z$ and $z = Wa$,
#    so $W = z/\tanh z = z\cosh z/\sinh z$. Together: $\dfrac{z}{\sinh z\cosh z} = \dfrac{2z}{\sinh 2z}$.
# 2. $\sinh v = v + v^3/3! + \dots > v$ for every $v > 0$, so the factor is below 1 for every $z > 0$.
# 3. For $W = {W:g}$ the chain settles at $a = {settled:.4f}$, $z = {z:.3f}$, where the slope is {slope:.4f}.
#    The factor is ${factor:.4f}$. The slope of tanh is 1 at $z = 0$ only, and a large weight drives the
#    neuron away from there.

# %% [markdown] question="chain-rule-04" points=5 minutes=8 level="medium" kind="find the error" objective="CR1"
# This function is meant to return the gradients of a tanh network, all of whose layers have the same width,
# for $L = \tfrac12\|a_n - y\|^2$. `a` is the list of activations with `a[0]` the input, and `W[k]` leads from
# `a[k]` to `a[k + 1]`. It runs, and all shapes are right.
#
# ```python
# def backprop(W, a, y):
#     delta = (a[-1] - y) * (1 - a[-1] ** 2)
#     grads = [torch.outer(delta, a[-2])]
#     for layer in reversed(range(len(W) - 1)):
#         grads.insert(0, torch.outer(delta, a[layer]))
#         delta = (W[layer + 1].T @ delta) * (1 - a[layer + 1] ** 2)
#     return grads
# ```
#
# Find the mistake and mend it. Which of the gradients are right all the same?


# %%
def backprop(W, a, y, mended):
    delta = (a[-1] - y) * (1 - a[-1] ** 2)
    grads = [torch.outer(delta, a[-2])]
    for layer in reversed(range(len(W) - 1)):
        before = delta
        delta = (W[layer + 1].T @ delta) * (1 - a[layer + 1] ** 2)
        grads.insert(0, torch.outer(delta if mended else before, a[layer]))
    return grads


W = (torch.randn(4, 6, 6, dtype=torch.float64) / 6**0.5).requires_grad_()
x, y = torch.randn(2, 6, dtype=torch.float64)
a = [x]
for w in W:
    a.append(torch.tanh(w @ a[-1]))
(truth,) = torch.autograd.grad(0.5 * (a[-1] - y).square().sum(), W)
a, weights = [v.detach() for v in a], W.detach()
wrong, right = (torch.stack(backprop(weights, a, y, mended)) for mended in (False, True))
equals(right, truth, atol=1e-12)
agrees = [torch.allclose(g, t, atol=1e-12) for g, t in zip(wrong, truth)]
certain(agrees == [False, False, False, True])

# %% [markdown] answer="chain-rule-04"
# The two lines of the loop are in the wrong order. `a[layer]` enters `W[layer]`, so its partner is $\delta$
# of *that* layer. When the outer product is taken, `delta` still belongs to the layer above. Swap the lines:
#
# ```python
#         delta = (W[layer + 1].T @ delta) * (1 - a[layer + 1] ** 2)
#         grads.insert(0, torch.outer(delta, a[layer]))
# ```
#
# Only the gradient of the last layer is right, since it was made before the loop. All widths are equal, so no
# shape complained. A comparison with autograd finds such a mistake at once.

# %% [markdown] question="chain-rule-05" points=7 minutes=12 level="hard" kind="derive" objective="CR3"
# A vector is sent through a long product of independent $2\times2$ matrices with entries from
# $\mathcal N(0, s^2/2)$. For $N\times N$ matrices with entries from $\mathcal N(0, s^2/N)$ the Lyapunov
# exponent is $\lambda = \tfrac12\big[\ln\frac{2s^2}{N} + \psi(\tfrac N2)\big]$, where $\psi$ is the digamma
# function and $\psi(1) = {psi:.4f}$.
#
# 1. At which $s$ does a typical vector neither grow nor shrink?
# 2. At that $s$, by what factor does each matrix multiply the *mean* of the squared norm?
# 3. How can both be true?

# %%
psi = torch.digamma(torch.tensor(1.0, dtype=torch.float64)).item()
s = math.exp(-psi / 2)
mean_factor = s**2
growth, nets, depth = torch.zeros(400, dtype=torch.float64), 400, 200
x = torch.randn(nets, 2, 1, dtype=torch.float64)
for _ in range(depth):
    x = torch.randn(nets, 2, 2, dtype=torch.float64) * s / 2**0.5 @ (x / x.norm(dim=1, keepdim=True))
    growth += x.norm(dim=(1, 2)).log()
rate = growth / depth
agree(rate, 0)  # simulated: neither grows nor shrinks
one = torch.randn(200_000, 2, 2, dtype=torch.float64)[:, :, 0] * s / 2**0.5
agree(one.square().sum(1), mean_factor)

# %% [markdown] answer="chain-rule-05"
# 1. For $N = 2$ the condition $\lambda = 0$ reads $\ln s^2 + \psi(1) = 0$, so $s = e^{-\psi(1)/2} = {s:.4f}$.
#    That is well above 1: a narrow product needs larger weights before it explodes.
# 2. Each component of $Wx$ has variance $s^2\|x\|^2/2$ and there are two, so
#    $\mathbb E\|Wx\|^2 = s^2\|x\|^2$: a factor $s^2 = {mean_factor:.4f}$ for each matrix.
# 3. The logarithm is concave, so the mean of the logarithm is below the logarithm of the mean. The typical
#    product is level; a few huge products, rarer and larger with every matrix, carry a mean that grows.

# %% [markdown] question="chain-rule-06" points=4 minutes=6 level="medium" kind="read" objective="CR3"
# In a wide tanh network of {depth:d} layers somebody logs the norm of $\delta$ at initialization:
#
# | layer | {first:d} | {second:d} | {third:d} |
# |---|---|---|---|
# | norm of $\delta$ | {n1:.0f} | {n2:.1f} | {n3:.2f} |
#
# Read off $\chi$. If the growth is the same in all layers, what is the norm at layer 1, and what would it
# have been in a network of twice the depth with the same norm at the last layer?

# %%
depth, first, second, third = 20, 5, 10, 15
n1, n2, n3 = 128.0, 16.2, 2.05
chi = (n1 / n3) ** (2 / (third - first))
halfway = (n1 / n2) ** (2 / (second - first))
certain(abs(halfway / chi - 1) < 0.05)  # a straight line on a log axis
root = chi**0.5
at_first = n1 * chi ** ((first - 1) / 2)
at_last = n3 / chi ** ((depth - third) / 2)
twice = at_last * chi ** ((2 * depth - 1) / 2)
steps = third - first

# %% [markdown] answer="chain-rule-06"
# From layer {third:d} back to layer {first:d}, over {steps:d} layers, the norm grows by ${n1:.0f}/{n3:.2f}$.
# The norm grows by $\sqrt\chi$ a layer, so $\sqrt\chi = {root:.3f}$ and $\chi = {chi:.2f}$. The value in
# between fits: its two ratios are nearly equal, so the line is straight on a logarithmic axis.
#
# Four layers further back the norm is ${n1:.0f}\cdot\chi^2 = {at_first:.0f}$. At the last layer it is
# {at_last:.2f}; a network twice as deep multiplies that by $\chi^{1/2}$ in each of its layers but one, to
# {twice:.2g}. Depth is in the exponent: doubling it does not double the growth, it squares it and a little
# more.

# %% [markdown] question="chain-rule-07" points=5 minutes=8 level="medium" kind="compute" objective="CR4"
# Plain gradient descent on $L = \tfrac12(\lambda_1 w_1^2 + \lambda_2 w_2^2)$ with $\lambda_1 = {steep:g}$ and
# $\lambda_2 = {flat:g}$.
#
# 1. What is the largest stable learning rate?
# 2. At half of it, after how many steps has $w_2$ shrunk to a hundredth?
# 3. The learning rate is now set to {far:g} times the limit. Which of the two weights diverges, and what is
#    it multiplied by in a step? What does the other one do?

# %%
steep, flat, far = 100.0, 1.0, 1.05
limit = 2 / steep
lr = limit / 2
steps = math.ceil(math.log(0.01) / math.log(1 - lr * flat))
w, taken = 1.0, 0
while abs(w) > 0.01:
    w, taken = w - lr * flat * w, taken + 1
certain(taken == steps)
factor_steep, factor_flat = 1 - far * limit * steep, 1 - far * limit * flat
v = torch.tensor([1.0, 1.0], dtype=torch.float64)
for _ in range(50):
    v = v - far * limit * torch.tensor([steep, flat], dtype=torch.float64) * v
certain(v[0].abs() > 1 > v[1].abs())
grows = abs(factor_steep)

# %% [markdown] answer="chain-rule-07"
# 1. Each weight is multiplied by $1 - \eta\lambda$ in a step, and $|1-\eta\lambda| < 1$ for both needs
#    $\eta < 2/\lambda_1 = {limit:g}$. The steepest direction sets the limit.
# 2. At $\eta = {lr:g}$ the flat weight is multiplied by $1 - \eta\lambda_2 = 1 - {lr:g}$, and it takes
#    {steps:d} steps. The ratio of the two curvatures is the price.
# 3. $w_1$, by ${factor_steep:.3g}$: it changes its sign and grows by a factor of {grows:.3g} at every step.
#    $w_2$ is multiplied by {factor_flat:.3g} and goes on converging, although the loss, soon dominated by
#    $w_1$, no longer shows it.

# %% [markdown] question="chain-rule-08" points=5 minutes=8 level="medium" kind="predict" objective="CR5"
# In float32, where $e^z$ overflows above $z = {border:.1f}$, somebody writes a loss for the logits
# $z = ({z1:g}, {z2:g})$:
#
# ```python
# loss = torch.log(torch.exp(z).sum())
# ```
#
# What is the value of this loss, and what is its gradient? What would both be in exact arithmetic? Where does
# the first `inf` appear, and where the first `nan`?

# %%
z1, z2 = 100.0, 0.0
border = math.log(torch.finfo(torch.float32).max)
z = torch.tensor([z1, z2], requires_grad=True)
loss = torch.log(torch.exp(z).sum())
(gradient,) = torch.autograd.grad(loss, z)
certain([math.isinf(loss.item()), gradient[0].isnan().item(), gradient[1].item() == 0])
exact = torch.logsumexp(z, 0)
(sound,) = torch.autograd.grad(exact, z)
true_loss, g1, g2 = exact.item(), sound[0].item(), math.exp(z2 - z1)
equals([true_loss, g1], [z1, 1], rtol=1e-6)  # float32

# %% [markdown] answer="chain-rule-08"
# $e^{{z1:g}}$ is above the largest float32, so `exp` gives `inf`: the first one, in the forward pass. The sum
# is `inf` and so is the loss. In exact arithmetic it would be
# $\ln(e^{{z1:g}} + e^{{z2:g}}) \approx {true_loss:.4g}$, a harmless number.
#
# Backward, the slope of the logarithm is $1/\infty = 0$, and the gradient of the first logit is
# $0\cdot\infty$, the first `nan`. The second is $0\cdot 1 = 0$. In exact arithmetic the two are ${g1:.3g}$
# and ${g2:.2g}$, to rounding. Overflow gives `inf`; it takes a second operation to make `nan` of it.
# `torch.logsumexp` subtracts the largest logit first and has neither.

# %% [markdown] question="chain-rule-09" points=6 minutes=10 level="hard" kind="predict" objective="CR3"
# In a toy model each layer multiplies the gradient by {up:g} or by {down:g}, with equal chance and
# independently of the others. There are {depth:d} layers.
#
# 1. By what factor does the mean of the gradient grow in a layer, and what is it after all layers?
# 2. What is the median after all layers?
# 3. In what share of the networks is the gradient larger at the end than at the start?

# %%
up, down, depth = 2.0, 0.4, 50
mean_factor = (up + down) / 2
mean = mean_factor**depth
typical = (up * down) ** 0.5
median = (up * down) ** (depth / 2)
ways = [math.comb(depth, k) for k in range(depth + 1)]
grown = [k for k in range(depth + 1) if up**k * down ** (depth - k) > 1]
share = sum(ways[k] for k in grown) / 2**depth
ups = torch.randint(2, (100_000, depth)).sum(1)
logs = ups * math.log(up) + (depth - ups) * math.log(down)
agree((logs > 0).double(), share)
equals(logs.median(), math.log(median), rtol=1e-5)  # float32; of so many the middle one is sure
least, percent = grown[0], 100 * share

# %% [markdown] answer="chain-rule-09"
# 1. The mean of a product of independent factors is the product of the means: ${mean_factor:g}$ a layer, and
#    ${mean_factor:g}^{{depth:d}} = {mean:,.0f}$ at the end.
# 2. The median network has as many large factors as small ones: $\sqrt{{up:g}\cdot{down:g}} = {typical:.3g}$
#    a layer, and ${median:.2g}$ at the end. Mean and median disagree about the sign of the growth.
# 3. The gradient has grown if $k$ of the factors are large, with
#    $k\ln {up:g} + ({depth:d}-k)\ln {down:g} > 0$, that is $k \ge {least:d}$. A binomial count has that with
#    chance {percent:.0f} %. So a few networks hold up a mean that most never reach. Average logarithms, or
#    quote medians.
