"""``make curves`` publishes all curves or none."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import nbformat
import pytest

import blowup.curves
from blowup.curves import load, publish
from tests import ROOT
from tools.upkeep import publish_curves

EXPERIMENT = """
import numpy as np
from blowup.curves import Curves, reproduce
rows = {level} * np.exp(np.random.default_rng(0).normal(size=(4, 16, 5)) / 9)
accuracy = np.minimum(rows[1], 1)
curves = Curves(range(5), range(16), rows[0], accuracy, rows[2][..., None], rows[3], [-1] * 16)
reproduce("{name}", curves)
"""


@pytest.fixture
def book(tmp_path):
    """A book of one chapter that makes the curve "first", published, and of one that makes none."""
    write(tmp_path, "one", EXPERIMENT.format(name="first", level=0.5))
    write(tmp_path, "prose", "# reproduce(nothing): only talked about\nraise SystemExit('must not run')")
    (tmp_path / "curves").mkdir()
    run_here(tmp_path / "one.ipynb", tmp_path / "curves")
    return tmp_path


def run_here(path, staging):
    """What the tool's own ``run`` does, without a kernel."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blowup.curves, "reproduce", partial(publish, folder=staging))
        for cell in nbformat.read(path, as_version=4).cells:
            exec(cell.source, {})


@pytest.fixture
def make(monkeypatch, capsys):
    """``make(book)`` → the tool's exit code, what it printed and what it said on standard error."""
    monkeypatch.setattr(publish_curves, "run", run_here)

    def call(book):
        capsys.readouterr()
        return publish_curves.main(book), *capsys.readouterr()

    return call


def write(book, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, book / f"{name}.ipynb")


def start(book):
    """The tool itself, kernels and all."""
    command = [sys.executable, "-m", "tools.upkeep.publish_curves", "--book", str(book)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": "1"}, **pipes)


def state(book):
    """Every file of the book but the notebooks, hidden ones too."""
    return {p.name: p.read_bytes() for p in book.rglob("*") if p.is_file() and p.suffix != ".ipynb"}


def test_in_the_notebooks_own_kernels_reproduce_publishes(book):
    before = state(book)
    write(book, "two", EXPERIMENT.format(name="second", level=0.5))
    process = start(book)
    said, errors = process.communicate(timeout=180)
    assert process.returncode == 0, errors
    assert "first: unchanged" in said and "second: new" in said and "2 curves from 2 notebooks" in said
    assert set(state(book)) == {"first.csv", "second.csv"} and state(book)["first.csv"] == before["first.csv"]


def test_it_publishes_what_changed_and_names_what_did_not(book, make):
    before = state(book)
    (book / "curves" / "old.csv").write_bytes(before["first.csv"])
    write(book, "one", EXPERIMENT.format(name="first", level=0.2))
    write(book, "two", EXPERIMENT.format(name="second", level=0.5))
    code, said, _ = make(book)
    assert code == 0 and "first: changed\n  loss: at step" in said and "second: new" in said
    assert "  update_norms: at step" in said and "old: no notebook makes it any more" in said
    assert set(state(book)) == {"first.csv", "second.csv", "old.csv"}
    assert state(book)["first.csv"] != before["first.csv"]
    load(book / "curves" / "first.csv")


def test_a_notebook_that_fails_leaves_the_published_curves_whole(book, make):
    before = state(book)
    write(book, "one", EXPERIMENT.format(name="first", level=0.2))
    write(book, "two", "raise RuntimeError('broken on purpose')  # before reproduce(…)", "reproduce('x', 1)")
    code, _, errors = make(book)
    assert code == 1 and "broken on purpose" in errors and "published curves are as they were" in errors
    assert state(book) == before


def test_two_experiments_of_one_name_are_refused(book, make):
    before = state(book)
    write(book, "two", EXPERIMENT.format(name="first", level=0.2))
    code, _, errors = make(book)
    assert code == 1 and "'first' is published twice in one run" in errors and state(book) == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_published_curves_whole(book, sent):
    before = state(book)
    write(book, "one", EXPERIMENT.format(name="first", level=0.2))
    mark = book / "two.started.ipynb"
    write(book, "two", f"open({str(mark)!r}, 'w').close()\nimport time; time.sleep(100)", "reproduce('x', 1)")
    process = start(book)
    deadline = time.monotonic() + 90
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert mark.exists() and any(book.glob(".curves-*/first.csv")), "the first notebook is staged"
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "published curves are as they were" in errors
    assert state(book) == before and not list(book.glob(".curves-*"))
