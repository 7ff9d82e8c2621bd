"""A progress bar in a notebook and in a terminal, and none in the book, in a pipe or in a test."""

import sys
from contextlib import nullcontext
from types import SimpleNamespace

from blowup.settings import static_page

try:
    from tqdm.auto import tqdm
except ModuleNotFoundError:  # Colab installs the package alone: without tqdm, train in silence
    tqdm = None


def watched():
    """Whether somebody looks on: a live kernel or a terminal, and not the build of the book."""
    if static_page():
        return False
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel") or sys.stderr.isatty()


def bar(total, label, shown=True):
    """A tqdm bar over ``total`` steps; silent unless ``shown``, somebody looks on, and there is a tqdm."""
    if tqdm is None or not (shown and watched()):
        return nullcontext(SimpleNamespace(update=lambda steps: None))
    return tqdm(total=total, desc=label, unit="step", dynamic_ncols=True)
