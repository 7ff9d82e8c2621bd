"""``make curves`` publishes all curves or none."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from blowup.curves import load
from tests import ROOT

EXPERIMENT = """
import torch
from blowup.curves import reproduce
from blowup.networks import MLP
from blowup.training import train
x = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
curves = train(MLP(4, 2, 2, 8), x, (x[:, 0] > 0).long(), seeds=16, steps=20, lr={lr})
reproduce("{name}", curves)
"""


@pytest.fixture(scope="module")
def first_edition(tmp_path_factory):
    """A book of one chapter that makes the curve "first", published."""
    book = tmp_path_factory.mktemp("book")
    write(book, "one", EXPERIMENT.format(name="first", lr=0.05))
    write(book, "prose", "# reproduce(nothing): only talked about\nraise SystemExit('must not run')")
    done = make(book)
    assert done.returncode == 0, done.stderr
    assert "first: new" in done.stdout and "1 curves from 1 notebooks" in done.stdout
    return book


@pytest.fixture
def book(first_edition, tmp_path):
    """A copy of the first edition, to change."""
    return Path(shutil.copytree(first_edition, tmp_path / "book"))


def write(book, name, *cells):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    nbformat.write(notebook, book / f"{name}.ipynb")


def environment():
    kept = {name: value for name, value in os.environ.items() if not name.startswith("BLOWUP_")}
    return {**kept, "OMP_NUM_THREADS": "1"}


def make(book):
    command = [sys.executable, "-m", "tools.upkeep.publish_curves", "--book", str(book)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment(), timeout=180)


def state(book):
    """Every file of the book but the notebooks, hidden ones too."""
    return {p.name: p.read_bytes() for p in book.rglob("*") if p.is_file() and p.suffix != ".ipynb"}


def test_it_publishes_what_changed_and_names_what_did_not(book):
    before = state(book)
    write(book, "two", EXPERIMENT.format(name="second", lr=0.05))
    (book / "curves" / "old.csv").write_bytes(before["first.csv"])
    done = make(book)
    assert done.returncode == 0, done.stderr
    assert "first: unchanged" in done.stdout and "second: new" in done.stdout
    assert "old: no notebook makes it any more" in done.stdout
    assert set(state(book)) == {"first.csv", "second.csv", "old.csv"}
    assert state(book)["first.csv"] == before["first.csv"]

    write(book, "one", EXPERIMENT.format(name="first", lr=0.1))
    done = make(book)
    assert "first: changed\n  loss: at step" in done.stdout and "second: unchanged" in done.stdout
    assert "  update_norms: at step" in done.stdout
    assert state(book)["first.csv"] != before["first.csv"]
    load(book / "curves" / "first.csv")


def test_a_notebook_that_fails_leaves_the_published_curves_whole(book):
    before = state(book)
    write(book, "one", EXPERIMENT.format(name="first", lr=0.2))
    write(book, "two", "raise RuntimeError('broken on purpose')  # before reproduce(…)", "reproduce('x', 1)")
    done = make(book)
    assert done.returncode == 1
    assert (
        "RuntimeError: broken on purpose" in done.stderr
        and "published curves are as they were" in done.stderr
    )
    assert state(book) == before


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_leaves_the_published_curves_whole(book, sent):
    before = state(book)
    write(book, "one", EXPERIMENT.format(name="first", lr=0.2))
    mark = book / "two.started.ipynb"
    write(book, "two", f"open({str(mark)!r}, 'w').close()\nimport time; time.sleep(100)", "reproduce('x', 1)")
    command = [sys.executable, "-m", "tools.upkeep.publish_curves", "--book", str(book)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment())
    deadline = time.monotonic() + 90
    while not mark.exists() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert mark.exists() and any(book.glob(".curves-*/first.csv")), "the first notebook is staged"
    process.send_signal(sent)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1 and "published curves are as they were" in errors
    assert state(book) == before and not list(book.glob(".curves-*"))
