"""Closed forms: slopes, mean-field growth, critical gains, Lyapunov exponents, overflow depth, batch norm.

Growth factors are of the SQUARED norm of the gradient per layer, for infinite width unless stated; Lyapunov
exponents are natural logs of the norm itself. `slope` is leaky_relu's slope for x < 0, everywhere.
Every function raises ValueError for bad input, naming the argument and what is allowed.
"""

import math
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from fractions import Fraction
from numbers import Rational
from typing import NamedTuple

import torch

from blowup.activations import SELU_ALPHA, SELU_SCALE, slope_of
from blowup.arguments import integer, number, one_of
from blowup.lengthmap import bisect, fixed_point, moments, smallest_critical

# (significand bits, largest exponent): IEEE 754, and bfloat16 as float32 with a short significand
FORMATS = {"float16": (11, 15), "bfloat16": (8, 127), "float32": (24, 127), "float64": (53, 1023)}


class MeanField(NamedTuple):
    """`q`: fixed point of the preactivation variance; `chi`: growth of the squared gradient norm a layer."""

    q: float
    chi: float


def max_slope(activation, slope=0.01):
    """The supremum of |phi'| over all x: the most that one activation can multiply a gradient by. A float.

    GELU: at x = sqrt(2), as phi''(x) = (2 - x²) pdf(x). SiLU: where x tanh(x/2) = 2, x = 2.3994. SELU: at 0
    from the left, scale·alpha. Chapter *Activations*.
    """
    derivative = slope_of(activation, slope)
    if activation in ("gelu", "silu"):
        x = math.sqrt(2) if activation == "gelu" else bisect(lambda x: x * math.tanh(x / 2) >= 2, 2.0, 3.0)
        return derivative(torch.tensor(x, dtype=torch.float64)).item()
    others = {
        "sigmoid": 0.25,
        "erf": 2 / math.sqrt(math.pi),
        "selu": SELU_SCALE * SELU_ALPHA,
        "leaky_relu": max(1.0, abs(slope)),
    }
    return others.get(activation, 1.0)  # tanh, relu, elu, linear


def _sigma(argument, value):
    return number(argument, value, "a finite number from 0 to 1e8", lambda s: 0 <= s <= 1e8)


def mean_field(activation, sigma_w, sigma_b=0.0, *, slope=0.01, start=None):
    """The mean-field fixed point of a deep net with weights N(0, sigma_w²/width) and biases N(0, sigma_b²).

    The variance of the preactivations follows the length map q -> sigma_w² E[phi(sqrt(q) z)²] + sigma_b², and
    at its fixed point the squared gradient norm grows by chi = sigma_w² E[phi'(sqrt(q) z)²] a layer (Poole et
    al. 2016; Schoenholz et al. 2017). Returns `MeanField(q, chi)`, two floats.

    Which fixed point: the map increases with q, so from any start q moves one way until it meets one.

    - Without `start`: the one reached from below, from signals as small as the biases allow. Where q = 0 is a
      fixed point that does not repel (no bias, phi(0) = 0, chi <= 1 there), it is q = 0.
    - With `start` > 0, a preactivation variance: the one reached from there; sigma_w² + sigma_b² is the start
      of standardized inputs. It matters for GELU and SiLU, which can have two: with sigma_w = 1.8 a small
      signal vanishes (q = 0, chi = 0.81), a standardized one grows without bound (q = inf, chi = 1.62).

    q is inf where the variance grows without bound; chi is then its limit. Where every q is a fixed point (no
    bias and relu at sigma_w = sqrt(2), or linear at 1), q is `start`, or nan without one; chi is 1 at any q.
    """
    w2, b2 = _sigma("sigma_w", sigma_w) ** 2, _sigma("sigma_b", sigma_b) ** 2
    if start is not None:
        start = number("start", start, "None, or a variance above 0 and up to 1e17", lambda s: 0 < s <= 1e17)
    q = fixed_point(activation, w2, b2, slope, start)
    at = moments(activation, math.inf if math.isnan(q) else q, slope)
    return MeanField(q, w2 * at.slope_square.item())


def critical_sigma_w(activation, sigma_b=0.0, *, slope=0.01):
    """The smallest sigma_w with chi = 1 at `mean_field`'s fixed point: below it gradients vanish. A float.

    Without bias and with phi(0) = 0 it is sqrt(1/mean of phi'(0±)²): tanh 1, relu sqrt(2), erf sqrt(pi)/2,
    elu 1, selu 0.6905, gelu and silu 2. Otherwise (sigmoid: 10.149) chi need not be monotone in sigma_w, nor
    even continuous: the whole curve of fixed points is searched (see `lengthmap.smallest_critical`). Where q
    jumps and takes chi from below 1 to above (GELU and SiLU with a small bias), chi is 1 nowhere near and the
    jump is returned. The answer is for signals that start small: at GELU's and SiLU's 2, standardized inputs
    already explode (see `mean_field`).
    """
    slope_of(activation, slope)  # names the argument that is wrong before any work
    return smallest_critical(activation, _sigma("sigma_b", sigma_b) ** 2, slope)


def lyapunov_exponents(width, scale=1.0):
    """All Lyapunov exponents of products of Gaussian matrices, largest first: a float64 array, (width,).

    The factors are independent, width × width, with entries N(0, scale²/width). Exact at any width: exponent
    i is ½[ln(2 scale²/N) + psi((N-i+1)/2)], i = 1..N (Newman 1986), the growth of ln(norm) per factor along
    the i-th direction. A typical gradient grows with the first.
    """
    width = integer("width", width)
    scale = number("scale", scale, "a finite number above 0", lambda s: s > 0)
    halves = torch.arange(width, 0, -1, dtype=torch.float64) / 2
    return (math.log(scale) + (math.log(2 / width) + torch.digamma(halves)) / 2).numpy()


def overflow_depth(factor, dtype):
    """The first n at which factor**n is infinite in the number format `dtype`. An int.

    Exact: the real number factor**n, rounded once to the format (to nearest, ties to even), is inf, and
    factor**(n-1) is not. Repeated multiplication in the format itself rounds at every step and can differ.
    `factor` is a finite number above 1: a float counts as the binary fraction it is, an int or `Fraction` as
    itself. `dtype` is float16, bfloat16, float32 or float64, as a torch dtype or by name.
    """
    if isinstance(factor, Rational) and factor > 1:  # bool True is not above 1
        factor = Fraction(int(factor.numerator), int(factor.denominator))
    else:
        factor = Fraction(number("factor", factor, "a finite number above 1", lambda f: f > 1))
    bits, top = FORMATS[one_of("dtype", str(dtype).removeprefix("torch."), FORMATS)]
    # The largest finite number plus half its last bit: a tie, which rounds to even, that is, up to inf.
    threshold = 2 ** (top + 1) - Fraction(2) ** (top - bits)
    if factor >= threshold:
        return 1
    # n is the ceiling of ln(threshold)/ln(factor). The ratio is never whole past 1, as the threshold is a
    # power of two times 2^(bits+1) - 1, which is no perfect power: enough digits always settle the ceiling.
    digits = 50
    while True:
        low, high = _ratio_of_logs(threshold, factor, digits)
        if math.ceil(low) == math.ceil(high):
            return math.ceil(low)
        digits *= 2


def _ratio_of_logs(a, b, digits):
    """Two Decimals around ln(a)/ln(b), Fractions a > b > 1; 0 and 1 while the digits do not tell b from 1.

    Decimal rounds each operation correctly, to half a unit in the last digit; the margin is 20 times that.
    """
    context = Context(prec=digits, Emax=MAX_EMAX, Emin=MIN_EMIN)
    margin = Decimal(10) ** (2 - digits)
    logs = [context.ln(context.divide(Decimal(x.numerator), Decimal(x.denominator))) for x in (a, b)]
    (a_low, a_high), (b_low, b_high) = (
        (context.subtract(x, error), context.add(x, error))
        for x in logs
        for error in [context.multiply(margin, context.add(x, 1))]
    )
    if b_low <= 0:
        return Decimal(0), Decimal(1)
    low, high = context.divide(a_low, b_high), context.divide(a_high, b_low)
    return context.multiply(low, context.subtract(1, margin)), context.multiply(high, context.add(1, margin))


def batch_norm_growth(batch=None):
    """Squared-gradient growth per layer of linear → batch norm → ReLU at initialization. A float above 1.

    Exact in the batch size B for infinitely wide layers, whatever the weights' scale (Yang et al. 2019,
    theorem 8): [B - 1 + J'(c)] / [(B - 3)(1 - J(c))] - 1/(B - 3), where c = -1/(B-1), J'(c) = 1 - acos(c)/pi
    and J(c) = sqrt(1-c²)/pi + c J'(c). `batch` None gives the limit pi/(pi - 1) = 1.467. Epsilon is 0.

    `batch` is a whole number from 4. The variance of a preactivation over the batch is chi-square with B - 1
    degrees of freedom, and the squared gradient carries its inverse, of mean 1/(B - 3): infinite at 3. At 2
    batch norm puts out ±1 whatever comes in, so that the gradient is 0; at 1 there is no variance.
    """
    if batch is None:
        return math.pi / (math.pi - 1)
    batch = integer("batch", batch, least=4)
    c = -1 / (batch - 1)
    kernel_slope = (math.pi - math.acos(c)) / math.pi
    kernel = math.sqrt(1 - c * c) / math.pi + kernel_slope * c
    return (batch - 1 + kernel_slope) / ((batch - 3) * (1 - kernel)) - 1 / (batch - 3)
