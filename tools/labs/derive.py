"""Make every lab's notebooks from its one source, labs/sources/NAME.py: `make labs` calls this.

A source is a jupytext percent script whose cells carry nbgrader's metadata; what is the same for every cell
of a kind is filled in here (`locked`, `task`, `schema_version`). From it come

    labs/NAME.ipynb                                what a student opens: no solutions, no hidden tests
    _build/labs/solutions/NAME.ipynb               the worked solution, to read and to run
    _build/labs/nbgrader/source/NAME/NAME.ipynb    what nbgrader marks with: both, between nbgrader's marks

The first is committed. The others are made again whenever a command needs them: it asks `solutions` or
`nbgrader_sources`. With --check nothing is written, and a stale notebook that is committed is an error.
"""

import copy
import hashlib
import re
import shutil
import sys
from functools import cache
from pathlib import Path

import jupytext
import nbformat
from traitlets.config import Config, PyFileConfigLoader

from tools import ROOT
from tools.files import write_whole
from tools.upkeep.address import setup_cell

SETTINGS = Path(__file__).with_name("nbgrader_config.py")
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
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
    setup = nbformat.v4.new_code_cell(setup_cell(root), metadata={"tags": ["setup"]})
    notebook.cells.insert(1, setup)
    seen = set()
    for cell in notebook.cells:
        cell.metadata.pop("lines_to_next_cell", None)
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader = whole(cell.metadata.nbgrader, cell.cell_type, name)
            grade_id = cell.metadata.nbgrader["grade_id"]
            if grade_id in seen:
                raise ValueError(f"labs/sources/{name}.py: the grade_id {grade_id!r} stands twice")
            seen.add(grade_id)
    name_cells(notebook, name)
    setup.id = "setup"
    notebook.metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def name_cells(notebook, name):
    """Give each cell an id that stays while cells come and go around it: by its grade_id, or by its text."""
    taken = set()
    for cell in notebook.cells:
        what, again = cell.metadata.get("nbgrader", {}).get("grade_id") or cell.source, 0
        while not again or cell.id in taken:  # two cells of one text
            cell.id = hashlib.sha256(f"{name} {what} {again or ''}".encode()).hexdigest()[:8]
            again += 1
        taken.add(cell.id)


@cache
def stubs():
    """What stands where a solution was, as the settings for nbgrader's preprocessors say."""
    settings = PyFileConfigLoader(SETTINGS.name, str(SETTINGS.parent)).load_config()
    return Config({"ClearSolutions": settings.ClearSolutions})


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
    from nbgrader.preprocessors import (  # imported here: it takes seconds
        CheckCellMetadata,
        ClearHiddenTests,
        ClearOutput,
        ClearSolutions,
        ComputeChecksums,
        LockCells,
    )

    notebook = copy.deepcopy(notebook)
    steps = [LockCells, ClearSolutions, CheckCellMetadata, ClearOutput, ClearHiddenTests, ComputeChecksums]
    for step in steps:
        notebook, _ = step(config=stubs()).preprocess(notebook, {"nbgrader": {"assignment": name}})
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
    """Yield (file, the text it should hold) for the notebook of every lab that is committed: the student's."""
    for name in names(root):
        yield root / "labs" / f"{name}.ipynb", text(student(read(name, root), name))


def solutions(root=ROOT):
    """Make the worked solution of every lab, where it is not there yet as it should be; returns their folder."""
    folder = root / "_build" / "labs" / "solutions"
    return renew(folder, {f"{name}.ipynb": text(solution(read(name, root))) for name in names(root)})


def nbgrader_sources(root=ROOT):
    """Make nbgrader's source of every lab, where it is not there yet as it should be; returns their folder.

    Beside the folder lie nbgrader's settings, so that both together are a course for nbgrader.
    """
    folder = root / "_build" / "labs" / "nbgrader" / "source"
    renew(folder, {f"{name}/{name}.ipynb": text(read(name, root)) for name in names(root)})
    shutil.copy(SETTINGS, folder.parent)
    return folder


def renew(folder, texts):
    """Make ``folder`` hold the files of ``texts`` (path in it: text) and no other notebook; returns it."""
    for name, good in texts.items():
        if not same(folder / name, good):
            write_whole(folder / name, good)
    for file in folder.rglob("*.ipynb"):
        if file.relative_to(folder).as_posix() not in texts and ".ipynb_checkpoints" not in file.parts:
            file.unlink(missing_ok=True)
    return folder


def same(file, text):
    """Whether a file is there and holds this text."""
    return file.is_file() and file.read_text(encoding="utf8") == text


def text(notebook):
    return nbformat.writes(notebook) + "\n"


def main(arguments, root=ROOT):
    try:
        stale = [(file, good) for file, good in derived(root) if not same(file, good)]
        said = ", ".join(str(file.relative_to(root)) for file, _ in stale)
        if "--check" in arguments:
            sys.exit(f"stale: {said}; run `make labs`" if stale else 0)
        for file, good in stale:
            write_whole(file, good)
        made = [solutions(root), nbgrader_sources(root).parent]
    except ValueError as error:
        sys.exit(str(error))
    print(f"written: {said}" if stale else "nothing to write: every student's notebook is up to date")
    print(f"solutions in {made[0].relative_to(root)}, for nbgrader {made[1].relative_to(root)}")


if __name__ == "__main__":
    main(sys.argv[1:])
