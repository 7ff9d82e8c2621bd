"""The length map of a wide random net, q -> sigma_w² E[phi(sqrt(q) z)²] + sigma_b², and its fixed points.

The arithmetic under `blowup.theory`: Gaussian averages of an activation, and the fixed point that is reached.
q is the variance of the preactivations; w2 = sigma_w² and b2 = sigma_b² (Poole et al. 2016, eq. 3).
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch

from blowup.activations import activation, slope_of

HOMOGENEOUS = ("relu", "leaky_relu", "linear")  # phi(c x) = c phi(x) for c > 0: the map is a straight line
# Variances at which the map is tabulated. phi varies on the scale of x = 1: near q = 1 the map bends, and has
# 120 points a decade; far off it is a power law. The top is beyond every finite fixed point of sigma <= 1e8.
GRID = torch.cat(
    [
        torch.logspace(low, high, count, dtype=torch.float64)[:-1]
        for low, high, count in ((-26, -4, 265), (-4, 4, 961), (4, 34, 361))
    ]
)


class Moments(NamedTuple):
    """Averages over z ~ N(0, 1) with x = sqrt(q) z; each a float64 tensor of q's shape."""

    mean: torch.Tensor  # E phi(x)
    square: torch.Tensor  # E phi(x)²
    slope_square: torch.Tensor  # E phi'(x)²
    rate: torch.Tensor  # d/dq E phi(x)² = E[phi(x) phi'(x) x] / q, by integrating by parts


def moments(name, q, slope=0.01):
    """The `Moments` of the activation `name` at the variances `q` >= 0 (number or tensor).

    Exact to about 1e-15, relative, up to q = 1e34; q = inf gives the limit. Where phi' has but one value on
    each side of 0, at q = 0 and for a piecewise linear phi, its mean square is the closed form, to the last
    bit. `slope` is leaky_relu's. Raises ValueError for an unknown activation or a bad slope.
    """
    z, weight = _quadrature()
    # The clamp keeps the sign of x at q = 0, so that a kink at 0 averages its two sides.
    q = torch.as_tensor(q, dtype=torch.float64)
    root = q.sqrt().clamp(1e-100, 1e100).unsqueeze(-1)  # (..., 1)
    x = root * z  # (..., nodes)
    phi, derivative = activation(name, slope)(x), slope_of(name, slope)(x)
    rate = (phi * derivative * z / root) @ weight
    slope_square = derivative.square() @ weight
    two_values = torch.full_like(q, name in HOMOGENEOUS, dtype=torch.bool) | (q == 0)
    slope_square = slope_square.where(~two_values, slope_square_at_zero(name, slope))
    return Moments(phi @ weight, phi.square() @ weight, slope_square, rate)


def slope_square_at_zero(name, slope=0.01):
    """Mean of phi'(0-)² and phi'(0+)², a float: E phi'(sqrt(q) z)² at q = 0, at every q if homogeneous."""
    left, right = slope_of(name, slope)(torch.tensor([-1e-100, 1e-100], dtype=torch.float64)).tolist()
    return (left * left + right * right) / 2


@lru_cache
def _quadrature():
    """Nodes and weights for the average over z ~ N(0, 1): Gauss-Legendre on panels that halve towards 0.

    phi(sqrt(q) z) bends where |z| is about 1/sqrt(q), for q over sixty decades: among panels [2^-k, 2^(1-k)]
    some have the right size for every q, and no panel straddles the kink at 0.
    """
    x, w = np.polynomial.legendre.leggauss(12)
    edges = np.concatenate([[0.0], 2.0 ** np.arange(-60, 1), np.arange(2.0, 11)])
    half, middle = np.diff(edges)[:, None] / 2, (edges[1:] + edges[:-1])[:, None] / 2
    z = (middle + half * x).ravel()
    weight = (half * w).ravel() * np.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return torch.from_numpy(np.r_[-z[::-1], z]), torch.from_numpy(np.r_[weight[::-1], weight])


@lru_cache(maxsize=64)
def _table(name, slope):
    return moments(name, GRID, slope)


def _silent(name, b2, slope):
    """Whether q = 0 is a fixed point: no bias and phi(0) = 0."""
    return b2 == 0 and activation(name, slope)(torch.zeros(1)).item() == 0


def fixed_point(name, w2, b2, slope=0.01, start=None):
    """The q that the length map reaches from `start`, or from just above the smallest possible q without one.

    The map increases with q for every activation here (the even part of phi² grows with |x|), so q moves one
    way until the first fixed point in that direction. inf where there is none; nan where every q is one and
    no start is given.
    """
    silent = _silent(name, b2, slope)
    growth = w2 * slope_square_at_zero(name, slope)  # the map's slope at q = 0, if phi(0) = 0
    marginal = abs(growth - 1) < 1e-12
    if name in HOMOGENEOUS:  # q -> growth q + b2
        if silent and marginal:
            return math.nan if start is None else start
        return b2 / (1 - growth) if growth < 1 and not marginal else math.inf
    if start is None:
        if silent and (growth < 1 or marginal):
            return 0.0
        start = GRID[0].item() if silent else b2
    q = _walk(name, w2, b2, slope, start, silent)
    # On the way down to 0 the map's last steps drown in rounding.
    return 0.0 if silent and q < 1e-12 and (growth < 1 or marginal) else q


def _walk(name, w2, b2, slope, start, silent):
    """The first fixed point above `start` if the map moves q up from there, below it otherwise."""
    z, weight = _quadrature()
    phi, derivative = activation(name, slope), slope_of(name, slope)

    # The inner loops compute one average, not all the moments.
    def excess(q):
        return w2 * (phi(math.sqrt(q) * z).square() @ weight).item() + b2 - q

    def steep(q):
        x = math.sqrt(q) * z
        return w2 * ((phi(x) * derivative(x) * x) @ weight).item() >= q

    up = excess(start) > 0
    sign, ahead = (1, GRID.gt(start)) if up else (-1, GRID.lt(start))
    grid, square = GRID[ahead], _table(name, slope).square[ahead]
    if not up:
        grid, square = grid.flip(0), square.flip(0)
    gap = sign * (w2 * square + b2 - grid)  # positive while q still moves away from the start
    stops = (gap <= 0).nonzero().flatten().tolist()
    first = stops[0] if stops else len(gap)
    # Two fixed points between neighbors of the grid show as a dip of the gap: look at the bottom of each one
    # that comes near 0 (far from it rounding makes dips too).
    dips = (gap[1:-1] < gap[:-2]) & (gap[1:-1] <= gap[2:]) & (gap[1:-1] < 0.1 * grid[1:-1])
    for k in (dips[: max(first - 1, 0)].nonzero().flatten() + 1).tolist():
        bottom = bisect(steep, grid[k - 1].item(), grid[k + 1].item())
        if sign * excess(bottom) <= 0:
            return bisect(lambda q: sign * excess(q) <= 0, grid[k - 1].item(), bottom)
    if first == len(gap):
        return math.inf if up else 0.0 if silent else b2
    near = grid[first - 1].item() if first else start
    return bisect(lambda q: sign * excess(q) <= 0, near, grid[first].item())


@lru_cache(maxsize=256)
def smallest_critical(name, b2, slope=0.01):
    """The smallest sigma_w at which chi at `fixed_point` (without a start) reaches or jumps over 1.

    A fixed point q belongs to exactly one gain, w2(q) = (q - b2) / E phi², so chi is an explicit function of
    q on the curve of all fixed points. As the gain grows from 0, the net sits at the first q where w2(q)
    reaches it: the q at which w2 is a record. The first record with chi >= 1 brackets the answer; it is
    refined on the net's own fixed point, so that a jump of q (where w2 falls back) is found where it happens.
    """
    if name in HOMOGENEOUS or _silent(name, b2, slope):  # q = 0: chi = w2 E phi'(0±)² until that reaches 1
        return math.sqrt(1 / slope_square_at_zero(name, slope))
    chi_per_w2 = moments(name, math.inf, slope).slope_square.item()
    table, on = _table(name, slope), GRID.gt(b2)
    w2 = (GRID[on] - b2) / table.square[on]
    record = w2 >= w2.cummax(0).values
    over = (record & (w2 * table.slope_square[on] >= 1)).nonzero().flatten().tolist()
    if over:
        before, high = w2[: over[0]], w2[over[0]].item()
    else:  # chi stays below 1 until no finite fixed point is left; beyond, chi = w2 chi_per_w2
        before, high = w2, 1.1 * max(w2.max().item(), 1 / chi_per_w2)
    low = before.max().item() if len(before) else 0.0

    def explodes(sigma_w):
        q = fixed_point(name, sigma_w**2, b2, slope)
        return sigma_w**2 * moments(name, q, slope).slope_square.item() >= 1

    # From a hair below the record, as rounding may put the record itself on either side of a jump.
    return bisect(explodes, math.sqrt(low) * (1 - 1e-12), math.sqrt(high))


def bisect(true_at, false_end, true_end):
    """Where `true_at` turns from False to True: the last float, from `false_end` on, where it is False."""
    while True:
        middle = (false_end + true_end) / 2
        if middle in (false_end, true_end):
            return false_end
        false_end, true_end = (false_end, middle) if true_at(middle) else (middle, true_end)
