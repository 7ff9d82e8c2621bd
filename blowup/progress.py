"""A progress bar in a notebook and in a terminal, and none in the book, in a pipe or in a test."""

import os
import sys

from tqdm.auto import tqdm


def watched():
    """Whether somebody looks on: a live kernel or a terminal, and not the build of the book."""
    if os.environ.get("BLOWUP_STATIC") == "1":
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or sys.stderr.isatty()


def bar(total, label, shown=True):
    """A tqdm bar over ``total`` steps; silent unless ``shown`` and somebody looks on."""
    return tqdm(total=total, desc=label, disable=not (shown and watched()), unit="step", dynamic_ncols=True)
