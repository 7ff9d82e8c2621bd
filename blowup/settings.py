"""The package's switches: the only place that reads them from the environment."""

import os
from pathlib import Path


def static_page():
    """``BLOWUP_STATIC=1``, set by the book's build: figures are drawn for a page without a kernel."""
    return os.environ.get("BLOWUP_STATIC") == "1"


def curves_folder():
    """``BLOWUP_CURVES``: the folder of published curves to compare with, in place of the book's; or None."""
    folder = os.environ.get("BLOWUP_CURVES")
    return Path(folder) if folder else None
