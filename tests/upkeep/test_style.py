"""The code, chapters included, keeps the style that pyproject.toml sets: what `make lint` says."""

import subprocess
import sys

import pytest

from tests import ROOT

pytest.importorskip("ruff", reason="style is checked where requirements.txt is installed")


@pytest.mark.parametrize("words", ["check .", "format --check . --exclude *.ipynb"])
def test_ruff_has_nothing_to_say(words):
    command = [sys.executable, "-m", "ruff", *words.split()]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, f"{run.stdout}{run.stderr}run `make lint`"
