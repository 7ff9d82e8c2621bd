"""Notebooks run where a reader would: alone, as in Colab, with the package from its wheel."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_notebook, writes

from tests import ROOT
from tools.upkeep import alone

PROBE = f"""
import importlib.util, os, sys
import blowup
assert os.listdir() == ["probe.ipynb"], os.listdir()
assert blowup.__file__.startswith(sys.prefix), blowup.__file__
assert not [place for place in [os.getcwd(), *sys.path] if place.startswith({str(ROOT)!r} + os.sep)], sys.path
assert "BLOWUP_STATIC" not in os.environ and os.environ["OMP_NUM_THREADS"] == "1"
assert importlib.util.find_spec("sphinx") is None, "more than Colab has"
"""
LIVE = """
from blowup.explore import explore
from matplotlib.figure import Figure
explore(lambda k: Figure(), k=[1, 2], alt="Nothing.")
assert get_ipython().display_pub.__class__.__name__ == "ZMQDisplayPublisher"
assert "blowup.explore.live" in sys.modules and "blowup.explore.static" not in sys.modules
"""


def write(folder, name, *sources):
    cells = [new_code_cell(source) for source in sources]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    file = folder / f"{name}.ipynb"
    file.write_text(writes(new_notebook(cells=cells, metadata=kernel)))
    return file


def test_a_cell_that_raises_fails_and_one_that_finds_itself_alone_passes(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOWUP_STATIC", "1")  # as if `make book` had been run in this shell
    files = {"probe": write(tmp_path, "probe", PROBE, LIVE), "broken": write(tmp_path, "broken", "1 / 0")}
    result = alone.run(files, capture_output=True, text=True, timeout=300)
    assert result.returncode == 1 and "ZeroDivisionError" in result.stdout
    assert "1 failed, 2 passed" in result.stdout, result.stdout


def test_every_chapter_and_every_solution_is_among_them():
    known = alone.notebooks()
    assert {file.stem for file in (ROOT / "book").glob("*.ipynb")} <= set(known)
    assert {f"solution-{file.stem}" for file in (ROOT / "labs").glob("*.ipynb")} <= set(known)
    for file in known.values():
        assert json.loads(file.read_text(encoding="utf8"))["cells"], file


def test_an_unknown_name_is_one_line():
    with pytest.raises(SystemExit, match="no notebook is called no-such-chapter: choose from activations, "):
        alone.main(["no-such-chapter"])
