"""Tasks made in code, for when the data should be in plain sight."""

import math

import torch

from blowup.arguments import integer, number
from blowup.data.table import split


def _not_negative(name, value):
    return number(name, value, "a finite number of at least 0", lambda v: v >= 0)


def clusters(classes=10, inputs=64, n=2000, spread=1.0, seed=0):
    """Gaussian clusters: x (n, inputs) = center of the class + ``spread`` · noise, both standard normal.

    A quarter is for testing. ValueError unless classes, inputs and n are positive and spread >= 0.
    """
    integer("classes", classes), integer("inputs", inputs), integer("n", n)
    spread = _not_negative("spread", spread)
    rng = torch.Generator().manual_seed(seed)
    centers = torch.randn(classes, inputs, generator=rng)
    y = torch.randint(classes, (n,), generator=rng)
    x = centers[y] + spread * torch.randn(n, inputs, generator=rng)
    return split(x, y, map(str, range(classes)), torch.arange(n) % 4 == 0)


def spirals(arms=3, n=1500, turns=1.0, noise=0.05, seed=0):
    """Interleaved spirals in the plane: x (n, 2) within the unit disc up to ``noise``, y the arm.

    A quarter is for testing. Raises ValueError unless arms and n are positive and noise >= 0.
    """
    integer("arms", arms), integer("n", n)
    turns, noise = number("turns", turns), _not_negative("noise", noise)
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(arms, (n,), generator=rng)
    radius = torch.rand(n, generator=rng)
    angle = 2 * math.pi * (turns * radius + y / arms)
    x = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    x = x + noise * torch.randn(n, 2, generator=rng)
    return split(x, y, map(str, range(arms)), torch.arange(n) % 4 == 0)


def memory(length=30, classes=4, n=2000, noise=0.1, seed=0):
    """Remember the first symbol: x (n, length, classes), y that symbol.

    The first of ``length`` inputs is a one-hot symbol, all later ones are noise · standard normal. A quarter
    is for testing. Raises ValueError unless length, classes and n are positive and noise >= 0.
    """
    integer("length", length), integer("classes", classes), integer("n", n)
    noise = _not_negative("noise", noise)
    rng = torch.Generator().manual_seed(seed)
    y = torch.randint(classes, (n,), generator=rng)
    x = noise * torch.randn(n, length, classes, generator=rng)
    x[:, 0] = torch.eye(classes)[y]
    return split(x, y, map(str, range(classes)), torch.arange(n) % 4 == 0)
