"""Batch, layer, group and RMS norm of stacked pre-activations, by the formulas of torch.nn's own layers.

Everywhere z is (members, batch, width) and gamma and beta, a scale and a shift for each unit, are
(members, 1, width); members never mix. Chapter *Batch normalization* writes batch norm and its backward
pass out in full.
"""

import torch.nn.functional as F

from blowup.arguments import integer

EPS = 1e-5
MOMENTUM = 0.1
"""The share of the newest batch in the running statistics, torch.nn.BatchNorm1d's own."""


def batch_norm(z, gamma, beta, running=None, evaluate=False):
    """Each unit standardized over the batch (Ioffe and Szegedy 2015), with its biased variance.

    running: (mean, variance), each (members, 1, width), updated in place while training, the variance by the
    unbiased one of the batch; with ``evaluate`` they stand in for the statistics of the batch.
    ValueError for a single example while training, where there is no variance, and for ``evaluate`` without
    running statistics.
    """
    members, batch, width = z.shape
    if evaluate and running is None:
        raise ValueError("running: batch norm needs running statistics to evaluate, got None")
    if batch < 2 and not evaluate:
        raise ValueError(f"batch: batch norm needs at least 2 examples to train on, got {batch}")
    mean, variance = (None, None) if running is None else (s.view(-1) for s in running)
    # One channel for each unit of each member: torch's kernel took half the time of the formula in torch.
    channels = z.transpose(0, 1).reshape(batch, members * width)
    out = F.batch_norm(channels, mean, variance, gamma.flatten(), beta.flatten(), not evaluate, MOMENTUM, EPS)
    return out.view(batch, members, width).transpose(0, 1)


def fresh_statistics(z):
    """The running (mean, variance) before the first batch: 0 and 1, each (members, 1, width)."""
    members, _, width = z.shape
    return z.new_zeros(members, 1, width), z.new_ones(members, 1, width)


def layer_norm(z, gamma, beta):
    """Each example standardized over the units (Ba, Kiros and Hinton 2016)."""
    return F.layer_norm(z, z.shape[-1:], eps=EPS) * gamma + beta


def group_norm(z, gamma, beta, groups):
    """Each example standardized over each of ``groups`` equal groups of units (Wu and He 2018)."""
    grouped = z.unflatten(-1, (groups, -1))
    return F.layer_norm(grouped, grouped.shape[-1:], eps=EPS).flatten(-2) * gamma + beta


def rms_norm(z, gamma, beta):
    """Each example divided by its root mean square over the units (Zhang and Sennrich 2019)."""
    return F.rms_norm(z, z.shape[-1:], eps=EPS) * gamma + beta


NORMS = {"batch": batch_norm, "layer": layer_norm, "group": group_norm, "rms": rms_norm}


def check_norm(name, width, groups):
    """ValueError unless ``name`` is None or a norm of this module whose groups, if any, divide ``width``."""
    if name is not None and name not in NORMS:
        raise ValueError(f"norm: unknown {name!r}; known are {', '.join(NORMS)}, and None")
    if name == "group" and width % integer("groups", groups):
        raise ValueError(f"groups: {groups} groups do not divide a width of {width}")
