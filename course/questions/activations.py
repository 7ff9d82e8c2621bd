# %% [markdown]
# # Activations
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch

from blowup.evidence import agree, certain, equals
from blowup.theory import mean_field

u = torch.linspace(-9, 9, 20_000, dtype=torch.float64)  # a grid for averages under a standard Gaussian
density = torch.exp(-(u**2) / 2) / torch.exp(-(u**2) / 2).sum()

# %% [markdown] question="activations-01" points=4 minutes=6 level="easy" kind="compute" objective="AC1"
# The hard tanh is $\varphi(z) = \max(-1, \min(1, z))$. A wide layer has weights of variance $\sigma_w^2/N$
# with $\sigma_w = {sigma_w:g}$, and its pre-activations have variance $q = {q:g}$.
#
# By what factor $\chi$ does the layer multiply the squared norm of the gradient? (For a standard Gaussian,
# $P(|u| < 1) = {inside:.4f}$.)

# %%
sigma_w, q = 1.3, 1.0
inside = math.erf(1 / math.sqrt(2))
share = math.erf(1 / math.sqrt(2 * q))
chi = sigma_w**2 * share
nets, width = 16, 400
z, delta = q**0.5 * torch.randn(2, nets, width, 1, dtype=torch.float64)
W = torch.randn(nets, width, width, dtype=torch.float64) * sigma_w / width**0.5
passed = ((z.abs() < 1) * (W.mT @ delta)).square().sum((1, 2))
agree(passed / delta.square().sum((1, 2)), chi)
square = sigma_w**2

# %% [markdown] answer="activations-01"
# $\chi = \sigma_w^2\,\mathbb E[\varphi'(z)^2]$. The slope is 1 where $|z| < 1$ and 0 elsewhere, so the
# average is the share of pre-activations inside, $P(|z| < 1) = {share:.4f}$ for $q = {q:g}$. Hence
# $\chi = {square:g}\cdot{share:.4f} = {chi:.3f}$: the squared gradient grows, although the units outside pass
# nothing on.

# %% [markdown] question="activations-02" points=7 minutes=14 level="hard" kind="derive" objective="AC1"
# The squared ReLU is $\varphi(z) = \max(z, 0)^2$. Consider wide layers without biases, with weights of
# variance $\sigma_w^2/N$ and Gaussian pre-activations of variance $q$.
#
# 1. Show that $\chi = 2\sigma_w^2\,q$, and that the next variance is $\tfrac32\sigma_w^2\,q^2$.
# 2. Find the fixed point $q^* > 0$ and $\chi$ there. What is remarkable about it?
# 3. Is there a scale of the weights at which such a network is stable over depth?

# %%
sigma_w = 0.7
phi, slope = u.relu() ** 2, 2 * u.relu()
second, fourth = (density * slope**2).sum().item(), (density * phi**2).sum().item()
equals([second, fourth], [2, 1.5], rtol=1e-6)  # E φ′² = 2q, E φ² = 3q²/2 at q = 1, on a grid of step 9e-4
q_star = 2 / (3 * sigma_w**2)
chi = 2 * sigma_w**2 * q_star
map_slope = 3 * sigma_w**2 * q_star
equals(1.5 * sigma_w**2 * q_star**2, q_star)
paths = []
for start in (0.99, 1.01):
    q = start * q_star
    for _ in range(12):
        q = 1.5 * sigma_w**2 * q**2
    paths.append(q / q_star)
certain(paths[0] < 1e-10 and paths[1] > 1e10)

# %% [markdown] answer="activations-02"
# 1. $\varphi' = 2\max(z, 0)$, so $\mathbb E\varphi'^2 = 4\cdot\tfrac12\,\mathbb E z^2 = 2q$ and
#    $\chi = 2\sigma_w^2 q$. Forward, $\mathbb E\varphi^2 = \tfrac12\,\mathbb E z^4 = \tfrac32 q^2$, and the
#    next variance is $\sigma_w^2$ times that.
# 2. $q^* = \tfrac32\sigma_w^2 q^{*2}$ gives $q^* = \dfrac{2}{3\sigma_w^2}$. There
#    $\chi = \tfrac43 = {chi:.4f}$, whatever the weights: their scale cancels.
# 3. No. At the fixed point the gradient grows by $\tfrac43$ a layer. And the signal does not stay there: the
#    map $q\mapsto\tfrac32\sigma_w^2q^2$ has the slope $3\sigma_w^2q^* = {map_slope:g}$ at $q^*$, so every
#    deviation doubles. Below $q^*$ the signal and with it $\chi$ die, above it both explode. Such an
#    activation needs a normalization in every layer, and even then the gradient grows.

# %% [markdown] question="activations-03" points=4 minutes=6 level="easy" kind="compute" objective="AC1"
# A network of {depth:d} leaky ReLU layers uses a slope of {leak:g} for negative input. Somebody initializes
# it with $\sigma_w = \sqrt2$, the scale of a ReLU.
#
# How many times larger is the *norm* of $\delta$ at the first layer than at the last? Which $\sigma_w$ would
# keep it level?

# %%
depth, leak = 40, 0.3
layers = depth - 1
chi = 2 * (1 + leak**2) / 2
too_large = chi ** (layers / 2)
right = math.sqrt(2 / (1 + leak**2))
slopes = torch.where(u > 0, 1.0, leak)  # in float32
equals((density * slopes**2).sum() * 2, chi, rtol=1e-6)
equals((density * slopes**2).sum() * right**2, 1, rtol=1e-6)

# %% [markdown] answer="activations-03"
# $\mathbb E\varphi'^2 = \tfrac12(1 + s^2)$ with $s = {leak:g}$, so at $\sigma_w^2 = 2$ each layer multiplies
# the squared norm by $\chi = 1 + s^2 = {chi:.3g}$. The gradient crosses {layers:d} layers on its way from the
# last to the first, and its norm grows by $\chi^{{layers:d}/2} = {too_large:.2f}$. It stays level at
# $\sigma_w = \sqrt{2/(1+s^2)} = {right:.4f}$, a change of a few percent.

# %% [markdown] question="activations-04" points=5 minutes=8 level="medium" kind="find the error" objective="AC1"
# "The slope of SELU reaches {steepest:.3f}. Over {depth:d} layers a gradient can grow by
# ${steepest:.3f}^{{depth:d}} = {claimed:.1e}$. A sigmoid has slopes of at most $\tfrac14$ and is safe. So
# SELU is the most dangerous activation there is."
#
# At SELU's own scale ($\sigma_w = 1$, no biases) the pre-activations settle at variance 1, and there
# $\mathbb E\varphi'^2 = {chi:.4f}$. Compute what the gradient really does over {depth:d} layers, and name the
# two mistakes of the argument.

# %%
depth = 30
scale, alpha = 1.0507009873554805, 1.6732632423543772
steepest = scale * alpha
claimed = steepest**depth
q, chi = mean_field("selu", 1.0)
equals(q, 1, rtol=1e-6)  # SELU has its two numbers for this
real = chi ** (depth / 2)
slopes = scale * torch.where(u > 0, 1.0, alpha * torch.exp(u.clamp(max=0)))
equals((density * slopes**2).sum(), chi, rtol=1e-6)  # a grid of step 9e-4, with a jump between two points
sigmoid_q, sigmoid_chi = mean_field("sigmoid", 1.0)
sigmoid_end = sigmoid_chi ** (depth / 2)

# %% [markdown] answer="activations-04"
# The norm grows by $\chi^{{depth:d}/2} = {chi:.4f}^{{depth:d}/2} = {real:.2f}$: a mild explosion, not a
# catastrophe.
#
# First mistake: the largest slope is met just left of zero only. What counts is the average of $\varphi'^2$
# over where the pre-activations lie. Second: the slope is one factor of $\chi$ and the weights are the other.
# "Safe" is no property of an activation. At $\sigma_w = 1$ a sigmoid keeps $\chi = {sigmoid_chi:.3f}$ a
# layer, and over the same depth the norm falls to ${sigmoid_end:.1e}$.

# %% [markdown] question="activations-05" points=5 minutes=8 level="medium" kind="derive" objective="AC2"
# Two inputs of a wide ReLU network without biases, at initialization, meet at an angle of {degrees:g}°.
#
# 1. What share of the units of the first layer is off for both?
# 2. In the second layer? (The angle between the activations follows
#    $\cos\theta' = \frac{\sin\theta + (\pi-\theta)\cos\theta}{\pi}$.)
# 3. Does a smaller scale of the weights change these shares?

# %%
degrees = 60.0
theta = math.radians(degrees)


def off_for_both(angle):
    return 0.5 - angle / (2 * math.pi)


following = math.acos((math.sin(theta) + (math.pi - theta) * math.cos(theta)) / math.pi)
first, second, next_degrees = off_for_both(theta), off_for_both(following), math.degrees(following)
nets, width = 16, 256
x = torch.zeros(width, 2, dtype=torch.float64)
x[0, 0], x[0, 1], x[1, 1] = 1, math.cos(theta), math.sin(theta)
for share in (first, second):
    z = torch.randn(nets, width, width, dtype=torch.float64) @ x
    agree((z <= 0).all(2).double().mean(1), share, within=1 / width)
    x = z.relu()

# %% [markdown] answer="activations-05"
# 1. The two pre-activations are Gaussian with correlation $\cos\theta$. Both are negative with probability
#    $\tfrac12 - \theta/2\pi = {first:.4f}$.
# 2. $\cos\theta'$ gives $\theta' = {next_degrees:.1f}°$, and the share rises to {second:.4f}. The inputs come
#    together with depth, and in the limit the share is one half.
# 3. No. A unit is off by the sign of $z$, and a positive factor does not change a sign.

# %% [markdown] question="activations-06" points=6 minutes=12 level="hard" kind="derive" objective="AC2"
# The activation $\varphi = \operatorname{erf}$ has the slope $\varphi'(z) = \frac{2}{\sqrt\pi}e^{-z^2}$ and
# saturates at $\pm1$. Its exact factor, without biases, is $\chi = \dfrac{4\sigma_w^2}{\pi\sqrt{1+4q}}$.
#
# Argue *without* this formula that $\chi$ grows only in proportion to $\sigma_w$ when $\sigma_w$ is large,
# find the constant, and check it against the formula. Compare with a ReLU.

# %%
constant = 2 / math.pi
sigma_w = 1000.0
exact = 4 * sigma_w**2 / (math.pi * math.sqrt(1 + 4 * sigma_w**2))
equals(exact / sigma_w, constant, rtol=1 / sigma_w**2)
field = mean_field("erf", 200.0)
equals(field.chi / 200, constant, rtol=1 / 200)  # its own q is below σ_w² by a share of some 1/σ_w
integral = math.sqrt(math.pi / 2) * 4 / math.pi
at = 10.0
chi_erf, chi_relu = constant * at, at**2 / 2

# %% [markdown] answer="activations-06"
# With large weights nearly every activation is $\pm1$, so $q \approx \sigma_w^2\cdot1$. The slope is zero
# except near $z = 0$, where the Gaussian has the density $1/\sqrt{2\pi q}$:
#
# $$\mathbb E\varphi'^2 \approx \frac{1}{\sqrt{2\pi}\,\sigma_w}\int\frac4\pi e^{-2z^2}dz
# = \frac{1}{\sqrt{2\pi}\,\sigma_w}\cdot\frac4\pi\sqrt{\frac\pi2}, \qquad \chi \approx \frac2\pi\,\sigma_w =
# {constant:.3f}\,\sigma_w.$$
#
# (The integral is {integral:.3f}.) The formula agrees: for large $q = \sigma_w^2$ it is
# $4\sigma_w^2/(\pi\cdot2\sigma_w)$. One power of $\sigma_w$ multiplies the gradient, and saturation takes the
# other: larger weights leave fewer units with a slope. A ReLU never saturates, $\chi = \sigma_w^2/2$. At
# $\sigma_w = {at:g}$ the two are {chi_erf:.1f} and {chi_relu:.0f}.

# %% [markdown] question="activations-07" points=4 minutes=6 level="easy" kind="predict" objective="AC3"
# To see "whether the nonlinearity matters at all", a student deletes the ReLUs of a network of {depth:d}
# layers and leaves its weights, He's, as they are.
#
# Predict what happens to the signal on its way forward and to $\delta$ on its way back, at initialization.
# Which one change makes the comparison fair?

# %%
depth = 25
layers = depth - 1
forward, backward = 2 ** (depth / 2), 2 ** (layers / 2)
nets, width = 16, 128
a = torch.randn(nets, width, 1, dtype=torch.float64)
start = a.square().mean((1, 2))
for _ in range(depth):
    a = torch.randn(nets, width, width, dtype=torch.float64) * (2 / width) ** 0.5 @ a
growth = (a.square().mean((1, 2)) / start).sqrt().log()
agree(growth, math.log(forward), within=depth / (2 * width))  # the mean logarithm of a chi-square

# %% [markdown] answer="activations-07"
# He's variance $2/n$ pays for the half that a ReLU takes away. Without the ReLU nothing is taken: each layer
# doubles the mean square, and $\chi = 2$. The root mean square of the signal grows by
# $2^{{depth:d}/2} = {forward:,.0f}$ over {depth:d} layers. On the way back $\delta$ crosses {layers:d} layers
# and grows by ${backward:,.0f}$.
#
# The fair comparison gives each network its own scale: $\sigma_w^2 = 1$ for the linear one. Otherwise the
# experiment compares two initializations.

# %% [markdown] question="activations-08" points=7 minutes=14 level="hard" kind="derive" objective="AC4"
# Two inputs give a layer Gaussian pre-activations at an angle $\theta$. A leaky ReLU has the slopes 1 and
# $s$.
#
# 1. Show that the layer multiplies the cosine of the gradients at the two inputs by
#    $\rho = 1 - \dfrac\theta\pi\cdot\dfrac{(1-s)^2}{1+s^2}$.
# 2. Check it for $s = 0$ and $s = 1$.
# 3. At $\theta = 90°$, compare $s = 0$ with $s = {leak:g}$. Does the leak help to keep gradients alike?

# %%
leak, theta = 0.3, math.pi / 2


def rho(s):
    return 1 - theta / math.pi * (1 - s) ** 2 / (1 + s**2)


z = torch.randn(40_000, 2, dtype=torch.float64)  # at a right angle: independent
for s in (0.0, leak, 1.0):
    slopes = torch.where(z > 0, 1.0, s)
    agree(slopes.prod(1) / ((1 + s**2) / 2), rho(s))
plain, leaky = rho(0.0), rho(leak)

# %% [markdown] answer="activations-08"
# 1. The factor is $\mathbb E[\varphi'(z)\varphi'(z')]/\mathbb E[\varphi'^2]$. The two signs differ with
#    probability $\theta/\pi$, and the product of slopes is then $s$. Otherwise both are positive or both
#    negative, each with half of the rest, and the product is 1 or $s^2$:
#
#    $$\mathbb E[\varphi'(z)\,\varphi'(z')] = \tfrac12(1+s^2)\Big(1-\frac\theta\pi\Big) + s\,\frac\theta\pi.$$
#
#    Divide by $\tfrac12(1+s^2)$: $\rho = 1 - \frac\theta\pi\big(1 - \frac{2s}{1+s^2}\big)$, and
#    $1 + s^2 - 2s = (1-s)^2$.
# 2. $s = 0$ gives $1 - \theta/\pi$, the law of the ReLU; $s = 1$ gives 1, since a linear layer has one
#    Jacobian for all inputs.
# 3. ${plain:.3f}$ for the ReLU and ${leaky:.3f}$ with the leak. It helps: the straighter the activation, the
#    more of a gradient at one input holds for another. A right *size* of the gradient ($\chi = 1$) says
#    nothing about this.

# %% [markdown] question="activations-09" points=5 minutes=8 level="medium" kind="read" objective="AC2"
# A tanh network is initialized without biases. In every layer but the first few, {share:.0f} % of the units
# are saturated, with a slope below a tenth, that is $|z| > {edge:.2f}$. Theory gives for the variance $q$ of
# the pre-activations:
#
# | $\sigma_w$ | 1.5 | 2 | 2.5 | 3 |
# |---|---|---|---|---|
# | $q$ | {q1:.2f} | {q2:.2f} | {q3:.2f} | {q4:.2f} |
#
# Which $\sigma_w$ was used? Is this network at risk, and which way? (Use
# $P(|z| > {edge:.2f}) = \operatorname{erfc}({edge:.2f}/\sqrt{2q})$, or a table of the Gaussian.)

# %%
share = 36.0
edge = math.atanh(0.9**0.5)
fields = [mean_field("tanh", s) for s in (1.5, 2.0, 2.5, 3.0)]
q1, q2, q3, q4 = (f.q for f in fields)
p1, p2, p3, p4 = (100 * math.erfc(edge / math.sqrt(2 * f.q)) for f in fields)
closest = min(zip((p1, p2, p3, p4), (1.5, 2.0, 2.5, 3.0), fields), key=lambda row: abs(row[0] - share))
sigma_w, chi = closest[1], closest[2].chi
certain(abs(closest[0] - share) < 1.5)
growth = chi**0.5

# %% [markdown] answer="activations-09"
# The formula gives {p1:.0f}, {p2:.0f}, {p3:.0f} and {p4:.0f} % for the four scales, so it was
# $\sigma_w = {sigma_w:g}$. A wide network needs $\sigma_w > 1$ to explode, and this one does:
# $\chi = {chi:.2f}$ at this scale, the norm of $\delta$ grows by {growth:.2f} in each layer on its way back.
# The saturated units pass next to nothing on, but the rest more than make up for it. Many saturated units do
# not mean that the gradient vanishes.
