"""The tests, in the rooms of what they test.

Helpers go by their whole name, from everywhere: ``from tests.labs.cells import run``.
"""

from tools import ROOT

SITE = ROOT / "_build" / "html"

__all__ = ["ROOT", "SITE"]
