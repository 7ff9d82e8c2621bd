"""A tiny lab and submissions to it, for the tests of marking: 6 points by tests, 2 by a teacher."""

import copy
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests import ROOT

LAB = "tiny-lab"
SETUP = "import sys\n\nfrom tiny_checks import exercise\n\n\ndef given(x):\n    return x"
SECRET = "number = 17.25  # a line of the hidden tests"
RIGHT = {
    "add": "def add(a, b):\n    return a + b",
    "scale": "def scale(x, factor):\n    return [factor * v for v in x]",
    "norm": "def norm(x):\n    return sum(v * v for v in x) ** 0.5",
    "why": "Because every step multiplies.",
}
POINTS = {"add": 2, "scale": 3, "norm": 1}
CHECKS = {
    "add": (
        'check.close(add(1, 2), 3.0, "1 + 2")',
        f'{SECRET}\n    check.close(add(number, 4), 21.25, "a sum")',
    ),
    "scale": (
        'check.close(scale([1.0, 2.0], 3), [3.0, 6.0], "3 times (1, 2)")',
        'for f in (0.5, -7):\n        check.close(scale([given(4.0)], f), [4.0 * f], "a multiple")',
    ),
    "norm": (
        'check.equal(norm([3.0, 4.0]), 5.0, "the norm of (3, 4)")',
        'check.true(norm([2.0] * 9) == 6.0, "nine twos have the norm 6")',
    ),
}


def nbgrader(grade_id, **more):
    """nbgrader's metadata for a cell."""
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": plain | {"grade_id": grade_id} | more}


def source_notebook(prefix=""):
    """nbgrader's source of the tiny lab; with a prefix, another lab with cells of other names."""
    cells = [new_markdown_cell("# Lab: tiny"), new_code_cell(SETUP)]
    for name, (shown, hidden) in CHECKS.items():
        head, body = RIGHT[name].split("\n", 1)
        answer = f"{head}\n    ### BEGIN SOLUTION\n{body}\n    ### END SOLUTION"
        check = f'with exercise("{name}") as check:\n    {shown}\n### BEGIN HIDDEN TESTS\n'
        check += f'with exercise("{name}, hidden") as check:\n    {hidden}\n### END HIDDEN TESTS'
        cells.append(new_code_cell(answer, metadata=nbgrader(prefix + name, solution=True)))
        graded = nbgrader(f"{prefix}{name}_check", grade=True, locked=True, points=POINTS[name])
        cells.append(new_code_cell(check, metadata=graded))
    question = nbgrader(f"{prefix}why", grade=True, solution=True, points=2)
    cells.append(new_markdown_cell("### BEGIN SOLUTION\nBecause.\n### END SOLUTION", metadata=question))
    for place, cell in enumerate(cells):
        cell.id = f"{prefix}cell{place}"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return new_notebook(cells=cells, metadata=kernel)


def write_sources(folder):
    """Two labs as nbgrader wants them; returns the folder to give as --sources."""
    for name, prefix in ((LAB, ""), ("other-lab", "other_")):
        place = folder / name / f"{name}.ipynb"
        place.parent.mkdir(parents=True)
        nbformat.write(source_notebook(prefix), place)
        shutil.copy(Path(__file__).with_name("tiny_checks.py"), place.parent)
    return folder


def student_notebook(prefix=""):
    """What students get: by the same preprocessors that make the labs of the book."""
    from tools.labs import derive

    return derive.student(source_notebook(prefix), LAB)


def by_id(notebook):
    """The cells that nbgrader knows, by grade id."""
    return {c.metadata.nbgrader.grade_id: c for c in notebook.cells if "nbgrader" in c.metadata}


def answered(release, first="", **answers):
    """A filled-in notebook: ``answers`` by grade id, None leaves the stub; ``first`` is a cell before."""
    notebook = copy.deepcopy(release)
    for name, answer in (RIGHT | answers).items():
        if answer is not None:
            by_id(notebook)[name].source = answer
    if first:
        notebook.cells.insert(2, new_code_cell(first))
    return notebook


def grade(folder, out, sources, *options, timeout=500, **more):
    """Run tools.marking.grade; returns the finished process with its words."""
    command = [sys.executable, "-m", "tools.marking.grade", "--lab", LAB, "--in", folder, "--out", out]
    command += ["--sources", sources, *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=ROOT, **more)


def read_table(path):
    """The rows of one of the tables, as dictionaries."""
    import csv

    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def outcome(out):
    """Maps each file to its row of grades.csv, with the reasons of look-at.csv under ``reasons``."""
    rows = {row["file"]: row | {"reasons": ""} for row in read_table(out / "grades.csv")}
    for row in read_table(out / "look-at.csv"):
        rows.setdefault(row["file"], {"reasons": ""})["reasons"] += row["reason"] + "\n"
    return rows


def result_of(out, row):
    """The result.json behind a row of grades.csv."""
    key = row["feedback"].removeprefix("feedback/").removesuffix(".html")
    return json.loads((out / "submissions" / key / "result.json").read_text())
