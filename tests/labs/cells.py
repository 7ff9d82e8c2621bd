"""Run a lab's cells in one namespace, and single exercises in it, without a kernel."""

import contextlib
import io
import re

import jupytext
import matplotlib.pyplot as plt
from tests import ROOT

HIDDEN = re.compile(r"^### BEGIN HIDDEN TESTS$(.*?)^### END HIDDEN TESTS$", re.MULTILINE | re.DOTALL)


def graded(notebook, automatically=True):
    """The cells that earn points: checks, or the paragraphs that a person reads."""
    kind = "code" if automatically else "markdown"
    return [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade") and c.cell_type == kind]


def answers(notebook):
    """{grade_id: code cell} of every exercise."""
    cells = [c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("solution")]
    return {c.metadata.nbgrader.grade_id: c for c in cells if c.cell_type == "code"}


def run(source, namespace, name="cell"):
    """Execute a cell's source in the namespace; returns what it printed."""
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said):
            exec(compile(source, f"<{name}>", "exec"), namespace)
    finally:
        plt.close("all")
    return said.getvalue()


def wrong_answers(lab):
    """Yield (exercise, what is wrong with it, code) from tests/wrong_solutions/LAB.py.

    Its cells are titled `# %% exercise: what is wrong`.
    """
    file = ROOT / "tests" / "wrong_solutions" / f"{lab}.py"
    for cell in jupytext.read(file, fmt="py:percent").cells:
        if cell.cell_type == "code":
            name, _, fault = cell.metadata.get("title", "").partition(": ")
            assert name and fault, (
                f"{file.name}: a cell without a title `exercise: what is wrong`: {cell.source}"
            )
            yield name, fault, cell.source


def assert_earns_nothing(notebook):
    """In an executed notebook every graded cell failed in one clear line, and every other cell ran."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        errors = [output for output in cell.outputs if output.output_type == "error"]
        if cell.metadata.get("nbgrader", {}).get("grade"):
            assert [error.ename for error in errors] == ["CheckFailed"], cell.source
            (line,) = errors[0].traceback
            assert re.fullmatch(r"✗ .+(not written yet\.|Did you run the cells above\?)", line), line
            assert not any("✓" in output.get("text", "") for output in cell.outputs), cell.source
        else:
            assert not errors, (cell.source, errors[0].evalue)
