"""The ten activation functions of the book, by name, with their derivatives.

Formulas: chapter *Activations*. ELU has alpha = 1; SELU has the constants of Klambauer et al. 2017; GELU is
the exact x·Phi(x) of Hendrycks & Gimpel 2016, not the tanh approximation; erf is erf(x), without a factor.
"""

import math
from functools import partial

import torch
import torch.nn.functional as F

from blowup.arguments import number, one_of

SELU_SCALE = 1.0507009873554804934193349852946
SELU_ALPHA = 1.6732632423543772848170429916717


def _normal_cdf(x):
    return torch.special.ndtr(x)


def _normal_pdf(x):
    return torch.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _silu_slope(x):
    gate = torch.sigmoid(x)
    return gate * (1 + x * torch.sigmoid(-x))  # sigmoid(-x), not 1 - gate, keeps its digits at large x


def _exponential_slope(x, right, left):
    """`right` for x > 0 and left·e^x for x <= 0; the clamp keeps e^x finite on the side that is not used."""
    return torch.where(x > 0, right, left * torch.exp(x.clamp(max=0)))


# name: (phi, phi'), both functions of (x, slope); only leaky_relu uses the slope. At a kink phi' is what
# autograd says there, so that back-propagation by hand agrees with torch.
_REGISTRY = {
    "sigmoid": (lambda x, slope: torch.sigmoid(x), lambda x, slope: torch.sigmoid(x) * torch.sigmoid(-x)),
    "tanh": (lambda x, slope: torch.tanh(x), lambda x, slope: 1 / torch.cosh(x).square()),
    "relu": (lambda x, slope: torch.relu(x), lambda x, slope: (x > 0).to(x.dtype)),
    "leaky_relu": (
        lambda x, slope: F.leaky_relu(x, slope),
        lambda x, slope: torch.where(x > 0, torch.ones_like(x), torch.full_like(x, slope)),
    ),
    "elu": (lambda x, slope: F.elu(x), lambda x, slope: _exponential_slope(x, 1.0, 1.0)),
    "selu": (
        lambda x, slope: F.selu(x),
        lambda x, slope: _exponential_slope(x, SELU_SCALE, SELU_SCALE * SELU_ALPHA),
    ),
    "gelu": (lambda x, slope: F.gelu(x), lambda x, slope: _normal_cdf(x) + x * _normal_pdf(x)),
    "silu": (lambda x, slope: F.silu(x), lambda x, slope: _silu_slope(x)),
    "erf": (
        lambda x, slope: torch.erf(x),
        lambda x, slope: torch.exp(-x * x) * (2 / math.sqrt(math.pi)),
    ),
    "linear": (lambda x, slope: x, lambda x, slope: torch.ones_like(x)),
}
NAMES = tuple(_REGISTRY)


def activation(name, slope=0.01):
    """The activation function phi called `name`, as a function from a float tensor to one of the same shape.

    `slope` is the slope of leaky_relu for x < 0 (any finite number); the other activations ignore it.
    Raises ValueError for a name that is not in `NAMES`, or a bad slope.
    """
    return partial(_look_up(name)[0], slope=number("slope", slope))


def slope_of(name, slope=0.01):
    """The derivative phi' of the activation called `name`; arguments and errors as for `activation`.

    At a kink it takes autograd's value: 0 at 0 for relu, `slope` for leaky_relu, the left slope for selu.
    """
    return partial(_look_up(name)[1], slope=number("slope", slope))


def _look_up(name):
    return _REGISTRY[one_of("activation", name, NAMES)]
