"""Marking honest notebooks, however they were named or mangled: everybody gets exactly the points earned."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import nbformat
import pytest

from tests import ROOT
from tests.marking.tiny_lab import (
    LAB,
    SECRET,
    answered,
    by_id,
    grade,
    outcome,
    read_table,
    student_notebook,
    write_sources,
)

WRONG = "def scale(x, factor):\n    return x * factor"
LIMITS = ["--cell-seconds", "40", "--notebook-seconds", "90"]


def stripped(notebook, ids=False):
    """The notebook without any metadata of nbgrader's, and without cell ids if ``ids``."""
    for place, cell in enumerate(notebook.cells):
        cell.metadata = {}
        if ids:
            cell.id = f"new{place}"
    return notebook


def edited(notebook):
    """A check emptied, over a wrong answer."""
    by_id(notebook)["scale_check"].source = "print('✓ scale')"
    return notebook


def without(notebook, *names):
    """The notebook without some of its cells."""
    gone = [id(by_id(notebook)[name]) for name in names]
    notebook.cells = [cell for cell in notebook.cells if id(cell) not in gone]
    return notebook


def doubled(notebook, name):
    """The notebook with one cell twice."""
    cell = by_id(notebook)[name]
    notebook.cells.insert(notebook.cells.index(cell), nbformat.from_dict({**cell, "id": "twin"}))
    return notebook


def honest(release):
    """Maps file names to (notebook, points, points by hand, a reason to look or "")."""
    full = answered(release)
    half = answered(release, scale=WRONG, norm=None, why=None)
    julia = answered(release)
    julia.metadata.kernelspec = {"name": "julia-1.10", "display_name": "Julia", "language": "julia"}
    bare = answered(release)
    del bare.metadata["kernelspec"]
    loud = "import sys, warnings\ndef add(a, b):\n    warnings.warn('careful')\n"
    loud += "    print('x' * 3_000_000)\n    print('note', file=sys.stderr)\n    return a + b"
    more = answered(
        release, first="import numpy as np", norm="def norm(x):\n    return float(np.hypot.reduce(x))"
    )
    more.cells[1].source += "\nimport math"
    return {
        "Jane Doe_101_assignsubmission_file_/tiny-lab.ipynb": (full, 6, 2, "the same file as copied"),
        "John Roe_102_assignsubmission_file_/my lab (final) (2).ipynb": (half, 2, 0, ""),
        "Ann Poe_103_assignsubmission_file_/tiny-lab.ipynb": (release, 0, 0, ""),
        "Two Files_104_assignsubmission_file_/a.ipynb": (answered(release, add=None), 4, 2, "each is marked"),
        "Two Files_104_assignsubmission_file_/b.ipynb": (
            answered(release, norm=None),
            5,
            2,
            "each is marked",
        ),
        "poeann_203_9003_tiny-lab-1.ipynb": (answered(release, add=None, why="-1"), 4, 2, ""),
        "poeann_203_9004_tiny-lab-2.ipynb": (
            answered(release, norm=None, why="-2"),
            5,
            2,
            "newest by number",
        ),
        "tiny-lab - Max Moe (1).ipynb": (answered(release, add=None, why="(1)"), 4, 2, ""),
        "tiny-lab - Max Moe (10).ipynb": (answered(release, why="(10)"), 6, 2, "newest by number"),
        "hard-coded tiny-lab.ipynb": (answered(release, add="def add(a, b):\n    return 3"), 4, 2, ""),
        "loud tiny-lab.ipynb": (answered(release, add=loud), 6, 2, ""),
        "lost tiny-lab.ipynb": (stripped(answered(release)), 6, 2, "metadata lost"),
        "all lost tiny-lab.ipynb": (stripped(answered(release), ids=True), 6, 0, "cells missing"),
        "edited tiny-lab.ipynb": (edited(answered(release, scale=WRONG)), 3, 2, "test edited: scale_check"),
        "gone tiny-lab.ipynb": (
            without(answered(release), "scale_check", "why"),
            6,
            0,
            "missing: scale_check",
        ),
        "twice tiny-lab.ipynb": (doubled(answered(release), "norm_check"), 6, 2, "cell twice: norm_check"),
        "julia tiny-lab.ipynb": (julia, 6, 2, ""),
        "bare tiny-lab.ipynb": (bare, 6, 2, "no kernel named"),
        "more tiny-lab.ipynb": (more, 6, 2, "given cells changed"),
        "copied tiny-lab.ipynb": (full, 6, 2, "the same file as Jane Doe_101"),
    }


NAMED = {  # what is in these does not matter, only whose they are
    "doejane_201_9001_tiny-lab.ipynb": ("doejane", "201"),
    "roejohn_LATE_202_9002_tiny-lab.ipynb": ("roejohn", "202"),
    "Zoë Ångström tiny_lab.ipynb": ("Zoë Ångström", ""),
    "李雷 - tiny-lab.IPYNB": ("李雷", ""),
    "Ann_105_assignsubmission_file_tiny-lab (1).ipynb": ("Ann", "105"),
    "Kim Koe/tiny-lab (3).ipynb": ("Kim Koe", ""),
    "'=1+1 tiny-lab.ipynb": ("'=1+1", ""),  # with an apostrophe, no spreadsheet computes it
    "$(touch pwned) -rf tiny-lab.ipynb": ("$(touch pwned) -rf", ""),
    "up\\..\\..\\up tiny-lab.ipynb": ("up\\..\\..\\up", ""),
    "line break tiny-lab.ipynb": ("line break", ""),
    "x.ipynb": ("x", ""),
}
UNMARKED = {
    "zip tiny-lab.ipynb": ("unreadable", "a ZIP archive"),
    "png tiny-lab.ipynb": ("unreadable", "a PNG picture"),
    "cut tiny-lab.ipynb": ("unreadable", "broken JSON"),
    "empty tiny-lab.ipynb": ("unreadable", "broken JSON"),
    "list tiny-lab.ipynb": ("unreadable", "JSON of another kind"),
    "deep tiny-lab.ipynb": ("unreadable", "RecursionError"),
    "odd tiny-lab.ipynb": ("unreadable", "broken notebook"),
    "huge tiny-lab.ipynb": ("refused", "too large: 200 MB"),
    "link tiny-lab.ipynb": ("refused", "not a plain file"),
    "other tiny-lab.ipynb": ("wrong lab", "the cells are those of other-lab"),
}
OLDER = ("poeann_203_9003_tiny-lab-1.ipynb", "tiny-lab - Max Moe (1).ipynb")


def write_all(folder, sources):
    """Everything into a folder as a learning platform would leave it; returns the honest ones."""
    cases = honest(student_notebook())
    for name, (notebook, *_) in cases.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(nbformat.writes(notebook), encoding="utf8")
    for name in NAMED:
        path = folder / name.removeprefix("'").replace("line ", "line\n")
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(name))
    third = {"nbformat": 3, "nbformat_minor": 0, "metadata": {}, "worksheets": [{"cells": []}]}
    for cell in answered(student_notebook()).cells:
        kept = {"cell_type": cell.cell_type, "metadata": cell.metadata}
        code = {"input": cell.source, "language": "python", "outputs": [], "collapsed": False}
        third["worksheets"][0]["cells"].append(
            kept | (code if cell.cell_type == "code" else {"source": cell.source})
        )
    (folder / "old tiny-lab.ipynb").write_text(json.dumps(third))
    cases["old tiny-lab.ipynb"] = (third, 6, 2, "nbformat 3")
    whole = nbformat.writes(student_notebook())
    (folder / "zip tiny-lab.ipynb").write_bytes(b"PK\x03\x04rest")
    (folder / "png tiny-lab.ipynb").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "cut tiny-lab.ipynb").write_text(whole[: len(whole) // 2])
    (folder / "empty tiny-lab.ipynb").touch()
    (folder / "list tiny-lab.ipynb").write_text("[1, 2]")
    (folder / "deep tiny-lab.ipynb").write_text("[" * 200_000)
    (folder / "odd tiny-lab.ipynb").write_text(
        '{"nbformat": 4, "nbformat_minor": 5, "metadata": 3, "cells": 7}'
    )
    with (folder / "huge tiny-lab.ipynb").open("wb") as file:
        file.truncate(200_000_000)
    (folder / "link tiny-lab.ipynb").symlink_to(sources / LAB / f"{LAB}.ipynb")
    (folder / "other tiny-lab.ipynb").write_text(nbformat.writes(student_notebook("other_")))
    (folder / "notes.docx").write_text("not mine")
    return cases


@pytest.fixture(scope="module")
def marked(tmp_path_factory, sandbox):
    """The class marked once: (what was handed in, the outcome, the folders)."""
    place = tmp_path_factory.mktemp("class")
    (place / "in").mkdir()
    sources = write_sources(place / "sources")
    cases = write_all(place / "in", sources)
    run = grade(place / "in", place / "out", sources, *LIMITS, *sandbox)
    assert run.returncode == 0, run.stderr
    return cases, outcome(place / "out"), place, run


def test_everybody_gets_exactly_what_was_earned(marked):
    cases, rows, _, _ = marked
    for name, (_, points, by_hand, reason) in cases.items():
        row = rows[name]
        if name in OLDER:
            assert row["status"] == "older copy" and row["score"] == "0", name
            continue
        said = (row["status"], float(row["score"]), float(row["max"]), float(row["to_grade_by_hand"]))
        assert said == ("marked", points, 8, by_hand), (name, row["reasons"])
        assert reason in row["reasons"], name
        assert bool(row["reasons"]) == bool(reason), (name, row["reasons"])


def test_what_cannot_be_marked_is_listed_with_its_reason(marked):
    _, rows, _, run = marked
    for name, (status, reason) in UNMARKED.items():
        assert rows[name]["status"] == status and reason in rows[name]["reasons"], rows[name]
        assert rows[name]["score"] == "0" and not rows[name]["feedback"]
    assert "not a notebook by its name" in rows["notes.docx"]["reasons"]
    assert len(marked[0]) + len(UNMARKED) >= 30 and "to look at" in run.stdout


def test_names_are_read_from_every_platform(marked):
    rows = marked[1]
    for name, (student, number) in NAMED.items():
        assert (rows[name]["student"], rows[name]["id"]) == (student, number)
    assert rows["Jane Doe_101_assignsubmission_file_/tiny-lab.ipynb"]["student"] == "Jane Doe"
    assert rows["John Roe_102_assignsubmission_file_/my lab (final) (2).ipynb"]["student"] == "John Roe"
    assert rows["tiny-lab - Max Moe (10).ipynb"]["student"] == "Max Moe"
    assert "no student's name" in rows["x.ipynb"]["reasons"]


def test_nothing_lands_where_a_name_points(marked):
    place = marked[2]
    assert not list(place.parent.rglob("pwned")) and not (ROOT / "pwned").exists()
    assert sorted(p.name for p in place.iterdir()) == ["in", "out", "sources"]
    pages = sorted(p.name for p in (place / "out" / "feedback").iterdir())
    assert len(pages) == len(set(pages)) == sum(row.get("status") == "marked" for row in marked[1].values())
    assert all(re.fullmatch(r"[a-z0-9-]+\.html", page) for page in pages)


def test_feedback_shows_results_and_no_test(marked):
    _, rows, place, _ = marked
    page = (place / "out" / rows["hard-coded tiny-lab.ipynb"]["feedback"]).read_text()
    assert "✗ add, hidden: a sum should be 21.25, but it is 3." in page and "✓ norm" in page
    assert "hard-coded" in page and "2 points are still to be given" in page
    for row in rows.values():
        if row.get("feedback"):
            page = (place / "out" / row["feedback"]).read_text()
            assert SECRET not in page and "hidden tests" not in page and "with exercise" not in page
            assert "<script" not in page and "http:" not in page and "https:" not in page


def test_a_second_run_marks_only_what_is_missing(marked, sandbox):
    place = marked[2]
    before = {p: p.stat().st_mtime_ns for p in (place / "out" / "submissions").rglob("result.json")}
    table = (place / "out" / "grades.csv").read_bytes()
    lost = sorted(before)[0]
    lost.unlink()
    (place / "out" / "grades.csv").unlink()
    run = grade(place / "in", place / "out", place / "sources", *LIMITS, *sandbox)
    assert run.returncode == 0 and f"{len(before) - 1} of {len(before)} were marked before" in run.stderr
    after = {p: p.stat().st_mtime_ns for p in (place / "out" / "submissions").rglob("result.json")}
    assert after.keys() == before.keys() and {p for p in after if after[p] != before[p]} == {lost}
    assert (place / "out" / "grades.csv").read_bytes() == table


def test_ctrl_c_says_so_in_a_line_and_the_next_run_goes_on(tmp_path, sandbox):
    sources = write_sources(tmp_path / "sources")
    (tmp_path / "in").mkdir()
    quick = nbformat.writes(answered(student_notebook()))
    slow = nbformat.writes(answered(student_notebook(), first="import time\ntime.sleep(3600)"))
    (tmp_path / "in" / "a tiny-lab.ipynb").write_text(quick)
    for name in "bc":
        (tmp_path / "in" / f"{name} tiny-lab.ipynb").write_text(slow)
    command = [sys.executable, "-m", "tools.marking.grade", "--lab", LAB, "--in", tmp_path / "in"]
    command += ["--out", tmp_path / "out", "--sources", sources, "--jobs", "2"]
    group = {"start_new_session": True, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **group) as run:
        for _ in range(1200):
            if list((tmp_path / "out").glob("submissions/a-*/result.json")):
                break
            time.sleep(0.1)
        time.sleep(1)
        os.killpg(run.pid, signal.SIGINT)  # as a terminal does it: to the workers, too
        said = run.communicate(timeout=30)[1]
    assert run.returncode == 130 and "stopped: run the same command again" in said
    assert "Traceback" not in said
    rows = read_table(tmp_path / "out" / "grades.csv")
    assert [(row["student"], row["score"]) for row in rows] == [("a", "6")]
    for file in (tmp_path / "in").glob("[bc]*"):
        file.write_text(quick)
    run = grade(tmp_path / "in", tmp_path / "out", sources)
    assert "1 of 3 were marked before" in run.stderr
    assert [row["score"] for row in read_table(tmp_path / "out" / "grades.csv")] == ["6", "6", "6"]
