# %% [markdown]
# # Data normalization
#
# Questions for an exam, each with code that computes its answer: change a number at the top of a code cell
# and run `make questions` again.

# %%
import math

import torch

from blowup.evidence import agree, certain, equals

# %% [markdown] question="data-normalization-01" points=4 minutes=6 level="easy" kind="predict" objective="DN1"
# A ReLU network of {depth:d} layers has no biases. Its loss is $\tfrac12\|f(x)\|^2$, summed over the batch.
# You multiply the inputs by {c:d} and leave the weights alone.
#
# By what factor do these grow: the loss, the gradient of the weights of layer 3, the gradient of the weights
# of the last layer, and the gradient of the loss with respect to the input?

# %%
depth, c = 5, 8
W = [(torch.randn(16, 16, dtype=torch.float64) / 8**0.5).requires_grad_() for _ in range(depth)]
x = torch.randn(10, 16, dtype=torch.float64)


def measure(factor):
    a = (factor * x).requires_grad_()
    out = a
    for w in W[:-1]:
        out = (out @ w).relu()
    loss = 0.5 * (out @ W[-1]).square().sum()
    grads = torch.autograd.grad(loss, [W[2], W[-1], a])
    return [loss.item(), *(g.norm().item() for g in grads)]


ratios = [b / a for a, b in zip(measure(1.0), measure(float(c)))]
square = c**2
equals(ratios, [square, square, square, c])
not_this = c**depth

# %% [markdown] answer="data-normalization-01"
# Without biases $f(cx) = c\,f(x)$, and every activation grows by $c = {c:d}$.
#
# - The loss is a square: ${c:d}^2 = {square:d}$.
# - $\partial L/\partial W_\ell = \delta_\ell\,a_{\ell-1}^\top$. The $\delta$ at the output is $f$ itself and
#   grows by {c:d}; the slopes do not change, so every $\delta$ does. The activation grows by {c:d} as well:
#   {square:d}, in layer 3 as in the last.
# - The gradient at the input is a $\delta$ without an activation: {c:d}.
#
# Nothing grows by ${c:d}^{{depth:d}} = {not_this:,d}$. The factor enters once.

# %% [markdown] question="data-normalization-02" points=6 minutes=10 level="medium" kind="compute" objective="DN2"
# A linear model without a bias is fitted by gradient descent on $\frac1{2n}\|Xw - y\|^2$. Its two features
# are independent: a temperature in kelvin with mean {m1:g} and standard deviation {s1:g}, and a share with
# mean {m2:g} and standard deviation {s2:g}.
#
# Give the largest stable learning rate for raw features, for centered ones and for standardized ones. How
# many steps does it take, at half of each rate, to shrink the slowest error by a factor $e$?

# %%
m1, s1, m2, s2 = 288.0, 10.0, 0.5, 0.1
mean, variance = (
    torch.tensor([m1, m2], dtype=torch.float64),
    torch.tensor([s1**2, s2**2], dtype=torch.float64),
)


def limit_and_steps(H):
    low, high = torch.linalg.eigvalsh(H).tolist()
    return 2 / high, high / low


raw, raw_steps = limit_and_steps(torch.diag(variance) + torch.outer(mean, mean))
centered, centered_steps = limit_and_steps(torch.diag(variance))
unit, unit_steps = limit_and_steps(torch.eye(2, dtype=torch.float64))
trace, det = (
    (variance + mean**2).sum().item(),
    (variance[0] * variance[1] + s1**2 * m2**2 + s2**2 * m1**2).item(),
)
exact = -1 / math.log(1 - 1 / raw_steps)  # ln e over minus the logarithm of the slow factor
equals(exact, raw_steps, atol=1)  # half a step less
by_hand = trace / 2 + math.sqrt(trace**2 / 4 - det)
equals(2 / by_hand, raw, rtol=1e-9)
small = det / by_hand
x = mean + variance.sqrt() * torch.randn(50, 2000, 2, dtype=torch.float64)  # fifty data sets
agree(torch.linalg.eigvalsh(x.mT @ x / 2000)[:, -1], 2 / raw)

# %% [markdown] answer="data-normalization-02"
# The matrix of second derivatives is $X^\top X/n$, which is $\operatorname{diag}(s_1^2, s_2^2) + mm^\top$
# here. At half of the largest rate, $\eta = 1/\lambda_{\max}$, a step multiplies the slowest error by
# $1 - \lambda_{\min}/\lambda_{\max}$, so a factor $e$ takes about $\lambda_{\max}/\lambda_{\min}$ steps if
# that ratio is large.
#
# - Raw: its trace is {trace:.0f} and its determinant $s_1^2s_2^2 + s_1^2m_2^2 + s_2^2m_1^2 = {det:.1f}$. The
#   eigenvalues are {by_hand:.0f} and {small:.3g}. The largest rate is $2/\lambda_{\max} = {raw:.2g}$; at half
#   of it the slow direction needs about {raw_steps:.2g} steps for a factor $e$.
# - Centered: the eigenvalues are the variances. The largest rate is $2/s_1^2 = {centered:.2g}$, and the slow
#   direction needs about {centered_steps:,.0f} steps. Centering alone bought a larger rate, but the two units
#   still differ.
# - Standardized: both eigenvalues are 1. The largest rate is {unit:g}, and at half of it a single step
#   removes both errors.
#
# Centering and scaling do different things, and here it is the ratio of the eigenvalues that costs time.

# %% [markdown] question="data-normalization-03" points=5 minutes=9 level="medium" kind="derive" objective="DN2"
# Black-and-white drawings have $d$ pixels that are 1 with probability $p$ and 0 otherwise, independently.
#
# 1. Show that the largest eigenvalue of $\mathbb E[xx^\top]$ is $p(1-p) + d\,p^2$.
# 2. For $d = {d:d}$ and $p = {p:g}$: by what factor may the learning rate of a linear model without a bias
#    grow if the mean is subtracted?

# %%
d, p = 784, 0.13
raw, centered = p * (1 - p) + d * p**2, p * (1 - p)
gain = raw / centered
sets, n, inputs = 20, 1000, 100
x = (torch.rand(sets, n, inputs, dtype=torch.float64) < p).double()
largest, rest = p * (1 - p) + inputs * p**2, p * (1 - p)
bias = (inputs - 1) * largest * rest / (largest - rest) / n  # of the largest eigenvalue of n examples
agree(torch.linalg.eigvalsh(x.mT @ x / n)[:, -1], largest, within=bias)

# %% [markdown] answer="data-normalization-03"
# 1. The diagonal of $\mathbb E[xx^\top]$ is $\mathbb E[x_i^2] = p$ and every other entry is $p^2$. So it is
#    $(p - p^2)\,I + p^2\,\mathbf 1\mathbf 1^\top$. The matrix $\mathbf 1\mathbf 1^\top$ has the eigenvalue
#    $d$ along $\mathbf 1$ and 0 across it, which gives $p(1-p) + d\,p^2$.
# 2. Raw, $\lambda_{\max} = {raw:.2f}$. Centered, only the variance $p(1-p) = {centered:.4f}$ is left. The
#    limit $2/\lambda_{\max}$ grows by a factor of {gain:.0f} (a little less on finite data, where sampling
#    spreads the eigenvalues). Even sparse drawings have a mean that dominates.

# %% [markdown] question="data-normalization-04" points=6 minutes=10 level="hard" kind="find the error" objective="DN2"
# "Centering the inputs is superfluous as soon as the model has a bias, since the bias can subtract the mean."
#
# Take one feature with mean $m = {m:g}$ and variance $v = {v:g}$, and the model $wx + b$ with squared error.
# What can the bias do, and what can it not? Compute the ratio of the largest to the smallest eigenvalue of
# the second derivatives with and without centering.

# %%
m, v = 10.0, 1.0
H = torch.tensor([[m**2 + v, m], [m, 1.0]], dtype=torch.float64)
low, high = torch.linalg.eigvalsh(H).tolist()
ratio = high / low
trace = m**2 + v + 1
equals([high + low, high * low], [trace, v], rtol=1e-10)
approx = trace**2 / v
equals(approx, ratio + 2 + 1 / ratio, rtol=1e-9)  # (high + low)² / (high · low)
centered = max(v, 1) / min(v, 1)
x = m + v**0.5 * torch.randn(50, 4000, dtype=torch.float64)  # fifty data sets
rows = torch.stack([x, torch.ones_like(x)], 2)
e = torch.linalg.eigvalsh(rows.mT @ rows / 4000)
agree((e[:, 1] / e[:, 0]).log(), math.log(ratio), within=5 / 4000)

# %% [markdown] answer="data-normalization-04"
# The bias changes what the model can *express*: with it, raw and centered inputs give the same family of
# functions, and the same best fit. It does not change what gradient descent *feels*. The second derivatives
# with respect to $(w, b)$ are
#
# $$H = \begin{pmatrix} m^2 + v & m\\ m & 1\end{pmatrix},$$
#
# with trace ${trace:g}$ and determinant $v = {v:g}$. For a large mean the eigenvalues are about the trace and
# $v$ over the trace, so their ratio is near ${approx:,.0f}$; exactly it is ${ratio:,.0f}$. Centered, $H$ is
# diagonal with entries $v$ and 1, and the ratio is {centered:g}. To use the bias, descent must move $w$ and
# $b$ together along a nearly flat valley, and that takes about as many steps as the ratio says.

# %% [markdown] question="data-normalization-05" points=4 minutes=6 level="medium" kind="read" objective="DN3"
# A ReLU network that classifies four classes, with shares {p1:g}, {p2:g}, {p3:g} and {p4:g}, is trained on
# raw pixels. Its log:
#
# | step | 0 | 1 | 2 | 10 | 100 | 1000 |
# |---|---|---|---|---|---|---|
# | loss | 212 | 5830 | 3.91 | 1.36 | {final:.3f} | {final:.3f} |
# | accuracy | 0.24 | 0.10 | 0.31 | {p1:.2f} | {p1:.2f} | {p1:.2f} |
#
# What has happened in the first steps? Where does the final loss come from, and why is it not
# $\ln 4 = {guess:.3f}$? Are the gradients exploding at step 1000?

# %%
p1, p2, p3, p4 = 0.4, 0.3, 0.2, 0.1
shares = torch.tensor([p1, p2, p3, p4], dtype=torch.float64)
entropy = -(shares * shares.log()).sum().item()
final, guess = entropy, math.log(4)
logits = torch.zeros(4, dtype=torch.float64)  # only the readout's biases learn
for _ in range(300):
    logits = logits - (torch.softmax(logits, 0) - shares)
loss = -(shares * torch.log_softmax(logits, 0)).sum()
equals(loss, entropy, rtol=1e-9)
certain(logits.argmax() == 0)

# %% [markdown] answer="data-normalization-05"
# The second loss shows that the first step was far too long. Steps like this one throw the units to where no
# input turns them on: soon all are dead, and no gradient reaches the weights below. Only the biases of the
# readout still learn, and the best they can do is to answer with the shares of the classes. That costs the
# entropy $-\sum p\ln p = {entropy:.3f}$, which the log reached by step 100, and the most likely class is
# right in {p1:g} of the cases. A uniform guess would cost $\ln 4 = {guess:.3f}$.
#
# No: at step 1000 the gradients of the hidden layers are zero. A smaller rate from here on changes nothing:
# scale the inputs and start again.

# %% [markdown] question="data-normalization-06" points=6 minutes=10 level="medium" kind="compute" objective="DN3"
# A ReLU unit without a bias has the weights $w = ({w:g}, {w:g}, {w:g})$. The batch has two examples,
# $x_1 = (1, 2, 1)$ and $x_2 = (2, 1, 0)$, and the loss sends the same gradient 1 back to the unit's output
# for both. The gradient of $w$ is the mean over the batch.
#
# 1. From what learning rate on is the unit dead on this batch after one step of plain gradient descent?
# 2. All inputs are multiplied by {c:d}, and the gradient that comes from above stays 1. From what rate on
#    now?

# %%
w, c = 0.1, 255
x = torch.tensor([[1.0, 2, 1], [2, 1, 0]], dtype=torch.float64)


def critical(x):
    weights = torch.full((3,), w, dtype=torch.float64, requires_grad=True)
    (x @ weights).relu().mean().backward()  # upstream 1 for each example, mean over the batch
    g = weights.grad
    rates = (x @ weights.detach()) / (x @ g)
    off = lambda lr: ((x @ (weights.detach() - lr * g)) <= 1e-12).all().item()
    certain(off(rates.max() * 1.001) and not off(rates.max() * 0.999))
    return g, rates


g, rates = critical(x)
g1, g2, g3 = g.tolist()
r1, r2 = rates.tolist()
z1, z2 = (x.sum(1) * w).tolist()
d1, d2 = (x @ g).tolist()
rate = max(r1, r2)
scaled = critical(c * x)[1].max().item()
equals(rate / scaled, c)

# %% [markdown] answer="data-normalization-06"
# 1. Both examples turn the unit on, so
#    $\partial L/\partial w = \tfrac12(x_1 + x_2) = ({g1:g}, {g2:g}, {g3:g})$. A step changes $z = w\cdot x$
#    by $-\eta\,(g\cdot x)$. First example: $z = {z1:g}$, $g\cdot x = {d1:g}$, off from $\eta = {r1:.4f}$ on.
#    Second: $z = {z2:g}$, $g\cdot x = {d2:g}$, off from ${r2:.4f}$ on. The unit is dead when both are off:
#    $\eta \ge {rate:.4f}$.
# 2. $z$ grows by {c:d} and $g\cdot x$ by ${c:d}^2$, so the rate falls by {c:d}, to ${scaled:.2g}$. Inputs
#    that are all positive make it worse: every step on such a gradient moves all examples in the same
#    direction.

# %% [markdown] question="data-normalization-07" points=4 minutes=6 level="easy" kind="compute" objective="DN4"
# Training images have mean {m1:g} and standard deviation {s1:g}. A test set from a darker camera has mean
# {m2:g} and standard deviation {s2:g}. A pixel has the value {pixel:g} in an image of each set.
#
# Which input does the network get for this pixel in training, in a test that is done right, and in a test
# that is standardized with its own statistics? What does the last way hide?

# %%
m1, s1, m2, s2, pixel = 0.5, 0.2, 0.3, 0.1, 0.5
trained, right, own = (pixel - m1) / s1, (pixel - m1) / s1, (pixel - m2) / s2
shift = (m2 - m1) / s1
x_test = m2 + s2 * torch.randn(50_000, dtype=torch.float64)
agree((x_test - m1) / s1, shift)
equals(((x_test - x_test.mean()) / x_test.std()).mean(), 0, atol=1e-12)

# %% [markdown] answer="data-normalization-07"
# In training $({pixel:g} - {m1:g})/{s1:g} = {trained:g}$. The mean and the standard deviation are fitted
# parameters of the model, so the test must use the same ones: {right:g} again. With its own statistics the
# same pixel becomes $({pixel:g} - {m2:g})/{s2:g} = {own:g}$, another input for the same brightness.
#
# Done right, the standardized test set has the mean ${shift:g}$: a sign that the cameras differ. With its own
# statistics the mean is 0 by construction, and the shift is hidden. It also makes the answer for one image
# depend on its company.

# %% [markdown] question="data-normalization-08" points=5 minutes=8 level="medium" kind="choose" objective="DN4"
# A column of the training set holds {n:,d} values spread evenly over [0, 10] and one typing error,
# {error:,.0f}.
#
# 1. After min-max scaling, which interval do the good values fill, and what is their standard deviation?
# 2. After standardizing with mean and standard deviation?
# 3. Propose a scaling that the error does not touch, and give the standard deviation of the good values under
#    it.

# %%
n, error = 1000, 100_000.0
good = torch.linspace(0, 10, n, dtype=torch.float64)
column = torch.cat([good, torch.tensor([error], dtype=torch.float64)])
highest = 10 / error
after_min_max = ((good - column.min()) / (column.max() - column.min())).std(correction=0).item()
after_standard = (good / column.std(correction=0)).std(correction=0).item()
equals(after_min_max, 10 / math.sqrt(12) / error, rtol=2 / n)
spread = column.std(correction=0).item()
equals(spread, error / math.sqrt(n), rtol=2 / n)
low, high = column.quantile(torch.tensor([0.25, 0.75], dtype=torch.float64)).tolist()
after_quartiles = (good / (high - low)).std(correction=0).item()

# %% [markdown] answer="data-normalization-08"
# 1. They fill $[0, {highest:g}]$, with a standard deviation of ${after_min_max:.2g}$. The column has all but
#    vanished from the input.
# 2. One value in {n:,d} gives the column a standard deviation of {spread:,.0f}, about $E/\sqrt n$ with $E$
#    the error. The good values are left with ${after_standard:.2g}$: better, and still nothing beside other
#    columns of standard deviation 1.
# 3. Subtract the median and divide by the distance of the quartiles, here {low:.2f} and {high:.2f}: a
#    standard deviation of {after_quartiles:.2f}. (Or remove the error, if you can tell that it is one; or cap
#    the column at a high quantile.) The wrong value itself then becomes huge and should be capped too.
