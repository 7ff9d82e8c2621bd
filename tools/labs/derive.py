"""Make every lab's three notebooks from its one source, labs/sources/NAME.py: `make labs` calls this.

A source is a jupytext percent script whose cells carry nbgrader's metadata; what is the same for every cell
of a kind is filled in here (`locked`, `task`, `schema_version`). From it come

    labs/NAME.ipynb                         what a student opens: no solutions, no hidden tests
    labs/solutions/NAME.ipynb               the worked solution, to read and to run
    labs/nbgrader/source/NAME/NAME.ipynb    what nbgrader marks with: both, between nbgrader's marks

With --check nothing is written, and a stale notebook is an error.
"""

import copy
import hashlib
import re
import sys

import jupytext
import nbformat
import yaml
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)
from traitlets.config import Config

from tools import ROOT
from tools.upkeep.address import Address, setup_cell

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
STUB = Config(
    {"ClearSolutions": {"code_stub": {"python": "raise NotImplementedError"}, "text_stub": "*Your answer.*"}}
)
SOLUTION_MARKS = re.compile(r"^[ \t]*### (?:BEGIN|END) SOLUTION[ \t]*\n?", re.MULTILINE)
HIDDEN_TESTS = re.compile(r"\n*^### BEGIN HIDDEN TESTS.*?^### END HIDDEN TESTS *$", re.MULTILINE | re.DOTALL)


def names(root=ROOT):
    """The labs, in the order of their sources' file names."""
    return sorted(file.stem for file in (root / "labs" / "sources").glob("*.py"))


def read(name, root=ROOT):
    """A lab's source as a notebook: nbgrader's metadata whole, the setup cell in second place, stable ids.

    Raises:
        ValueError: for a cell whose nbgrader metadata has no grade_id, or a grade_id that stands twice.
    """
    notebook = jupytext.read(root / "labs" / "sources" / f"{name}.py", fmt="py:percent")
    address = Address(yaml.safe_load((root / "_config.yml").read_text())["repository"]["url"])
    setup = nbformat.v4.new_code_cell(setup_cell(root, address), metadata={"tags": ["setup"]})
    notebook.cells.insert(1, setup)
    seen = set()
    for place, cell in enumerate(notebook.cells):
        cell.id = hashlib.sha256(f"{name} {place}".encode()).hexdigest()[:8]
        cell.metadata.pop("lines_to_next_cell", None)
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader = whole(cell.metadata.nbgrader, cell.cell_type, name)
            grade_id = cell.metadata.nbgrader["grade_id"]
            if grade_id in seen:
                raise ValueError(f"labs/sources/{name}.py: the grade_id {grade_id!r} stands twice")
            seen.add(grade_id)
    setup.id = "setup"
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def whole(short, cell_type, name):
    """nbgrader's metadata with all that it wants, from what a source says."""
    if "grade_id" not in short:
        raise ValueError(f"labs/sources/{name}.py: nbgrader metadata without a grade_id: {dict(short)}")
    full = {"schema_version": 3, "grade": False, "solution": False, "task": False} | dict(short)
    full.setdefault("locked", full["grade"] and not full["solution"])
    full["cell_type"] = cell_type
    return full


def student(notebook, name):
    """The notebook with stubs for solutions and without hidden tests, by nbgrader's own preprocessors."""
    notebook = copy.deepcopy(notebook)
    steps = [LockCells, ClearSolutions, CheckCellMetadata, ClearOutput, ClearHiddenTests, ComputeChecksums]
    for step in steps:
        notebook, _ = step(config=STUB).preprocess(notebook, {"nbgrader": {"assignment": name}})
    return notebook


def solution(notebook):
    """The notebook with its solutions in and nbgrader's marks, hidden tests and metadata out."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
        cell.source = SOLUTION_MARKS.sub("", HIDDEN_TESTS.sub("", cell.source)).rstrip("\n")
    title = notebook.cells[0]
    title.source = re.sub(r"^(# .*)$", r"\1: the solution", title.source, count=1, flags=re.MULTILINE)
    return notebook


def derived(root=ROOT):
    """Yield (file, the text it should hold) for the three notebooks of every lab."""
    labs = root / "labs"
    for name in names(root):
        notebook = read(name, root)
        yield labs / f"{name}.ipynb", text(student(notebook, name))
        yield labs / "solutions" / f"{name}.ipynb", text(solution(notebook))
        yield labs / "nbgrader" / "source" / name / f"{name}.ipynb", text(notebook)


def text(notebook):
    return nbformat.writes(notebook) + "\n"


def main(arguments, root=ROOT):
    try:
        stale = [
            (file, good)
            for file, good in derived(root)
            if not file.exists() or file.read_text(encoding="utf8") != good
        ]
    except ValueError as error:
        sys.exit(str(error))
    said = ", ".join(str(file.relative_to(root)) for file, _ in stale)
    if "--check" in arguments:
        sys.exit(f"stale: {said}; run `make labs`" if stale else 0)
    for file, good in stale:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(good, encoding="utf8")
    print(f"written: {said}" if stale else "nothing to write: every lab is up to date")


if __name__ == "__main__":
    main(sys.argv[1:])
