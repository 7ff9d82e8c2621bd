"""The data sets as tensors, raw as a newcomer would meet them. Everything ships with the package."""

from blowup.arguments import one_of
from blowup.data.real import digits, proteins
from blowup.data.synthetic import clusters, memory, spirals
from blowup.data.table import Dataset

LOADERS = {"proteins": proteins, "digits": digits, "clusters": clusters, "spirals": spirals}


def load(name):
    """The data set called ``name``: "proteins", "digits", "clusters" or "spirals", as a :class:`Dataset`.

    Raises ValueError, listing the known names, for any other.
    """
    return LOADERS[one_of("name", name, LOADERS)]()


__all__ = ["Dataset", "clusters", "digits", "load", "memory", "proteins", "spirals"]
