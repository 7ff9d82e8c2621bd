# %% [markdown]
# # Initialization
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch

from blowup.evidence import agree, certain

# %% [markdown] question="initialization-01" points=4 minutes=6 level="easy" kind="derive" objective="IN1"
# The input of a ReLU network is a bag of words: of {n:,d} entries exactly {k:d} are 1 and all others are 0.
# The weights of the first layer are independent, with mean 0.
#
# 1. Which variance gives its pre-activations the mean square 1?
# 2. Somebody uses $2/n_{\text{in}}$. What is the root mean square of the pre-activations then?

# %%
n, k = 10_000, 50
right = 1 / k
usual = 2 / n
rms = math.sqrt(k * usual)
x = torch.zeros(n, dtype=torch.float64)
x[torch.randperm(n)[:k]] = 1.0
for variance, law in ((right, 1.0), (usual, rms)):
    z = variance**0.5 * torch.randn(500, n, dtype=torch.float64) @ x
    agree(z.square(), law**2)

# %% [markdown] answer="initialization-01"
# 1. $\mathbb E[z^2] = \sigma^2\sum_j x_j^2$, since the mixed terms vanish. Only {k:d} of the squares are not
#    zero, so the sum is {k:d} and the variance must be $1/{k:d} = {right:g}$.
# 2. With $2/{n:,d}$ the mean square is ${k:d}\cdot{usual:g}$, a root mean square of {rms:.2f}: the signal
#    starts too small by that factor, and the layers behind keep it there. The rule counts inputs; what it
#    means is the sum of their squares, and it assumes that each is of size one.

# %% [markdown] question="initialization-02" points=4 minutes=6 level="easy" kind="compute" objective="IN1"
# A convolution has ${size:d}\times{size:d}$ filters, {c_in:d} input channels and {c_out:d} output channels,
# and a ReLU behind it. Give the standard deviation of its weights by He's rule for the forward pass
# (`fan_in`) and for the backward pass (`fan_out`). By what factor do the two choices differ in the mean
# square of the signal behind this layer?

# %%
size, c_in, c_out = 5, 16, 64
fan_in, fan_out = size**2 * c_in, size**2 * c_out
forward, backward = math.sqrt(2 / fan_in), math.sqrt(2 / fan_out)
W = torch.empty(c_out, c_in, size, size)
for mode, law in (("fan_in", forward), ("fan_out", backward)):
    torch.nn.init.kaiming_normal_(W, mode=mode, nonlinearity="relu")
    agree(W.square().flatten(), law**2)
ratio = forward**2 / backward**2

# %% [markdown] answer="initialization-02"
# An output sums ${size:d}^2\cdot{c_in:d} = {fan_in:d}$ terms, and an input feeds
# ${size:d}^2\cdot{c_out:d} = {fan_out:d}$ outputs. So $\sqrt{2/{fan_in:d}} = {forward:.4f}$ and
# $\sqrt{2/{fan_out:d}} = {backward:.4f}$. The variances, and with them the mean squares, differ by
# $c_{\text{out}}/c_{\text{in}} = {ratio:g}$. Over a whole network such factors telescope to one ratio of the
# last width to the first.

# %% [markdown] question="initialization-03" points=5 minutes=8 level="medium" kind="find the error" objective="IN2"
# This is meant to be He's initialization for a ReLU layer:
#
# ```python
# bound = (2 / n_in) ** 0.5
# W = torch.empty(n_out, n_in).uniform_(-bound, bound)
# ```
#
# What is wrong? Which $\chi$ does it give, and what part of the norm of $\delta$ is left after {depth:d}
# layers? Mend it.

# %%
depth, n = 20, 256
sigma_w2 = 2 / 3  # n · bound² / 3
chi = sigma_w2 / 2
left = chi ** (depth / 2)
bound = (2 / n) ** 0.5
W = torch.empty(400, n, dtype=torch.float64).uniform_(-bound, bound)
agree(n * W.square().flatten(), sigma_w2)
mended = torch.empty(400, n, dtype=torch.float64).uniform_(-((6 / n) ** 0.5), (6 / n) ** 0.5)
agree(n * mended.square().flatten(), 2)
six = 3 * 2

# %% [markdown] answer="initialization-03"
# The code takes the standard deviation for the bound. A uniform variable on $(-c, c)$ has the variance
# $c^2/3$, so $\sigma_w^2 = n\cdot\frac{2}{3n} = \tfrac23$ and $\chi = \tfrac12\sigma_w^2 = {chi:.4f}$: a
# third of the squared gradient is left in every layer, and ${left:.1e}$ of the norm after all of them. The
# bound must be $\sqrt{{six:d}/n_{\text{in}}}$:
#
# ```python
# bound = (3 * 2 / n_in) ** 0.5
# ```

# %% [markdown] question="initialization-04" points=5 minutes=9 level="medium" kind="find the error" objective="IN2"
# In a code base a layer computes `x @ W` with `W` of shape `(n_in, n_out)`. Its weights come from
# `torch.nn.init.kaiming_normal_(W, nonlinearity="relu")`, which takes the *second* size of a matrix for the
# number of inputs.
#
# 1. By what factor does a layer from {a:d} to {b:d} units multiply the mean square of the activations? One
#    from {b:d} to {a:d}?
# 2. Does a deep network whose widths alternate between {a:d} and {b:d} explode or vanish?
# 3. Why has nobody noticed in networks of constant width?

# %%
a, b = 256, 1024
up, down = a / b, b / a
nets = 16
x = torch.randn(nets, 50, a)
found = []
for n_in, n_out in ((a, b), (b, a)):
    W = [torch.nn.init.kaiming_normal_(torch.empty(n_in, n_out), nonlinearity="relu") for _ in range(nets)]
    before, x = x.square().mean((1, 2)), (x @ torch.stack(W)).relu()
    found.append(x.square().mean((1, 2)) / before)
agree(torch.stack(found, 1), [up, down])
pair = up * down

# %% [markdown] answer="initialization-04"
# 1. The weights get the variance $2/n_{\text{out}}$. The mean square of $z$ is
#    $n_{\text{in}}\cdot2/n_{\text{out}}$ times that of the activations, and the ReLU halves it:
#    $n_{\text{in}}/n_{\text{out}}$, which is {up:g} on the way up and {down:g} on the way down.
# 2. Neither. The product over a pair is {pair:g}; in general it telescopes to the first width over the last.
#    In effect the code uses `fan_out`, which protects the backward pass.
# 3. There $n_{\text{in}} = n_{\text{out}}$, and the two rules are one. A test with unequal widths would have
#    shown it.

# %% [markdown] question="initialization-05" points=6 minutes=12 level="hard" kind="predict" objective="IN3"
# A ReLU network of {depth:d} layers and width {width:d} starts with He's weights. To first order the
# logarithm of its squared signal, relative to the input, is Gaussian with mean $-\tfrac52L/n$ and variance
# $5L/n$.
#
# 1. What does the median network do to the *norm* of the signal?
# 2. In what share of such networks does the norm fall below a tenth?
# 3. A colleague draws one network, finds a norm of {seen:g} and concludes that He's rule is wrong. Comment.

# %%
depth, width, seen = 60, 60, 0.05
ratio = depth / width
mean, sd = -2.5 * ratio, math.sqrt(5 * ratio)
median = math.exp(mean / 2)


def below(norm):
    return 0.5 * math.erfc((mean - 2 * math.log(norm)) / sd / math.sqrt(2))


border, ten = 2 * math.log(0.1), 10
sigmas = (mean - border) / sd
percent, percent_seen = 100 * below(0.1), 100 * below(seen)
factors = 2 * torch.randn(2000, depth, width).relu().square().mean(2)
logs = factors.log().sum(1).double()  # exact law: the factors of the layers are independent
agree(logs, mean, within=5 * depth / width**2)  # the next order in 1/N
agree((logs < 2 * math.log(0.1)).double(), below(0.1), within=1 / width)

# %% [markdown] answer="initialization-05"
# 1. With $L/n = {ratio:g}$ the logarithm of the square has the median ${mean:g}$, so the norm is multiplied
#    by $e^{{mean:g}/2} = {median:.2f}$.
# 2. A norm below a tenth means a logarithm of the square below $2\ln\tfrac{1}{{ten:d}} = {border:.2f}$. The
#    spread is $\sqrt{5L/n} = {sd:.2f}$, so that is {sigmas:.2f} standard deviations below the middle:
#    {percent:.0f} % of the networks.
# 3. About {percent_seen:.0f} % of correctly initialized networks of this shape lie lower still. He's rule
#    keeps the mean of the square *over networks*, and depth over width says how far a single one strays. Draw
#    several, or make the network wider.

# %% [markdown] question="initialization-06" points=7 minutes=14 level="hard" kind="derive" objective="IN3"
# A leaky ReLU has the slopes 1 and $s$, and its weights the variance that keeps the mean square,
# $\frac{2}{(1+s^2)\,n}$. Let $R$ be the factor by which one layer of width $n$ multiplies the mean square of
# the activations.
#
# 1. Show that $\operatorname{Var} R = \dfrac1n\Big(\dfrac{6(1+s^4)}{(1+s^2)^2} - 1\Big)$. *Hint:*
#    $\mathbb E g^4 = 3$ for a standard Gaussian $g$.
# 2. Check it for the ReLU and for the linear network.
# 3. How much narrower may a linear network be than a ReLU network of the same depth for the same spread of
#    the signal?


# %%
def law(s):
    return 6 * (1 + s**4) / (1 + s**2) ** 2 - 1


relu, linear, six = law(0.0), law(1.0), 2 * 3
ratio = relu / linear
for s in (0.0, 0.3, 1.0):
    g = torch.randn(20_000, 100, dtype=torch.float64)
    R = (2 / (1 + s**2) * torch.where(g > 0, g, s * g) ** 2).mean(1)
    agree(torch.stack([R, 100 * (R - 1) ** 2], 1), [1, law(s)])

# %% [markdown] answer="initialization-06"
# 1. Given the activations $a$, the pre-activations are independent Gaussians, $z_i = g_i\,\sigma\|a\|$ with
#    $\sigma^2$ the variance of the weights. So $R = \frac1n\sum_i r_i$ with
#    $r = \frac{2}{1+s^2}\varphi(g)^2$. Its mean is $\frac{2}{1+s^2}\cdot\frac{1+s^2}{2} = 1$. By the hint
#    $\mathbb E\varphi(g)^4 = \frac{1+s^4}{2}\cdot3$, so its mean square is
#    $\frac{4}{(1+s^2)^2}\cdot\frac{1+s^4}{2}\cdot3 = \frac{{six:d}(1+s^4)}{(1+s^2)^2}$. Subtract the square
#    of the mean, and divide by $n$ for the average of $n$ independent terms.
# 2. $s = 0$: ${relu:g}/n$, the law of the He network. $s = 1$: ${linear:g}/n$, the variance of a chi-square
#    variable with $n$ degrees of freedom, divided by $n$.
# 3. The variance of the logarithm is about $L\operatorname{Var}R$, so the linear network may be {ratio:g}
#    times narrower. Half of the units of a ReLU layer are off and carry nothing, and those that are on carry
#    more each.

# %% [markdown] question="initialization-07" points=4 minutes=6 level="medium" kind="predict" objective="IN4"
# Suppose that a network can start to train if the size of its output is between a tenth and ten times what it
# should be. Scaling all weights of a ReLU network without biases by $r$ multiplies the output by $r^L$ for
# $L$ layers.
#
# 1. Which $r$ are allowed for {shallow:d} and for {deep:d} layers?
# 2. By mistake the *variance* of He's weights is {wrong:.0f} % too large. Up to what depth can the network
#    start?

# %%
shallow, deep, wrong = 5, 50, 10.0
low5, high5, low50, high50 = (10 ** (sign / depth) for depth in (shallow, deep) for sign in (-1, 1))
ten, variance = 10, 1 + wrong / 100
r = math.sqrt(variance)
depth = math.floor(math.log(10) / math.log(r))
certain(r**depth <= 10 < r ** (depth + 1))
W = torch.eye(3, dtype=torch.float64) * r
x = torch.tensor([1.0, 2, 3], dtype=torch.float64)
y = x
for _ in range(depth):
    y = (W @ y).relu()
certain(y.norm() / x.norm() <= 10 < r * y.norm() / x.norm())

# %% [markdown] answer="initialization-07"
# 1. $\tfrac{1}{{ten:d}} \le r^L \le {ten:d}$ means $r$ between ${ten:d}^{-1/L}$ and ${ten:d}^{1/L}$: from
#    {low5:.2f} to {high5:.2f} for {shallow:d} layers, from {low50:.3f} to {high50:.3f} for {deep:d}. The
#    funnel narrows like $1/L$ on a logarithmic axis.
# 2. $r = \sqrt{{variance:g}} = {r:.4f}$, and $r^L \le {ten:d}$ up to $L = \ln {ten:d}/\ln r$: {depth:d}
#    layers. An error of a few percent in the standard deviation decides at that depth.

# %% [markdown] question="initialization-08" points=6 minutes=12 level="hard" kind="predict" objective="IN4"
# For $L$ wide square Gaussian matrices with entries from $\mathcal N(0, 1/N)$ the largest squared singular
# value of the product tends to $(L+1)^{L+1}/L^L$. To be on the safe side, somebody multiplies every matrix by
# a number $c$ that makes the largest singular value of a product of {L:d} equal to one.
#
# 1. Compute $c$ for {L:d} matrices.
# 2. By what factor does this network of {L:d} linear layers change the length of a *typical* vector?
# 3. What would orthogonal matrices give?

# %%
L, N, nets = 3, 300, 12
top = (L + 1) ** (L + 1) / L**L
c = top ** (-1 / (2 * L))
typical = c**L
product, x = torch.eye(N, dtype=torch.float64), torch.randn(N, dtype=torch.float64)
for _ in range(L):
    product = c * torch.randn(nets, N, N, dtype=torch.float64) / N**0.5 @ product
edge = N ** (-2 / 3)  # how far the largest singular value is from its limit (Tracy and Widom)
agree(torch.linalg.matrix_norm(product, 2), 1, within=edge)
agree(((product @ x).norm(dim=1) / x.norm()).log(), math.log(typical), within=L / (2 * N))

# %% [markdown] answer="initialization-08"
# 1. The largest squared singular value is $(L+1)^{L+1}/L^L = {top:.3f}$ and is multiplied by $c^{2L}$, so
#    $c = {top:.3f}^{-1/(2L)} = {c:.4f}$.
# 2. Each Gaussian matrix keeps the length of a typical vector, so the length is multiplied by
#    $c^L = {typical:.3f}$. The bound on the worst direction costs the rest of the signal in the typical one,
#    and that in {L:d} layers only.
# 3. All their singular values are one: the worst direction and the typical one are the same, nothing is lost,
#    and $c = 1$.

# %% [markdown] question="initialization-09" points=4 minutes=6 level="easy" kind="read" objective="IN2"
# At initialization the root mean square of the activations of a ReLU network of constant width is
#
# | layer | 1 | 2 | 3 | 4 | 10 |
# |---|---|---|---|---|---|
# | rms | {r1:.3f} | {r2:.3f} | {r3:.3f} | {r4:.3f} | {r10:.4f} |
#
# Which $\sigma_w$ was used, and which well-known rule is it? Predict the value at layer 30, and say by what
# factor all weights must be multiplied.

# %%
sigma_w = 1.0
factor = math.sqrt(sigma_w**2 / 2)
r1, r2, r3, r4, r10, r30 = (factor**layer for layer in (1, 2, 3, 4, 10, 30))
chi, mend = factor**2, math.sqrt(2) / sigma_w
nets, width = 16, 256
a = torch.randn(nets, width, 1, dtype=torch.float64)
for _ in range(4):
    a = (torch.randn(nets, width, width, dtype=torch.float64) * sigma_w / width**0.5 @ a).relu()
agree(a.square().mean((1, 2)).log(), 2 * math.log(r4), within=4 * 2.5 / width)  # typical is below the mean

# %% [markdown] answer="initialization-09"
# From layer to layer the value falls by {factor:.3f}, so the mean square is multiplied by
# ${chi:.2f} = \sigma_w^2/2$, and $\sigma_w = {sigma_w:g}$: the variance is $1/n$, which is LeCun's rule, and
# Glorot's for equal widths. Both are made for nearly linear layers. At layer 30 it will be ${r30:.1e}$.
# Multiply the weights by {mend:.3f} to get He's.
