# %% [markdown]
# # Across the chapters
#
# Questions for an exam that need more than one chapter: a diagnosis from symptoms, a choice between remedies.
# Each has code that computes its answer: change a number at the top of a code cell and run `make questions`
# again.

# %%
import math

import torch

from blowup.evidence import agree, certain, equals
from blowup.theory import mean_field

# %% [markdown] question="across-01" points=6 minutes=10 level="medium" kind="read" objective="AX1"
# Two networks of {depth:d} layers fail, A with ReLU and B with tanh. Their logs say:
#
# | | first loss | loss after 5 steps | loss after 500 | norm of $\delta$, first over last layer, before step 1 |
# |---|---|---|---|---|
# | A | 160 | 2.31 | 2.30 | {ratio_a:.1f} |
# | B | 2.8 | 2.5 | 2.4 | {ratio_b:,.0f} |
#
# Both have ten classes. Which illness does each have? Compute the growth per layer of B. For each, say what
# clipping to norm 1 would do, and name a remedy that removes the cause.

# %%
depth, ratio_a, ratio_b = 20, 1.3, 360.0
layers = depth - 1
chi = ratio_b ** (2 / layers)
chi_a = ratio_a ** (2 / layers)
guess = math.log(10)
sigma_b = 3.0
equals(mean_field("tanh", sigma_b).chi, chi, rtol=0.01)  # the table has two digits

# %% [markdown] answer="across-01"
# A: its $\delta$ is level over the layers ($\chi = {chi_a:.2f}$), so the product is healthy. The first loss
# is far above that of a guess among ten, {guess:.2f}: the output is much too large. After a few steps the
# loss *stands* at that of a guess. One of the first steps was too long and has killed the units. Unscaled
# inputs are the usual cause. Clipping, from the start, would bound that first step and let it learn; scaled
# inputs remove the cause.
#
# B: the norm of $\delta$ grows by {ratio_b:,.0f} over {layers:d} layers, so
# $\chi = {ratio_b:.0f}^{2/{layers:d}} = {chi:.2f}$ a layer: a growing Jacobian product. The loss starts near
# that of a guess and wanders without learning much. Clipping scales all layers by one number and does not
# touch the product. What helps changes the factors: weights at the critical scale (a tanh network has this
# $\chi$ at $\sigma_w = {sigma_b:g}$ and is critical at $\sigma_w = 1$), fewer layers, skip connections.

# %% [markdown] question="across-02" points=6 minutes=12 level="medium" kind="choose" objective="AX2"
# A tanh network of {depth:d} layers was initialized with $\sigma_w = {sigma:g}$, where $\chi = {chi:.3f}$. It
# does not learn. Five remedies are proposed:
#
# (a) clip gradients to norm 0.1, (b) divide the learning rate by 100, (c) only {few:d} layers, (d)
# $\sigma_w = {milder:g}$, where $\chi = {chi_milder:.3f}$, (e) standardize the inputs.
#
# For each: does it change the growth of $\delta$ from the last layer to the first, and by what factor does
# the norm then grow? Rank them.

# %%
depth, few, sigma, milder = 24, 6, 2.5, 1.2
chi, chi_milder = mean_field("tanh", sigma).chi, mean_field("tanh", milder).chi
full, short, mild = chi ** ((depth - 1) / 2), chi ** ((few - 1) / 2), chi_milder ** ((depth - 1) / 2)
certain(full > short and full > mild)
nets, width = 12, 256


def growth(sigma_w, depth):
    q = mean_field("tanh", sigma_w).q  # start where the pre-activations settle
    a, kept = q**0.5 / sigma_w * torch.randn(nets, width, 1, dtype=torch.float64), []
    for _ in range(depth):
        W = torch.randn(nets, width, width, dtype=torch.float64) * sigma_w / width**0.5
        a = torch.tanh(W @ a)
        kept.append((W, 1 - a**2))
    delta = torch.randn(nets, width, 1, dtype=torch.float64) * kept[-1][1]
    top = delta.norm(dim=(1, 2))
    for (W, _), (_, slope) in zip(kept[:0:-1], kept[-2::-1]):
        delta = slope * (W.mT @ delta)
    return (delta.norm(dim=(1, 2)) / top).log()


finite = 2.5 * (depth - 1) / width  # a typical network lies below the mean
agree(growth(sigma, depth), math.log(full), within=finite)
agree(growth(milder, depth), math.log(mild), within=finite)

# %% [markdown] answer="across-02"
# The norm of $\delta$ grows by $\chi^{(L-1)/2} = {full:.0f}$.
#
# (a) and (b) shorten the step and leave every Jacobian as it is: {full:.0f} as before. (e) changes the input
# of the first layer only; $q$ settles within a few layers to the same value: practically {full:.0f} again.
# (c) takes layers out of the exponent: $\chi^{({few:d}-1)/2} = {short:.1f}$. (d) changes the factor itself:
# ${chi_milder:.3f}^{({depth:d}-1)/2} = {mild:.1f}$.
#
# So (d) is the best: it keeps the depth and costs nothing. (c) works and gives up depth. (a), (b) and (e)
# treat the other illness. They may be needed *as well*, once the product is mended.

# %% [markdown] question="across-03" points=5 minutes=9 level="medium" kind="predict" objective="AX1"
# A wide ReLU network has $\sigma_w^2 = {variance:g}$ and computes in float16, whose largest number is
# {largest:,.0f}.
#
# 1. With inputs of root mean square 1, in which layer does the root mean square of the activations pass that
#    number?
# 2. With inputs of root mean square {scale:g}?
# 3. "So scaling the inputs cures the overflow." Comment.

# %%
variance, scale = 2.5, 100.0
chi, largest = variance / 2, torch.finfo(torch.float16).max
first = math.ceil(2 * math.log(largest) / math.log(chi))
second = math.ceil(2 * math.log(largest / scale) / math.log(chi))
shift = 2 * math.log(scale) / math.log(chi)
size, layer = 1.0, 0
while size <= largest:
    size, layer = size * chi**0.5, layer + 1
certain(layer == first and abs(first - second - shift) <= 1)

# %% [markdown] answer="across-03"
# 1. The mean square is multiplied by $\sigma_w^2/2 = {chi:g}$ a layer, so the size at layer $n$ is
#    ${chi:g}^{n/2}$, which passes the limit in layer {first:d}. (Single entries overflow a few layers
#    earlier.)
# 2. In layer {second:d}.
# 3. The scale of the inputs is one factor, and it moves the overflow by a fixed
#    $2\ln {scale:g}/\ln {chi:g} = {shift:.0f}$ layers, whatever the depth. The growth per layer is untouched:
#    a deeper network overflows all the same. The weights set the factor.

# %% [markdown] question="across-04" points=5 minutes=9 level="hard" kind="predict" objective="AX1"
# A batch-normalized network is trained with weight decay. At step 0 the weights of a layer have norm
# {start:g} and its gradient has norm {g0:g}. The gradient of this layer is clipped to norm {tau:g}, "far
# above the usual". Decay shrinks the weights to {end:g}; the direction of the weights is as good as before.
#
# 1. What norm does the gradient have then, and is it clipped?
# 2. By what angle does a step with $\eta = {lr:g}$ turn the weights at the start, and later, with clipping
#    and without?
# 3. A monitor reports "gradients are exploding". What would you answer?

# %%
start, end, g0, tau, lr = 10.0, 2.0, 0.3, 1.0, 0.1
g1 = g0 * start / end
angle0 = math.degrees(math.atan(lr * g0 / start))
free = math.degrees(math.atan(lr * g1 / end))
clipped = math.degrees(math.atan(lr * min(g1, tau) / end))
x, y = torch.randn(64, 5, dtype=torch.float64), torch.randn(64, dtype=torch.float64)
w = torch.randn(5, dtype=torch.float64)
norms = []
for length in (start, end):
    v = (length * w / w.norm()).requires_grad_()
    z = x @ v
    loss = ((z - z.mean()) / z.std(correction=0) - y).square().mean()
    norms.append(torch.autograd.grad(loss, v)[0].norm())
equals(norms[1] / norms[0], start / end, rtol=1e-10)
ratio = start / end

# %% [markdown] answer="across-04"
# 1. $L(cw) = L(w)$, so the gradient goes with $1/\|w\|$: ${g0:g}\cdot{ratio:g} = {g1:g}$. The threshold that
#    was never reached now clips every step.
# 2. The gradient is perpendicular to the weights, so the angle is $\arctan(\eta\|g\|/\|w\|)$: {angle0:.2f}°
#    at the start. Later {free:.2f}° without clipping and {clipped:.2f}° with it.
# 3. The product of Jacobians has not changed and no step is absurd. Shorter weights have larger gradients;
#    that is what decay does in front of a normalization. Watch $\|g\|\,\|w\|$, or the angle per step, for
#    such layers. If the turns are too large, lower $\eta\lambda$.

# %% [markdown] question="across-05" points=5 minutes=8 level="medium" kind="read" objective="AX1"
# A ReLU network with {matrices:d} weight matrices and no normalization learns for hundreds of steps, at a
# constant rate and without decay. Its log:
#
# | step | 0 | 100 | 200 | 300 | 320 |
# |---|---|---|---|---|---|
# | norm of each matrix | {n0:.1f} | {n1:.1f} | {n2:.1f} | {n3:.1f} | {n4:.1f} |
# | gradient norm | 2.1 | 2.4 | 3.5 | 6.0 | 58 |
# | loss | 2.3 | 0.6 | 0.3 | 0.25 | 7.9 |
#
# 1. By what factor have the logits of the same input grown from step 0 to step 300, if all matrices keep
#    their direction and biases are left out?
# 2. Which illness is it? Name two remedies that act at once and one that acts slowly.
# 3. Somebody proposes a checkpoint and early stopping. What does that do?

# %%
matrices = 5
n0, n1, n2, n3, n4 = 8.0, 8.9, 9.8, 10.6, 10.9
growth = (n3 / n0) ** matrices
power = matrices - 1
gradient_growth = (n3 / n0) ** power
W = [torch.randn(20, 20, dtype=torch.float64) for _ in range(matrices)]
x = torch.randn(20, dtype=torch.float64)


def logits(c):
    a = x
    for w in W[:-1]:
        a = (c * w @ a).relu()
    return c * W[-1] @ a


equals(logits(n3 / n0).norm() / logits(1.0).norm(), growth, rtol=1e-11)
percent = 100 * (n3 / n0 - 1)

# %% [markdown] answer="across-05"
# 1. Each matrix is $c = {n3:.1f}/{n0:.1f}$ times as long, and the logits grow by
#    $c^{{matrices:d}} = {growth:.1f}$, although each matrix has grown by {percent:.1f} % only. The gradient
#    of a matrix that a wrong example sends back grows by about $c^{{power:d}} = {gradient_growth:.1f}$.
# 2. A step too long, and one that comes late: the rate was right for the network of step 0 and is not for the
#    one of step 300. At once: a smaller rate, clipping. Slowly: weight decay, which must have been on from
#    the start.
# 3. It saves what was learned before the fall. Trained further at the same rate, the same weights are likely
#    to fall again.

# %% [markdown] question="across-06" points=6 minutes=10 level="hard" kind="find the error" objective="AX2"
# "Our network has batch normalization behind its first linear layer, so there is no need to divide the pixels
# by 255." A colleague objects: "The raw pixels make the first layer's gradient 255 times larger."
#
# 1. Both are trained from the same initial weights with the same rate, in training mode and with
#    $\varepsilon = 0$. Who is right about the gradient of the first layer's weights? Derive it.
# 2. Now each input feature has a factor of its own. Does the network still not notice?
# 3. Which of the two statements fails if the normalization is taken away?

# %%
c = 255.0
x, probe = torch.randn(40, 6, dtype=torch.float64), torch.randn(40, dtype=torch.float64)
start = torch.randn(6, dtype=torch.float64)


def loss_and_gradient(inputs, normalized=True):
    w = start.clone().requires_grad_()
    z = inputs @ w
    z = (z - z.mean()) / z.std(correction=0) if normalized else z
    loss = (probe * torch.tanh(z)).sum() if normalized else (probe * z).sum()
    return loss.item(), torch.autograd.grad(loss, w)[0]


(loss1, g1), (loss2, g2) = loss_and_gradient(x), loss_and_gradient(c * x)
equals(loss1, loss2, atol=1e-11)
equals(g1, g2, atol=1e-11)
own, _ = loss_and_gradient(x * torch.linspace(0.5, 2, 6, dtype=torch.float64))
certain(abs(own - loss1) > 1e-9)
plain = loss_and_gradient(c * x, False)[1].norm() / loss_and_gradient(x, False)[1].norm()
equals(plain, c)
ratio = (g2.norm() / g1.norm()).item()

# %% [markdown] answer="across-06"
# 1. With inputs $cx$ all $z$ grow by $c$, and so do mean and deviation: $\hat z$ and everything behind it are
#    unchanged. On the way back $\partial L/\partial z = \frac1s[\dots]$ is $c$ times *smaller*, and
#    $\partial L/\partial W = \delta\,x^\top$ has an input $c$ times larger. The two cancel: the ratio of the
#    gradients is {ratio:.3g}. The first speaker is right, for one common factor.
# 2. It notices. $z = \sum_j w_j c_j x_j$ is then another mixture of the features, as if each weight had been
#    multiplied by its own factor. A normalization of $z$ can undo one factor, not one for each input.
# 3. The first. Without normalization the output of the first layer grows by a factor of 255, and so does the
#    first layer's gradient for a given gradient from above: the colleague is right there.

# %% [markdown] question="across-07" points=5 minutes=9 level="medium" kind="predict" objective="AX2"
# In a ReLU network with batch normalization ($\varepsilon = 0$) behind every linear layer, Glorot's
# initialization is used instead of He's, at equal widths: the standard deviations are smaller by $\sqrt2$.
# Plain gradient descent, no decay.
#
# 1. What changes in the signals, in the gradients of the weights, and in the angle by which the first step
#    turns them?
# 2. Without normalization and with {depth:d} layers, what does the same change do to the norm of $\delta$ at
#    the first layer, relative to the last?
# 3. Which rate makes the first step of the two normalized networks turn the weights alike?

# %%
depth = 30
shrink = math.sqrt(2)
left = 0.5 ** ((depth - 1) / 2)
X, y = torch.randn(64, 16, dtype=torch.float64), torch.randn(64, dtype=torch.float64)
base, top = torch.randn(2, 16, 16, dtype=torch.float64), torch.randn(16, dtype=torch.float64)


def normalized(z):
    return (z - z.mean(0)) / z.std(0, correction=0)


def first(scale):
    W = [(scale * w).requires_grad_() for w in base]
    out = normalized(normalized(X @ W[0]).relu() @ W[1]).relu() @ top
    g = torch.autograd.grad((out - y).square().mean(), W)
    return out.detach(), g[0].norm().item(), (g[0].norm() / W[0].norm()).item()


(he, g_he, turn_he), (glorot, g_glorot, turn_glorot) = first(1.0), first(1 / shrink)
equals(he, glorot, rtol=1e-9, atol=1e-9)
gradients, angle = g_glorot / g_he, turn_glorot / turn_he
equals([gradients, angle], [shrink, 2], rtol=1e-9)

# %% [markdown] answer="across-07"
# 1. The signals behind each normalization are the same, since the factor cancels. The gradients of the
#    weights are {gradients:.3f} times larger (they go with $1/\|w\|$) and act on weights that are shorter by
#    the same factor, so the first step turns them by about {angle:.3g} times the angle.
# 2. Each layer keeps half of the squared gradient: ${left:.1e}$ of the norm is left.
# 3. Half of the rate. With normalization the choice between Glorot and He is a choice of the effective
#    learning rate; without, in a deep ReLU network, it decides whether anything is learned.

# %% [markdown] question="across-08" points=5 minutes=8 level="medium" kind="predict" objective="AX1"
# In a forward pass with batches of {batch:d} one single activation, of one unit for one example, overflows to
# `inf`. The layer behind it is a batch normalization in training mode, and behind that comes a linear layer
# with {width:d} units.
#
# How many entries are `nan` after the normalization, and after the linear layer? What does the loss say? You
# have only the log of the losses, and it says `nan`: why is it hard to find the place, and what would you log
# instead?

# %%
batch, width = 32, 64
z = torch.randn(batch, width)
z[3, 5] = math.inf
normalized = torch.nn.BatchNorm1d(width)(z)
after = torch.nn.Linear(width, width)(normalized)
first, second = normalized.isnan().sum().item(), after.isnan().sum().item()
certain(first == batch and second == batch * width)
loss = after.square().mean()
certain(loss.isnan())

# %% [markdown] answer="across-08"
# The mean of that unit over the batch is `inf`. Its variance contains $(\infty - \infty)^2$, which is `nan`,
# and so is the deviation. Every example of the batch is divided by it, so the unit is `nan` for all of them:
# {first:d} entries. Each output of the linear layer contains that unit, so all
# ${batch:d}\cdot{width:d} = {second:,d}$ entries are `nan`, and so is the loss.
#
# One overflow has become `nan` everywhere within two layers, and one update carries it into the weights. By
# then nothing tells where it began. Log the largest absolute value (or the norm) of each layer and look for
# the first `inf`, in the earliest layer and step.

# %% [markdown] question="across-09" points=4 minutes=7 level="easy" kind="read" objective="AX2"
# Plain gradient descent with $\eta = {lr:g}$. Before the first step the log of a network says:
#
# | layer | 1 | 5 | 10 | 15 |
# |---|---|---|---|---|
# | norm of the weights | {w1:g} | {w2:g} | {w3:g} | {w4:g} |
# | norm of the gradient | {g1:g} | {g2:g} | {g3:g} | {g4:g} |
#
# 1. By what fraction of its length does the first step change the weights of each layer?
# 2. The learning rate is lowered until the first layer changes by one percent. By what fraction does the last
#    one change then?
# 3. Would Adam, whose step is about $\eta$ for each weight whatever its gradient, give all layers sensible
#    steps? Would that cure the network?

# %%
lr = 0.01
weights, grads = (8.0, 8.0, 8.0, 8.0), (800.0, 100.0, 10.0, 1.0)
(w1, w2, w3, w4), (g1, g2, g3, g4) = weights, grads
f1, f2, f3, f4 = (lr * g / w for g, w in zip(grads, weights))
target = 0.01
needed = target * w1 / g1
last = needed * g4 / w4
steps = 1 / last
W = torch.full((4,), 4.0, dtype=torch.float64)  # norm 8
W.requires_grad_()
W.grad = torch.full((4,), g1 / 2, dtype=torch.float64)  # norm g1
before = W.detach().clone()
torch.optim.SGD([W], lr=needed).step()
equals((W.detach() - before).norm() / before.norm(), target)

# %% [markdown] answer="across-09"
# 1. $\eta\|g\|/\|w\|$: {f1:.3g}, {f2:.3g}, {f3:.3g} and {f4:.3g}. The first layer is replaced by something
#    else, the last hardly moves.
# 2. The rate must be ${needed:.0e}$. The last layer then changes by ${last:.3g}$ of its length, and takes
#    {steps:,.0f} such steps to change by its own length. No single rate suits both.
# 3. Adam gives every layer steps of the same size, so the last one moves as well. It does not change the
#    Jacobian product: the output still depends so violently on the first layers that their gradient holds for
#    next to no distance. Sizes of steps can be equalized; the cause is in the weights.
