"""The shape that every data set of the book has."""

from typing import NamedTuple

import torch


class Dataset(NamedTuple):
    """Inputs and labels, already split into training and test examples.

    ``x_train`` (n_train, ...) and ``x_test`` (n_test, ...) are float32; ``y_train`` and ``y_test`` are
    int64 class numbers; ``classes`` names the classes in the order of their numbers.
    """

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor
    classes: tuple[str, ...]


def split(x, y, classes, test):
    """A :class:`Dataset` from inputs ``x``, labels ``y`` and a boolean mask ``test``, all of length n."""
    x, y, test = torch.as_tensor(x).float(), torch.as_tensor(y).long(), torch.as_tensor(test).bool()
    return Dataset(x[~test], y[~test], x[test], y[test], tuple(classes))
