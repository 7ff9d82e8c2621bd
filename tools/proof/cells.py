"""Run a notebook's cells in this process and note which of its checks fail, going on after each.

A check is a statement of a hidden cell (tag ``test``) or of a lab's graded cell, or a call of ``reproduce``.
Nothing is drawn or displayed: figures are closed unseen, and of explorers and quizzes only the arguments are
made.
"""

import ast
import contextlib
import io
import sys
import traceback
import warnings
from dataclasses import dataclass, field
from unittest import mock

import matplotlib
import nbformat

from blowup.curves import DoesNotReproduce
from tools.handouts import questions


@dataclass(frozen=True)
class Cell:
    """A code cell: its id, its source, whether it holds checks, and whether it may stop on purpose."""

    id: str
    source: str
    is_test: bool
    may_raise: bool


@dataclass(frozen=True)
class Failure:
    """A check that failed: cell id, line in the cell, that line's text, and the message with its values."""

    cell: str
    line: int
    text: str
    message: str
    reproduces: bool = False
    """Whether it is a verdict of ``reproduce``, which may be luck as often as ``blowup.agreement`` says."""


@dataclass
class Session:
    """The state of a running notebook: its names, the checks that failed, and how often reproduce ran."""

    names: dict = field(default_factory=lambda: {"__name__": "__main__"})
    failures: list = field(default_factory=list)
    reproduced: list = field(default_factory=list)
    """(name, whether it agreed) of each call of ``reproduce``."""

    def run(self, cell):
        """Execute one cell. Failed checks are noted; any other exception is raised, unless the cell may."""
        tree = ast.parse(cell.source)
        # A hidden cell goes on after a failed statement, so that one failure does not hide the next.
        parts = [[statement] for statement in tree.body] if cell.is_test else [tree.body]
        for part in parts:
            code = compile(ast.Module(part, []), f"<cell {cell.id}>", "exec")
            try:
                exec(code, self.names)
            except AssertionError as error:
                if not cell.is_test:
                    raise
                self.note(cell, error)
            except Exception:
                if not cell.may_raise:
                    raise
        import matplotlib.pyplot as plt

        plt.close("all")

    def note(self, cell, error):
        here = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == f"<cell {cell.id}>"]
        line = here[0].lineno
        text = cell.source.split("\n")[line - 1].strip()
        self.failures.append(Failure(cell.id, line, text, " ".join(str(error).split()) or "assertion"))

    def note_reproduce(self, original):
        """``reproduce``, with each verdict noted; a no is noted as a failure and does not end the cell."""

        def reproduce(name, curves):
            caller = sys._getframe(1)
            cell = caller.f_code.co_filename.removeprefix("<cell ").removesuffix(">")
            try:
                original(name, curves)
            except DoesNotReproduce as error:
                words = " ".join(str(error).split())
                self.failures.append(Failure(cell, caller.f_lineno, f"reproduce {name}", words, True))
                self.reproduced.append((name, False))
            else:
                self.reproduced.append((name, True))

        return reproduce


def read(path):
    """The code cells of a notebook file, in order; the setup cell is left out (the package is here).

    Of a file of exam questions (``.py``): one cell a question, all of whose statements may be checks.
    """
    if path.suffix == ".py":
        seed = "import torch\ntorch.manual_seed(0)\n"
        return [Cell(q.name, f"{seed}{q.imports}\n{q.code}", True, False) for q in questions.read_file(path)]
    notebook = nbformat.read(path, as_version=4)
    cells = [c for c in notebook.cells if c.cell_type == "code"]
    tags = [set(c.metadata.get("tags", [])) for c in cells]
    return [
        Cell(c.id, c.source, "test" in t or is_graded(c), "raises-exception" in t)
        for c, t in zip(cells, tags, strict=True)
        if "setup" not in t
    ]


def is_graded(cell):
    """Whether a lab's points hang on the cell."""
    return bool(cell.metadata.get("nbgrader", {}).get("grade"))


@contextlib.contextmanager
def session(folder):
    """A Session in which cells run as in ``folder``, silently and without drawing."""
    import blowup.curves
    import blowup.explore
    import blowup.quiz

    matplotlib.use("agg")
    state = Session()
    with (
        contextlib.chdir(folder),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
        mock.patch.object(blowup.curves, "reproduce", state.note_reproduce(blowup.curves.reproduce)),
        mock.patch.object(blowup.explore, "explore", lambda draw, **options: None),
        mock.patch.object(blowup.quiz, "question", lambda *words, **options: None),
    ):
        warnings.simplefilter("ignore")
        yield state
