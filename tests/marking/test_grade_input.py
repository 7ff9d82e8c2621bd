"""What `make grade` says to bad input, without a sandbox, and about the parts that need no kernel."""

import re
import subprocess

import nbformat
import pytest

from tests import ROOT
from tests.marking.tiny_lab import LAB, answered, grade, outcome, student_notebook, write_sources
from tools.marking import grade as marker
from tools.marking import limits, names, sandbox, scan, score


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with one good notebook in ``in`` and the tiny labs in ``sources``."""
    place = tmp_path_factory.mktemp("input")
    (place / "in").mkdir()
    (place / "empty").mkdir()
    (place / "words").mkdir()
    (place / "words" / "a.txt").write_text("not a notebook")
    write_sources(place / "sources")
    (place / "in" / "tiny-lab Jane.ipynb").write_text(nbformat.writes(answered(student_notebook())))
    return place


@pytest.mark.parametrize(
    "options, words",
    [
        ({"--lab": "no-such"}, "LAB must be one of other-lab, tiny-lab, not 'no-such'"),
        ({"--lab": "../tiny-lab"}, "LAB must be one of"),
        ({"--lab": ""}, "usage: make grade LAB=gradient-clipping IN=folder OUT=folder"),
        ({"--in": "nowhere"}, "IN must be a folder of notebooks: there is no folder"),
        ({"--in": "empty"}, "it is empty"),
        ({"--in": "words"}, "it holds 1 other file"),
        ({"--out": "in/marks"}, "OUT must not lie in IN"),
        ({"--out": "."}, "IN must not lie in OUT"),
        ({"--out": "words/a.txt"}, "OUT must be a folder"),
        ({"--memory": "0"}, "--memory must be above 0, not 0"),
        ({"--jobs": "0"}, "--jobs must be at least 1, not 0"),
    ],
)
def test_bad_input_gets_one_clear_line_and_exit_code_2(place, options, words, monkeypatch, capsys):
    monkeypatch.chdir(place)
    monkeypatch.setattr(marker.signal, "signal", lambda *_: None)  # this process keeps its own handlers
    given = {"--lab": LAB, "--in": "in", "--out": "out", "--sources": "sources"} | options
    assert marker.main([word for pair in given.items() for word in pair]) == 2
    said = capsys.readouterr()
    assert words in said.err and len(said.err.strip().splitlines()) == 1 and not said.out
    assert not (place / "out").exists()


def test_make_passes_names_with_blanks(tmp_path):
    command = ["make", "-s", "grade", "LAB=no such lab", f"IN={tmp_path}/a b", f"OUT={tmp_path}/c d"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert "LAB must be one of" in run.stderr and "not 'no such lab'" in run.stderr


def test_without_bubblewrap_it_says_how_to_install_it(place, monkeypatch):
    run = grade(place / "in", place / "out", place / "sources", env={"PATH": "/nowhere"})
    assert run.returncode == 2
    assert "apt-get install bubblewrap" in run.stderr and "NOSANDBOX=1" in run.stderr
    monkeypatch.setattr(sandbox.shutil, "which", lambda _: "/bin/false")
    assert "bubblewrap cannot make a sandbox here" in sandbox.missing()


def test_no_sandbox_warns_and_marks(place):
    run = grade(place / "in", place / "bare", place / "sources", "--no-sandbox", "--cell-seconds", "60")
    assert run.returncode == 0 and run.stderr.startswith("warning: NO SANDBOX.")
    row = outcome(place / "bare")["tiny-lab Jane.ipynb"]
    assert (row["score"], row["to_grade_by_hand"], row["reasons"]) == ("6", "2", "")
    again = grade(place / "in", place / "bare", place / "sources", "--no-sandbox", "--cell-seconds", "60")
    assert "1 of 1 were marked before" in again.stderr
    other = subprocess.run(
        [*again.args[:4], "other-lab", *again.args[5:]], capture_output=True, text=True, cwd=ROOT
    )
    assert other.returncode == 2 and "OUT holds the marks of tiny-lab" in other.stderr


def test_every_limit_is_in_the_docs():
    page = (ROOT / "course" / "marking.md").read_text()
    for name, value in vars(limits.Limits()).items():
        row = rf"\| `--{name.replace('_', '-')}` \| {value:g} \|"
        assert re.search(row, page), f"course/marking.md does not give {row}"


@pytest.mark.parametrize(
    "path, student, number, copy",
    [
        ("Jane Doe_12345_assignsubmission_file_/gradient-clipping.ipynb", "Jane Doe", "12345", 0),
        ("A_B_7_assignsubmission_file_/deep/er/x (3).ipynb", "A B", "7", 3),
        ("doejane_LATE_1234_5678_gradient-clipping-1.ipynb", "doejane", "1234", 1),
        ("gradient-clipping - Jane Doe (1).ipynb", "Jane Doe", "", 1),
        ("Gradient_Clipping Jane.ipynb", "Jane", "", 0),
        ("Jane Doe/gradient-clipping.ipynb", "Jane Doe", "", 0),
    ],
)
def test_names(path, student, number, copy):
    name = names.read(path, "gradient-clipping")
    assert (name.student, name.id, name.copy, name.sure) == (student, number, copy, True)


@pytest.mark.parametrize(
    "source, kind",
    [
        ("import os\nos._exit(0)", scan.EXIT),
        ("quit()", scan.EXIT),
        ("!ls", scan.SHELL),
        ("%%bash\nls", scan.SHELL),
        ("from IPython import get_ipython as g", scan.SHELL),
        ("def exercise(name): pass", scan.CHECKS),
        ("from contextlib import nullcontext as exercise", scan.CHECKS),
        ("torch.isclose = lambda *a, **k: torch.tensor(True)", scan.CHECKS),
        ("open('x')", scan.OUTSIDE),
        ("path = '/etc/passwd'", scan.OUTSIDE),
        ("import importlib", scan.DYNAMIC),
        ("globals()['x'] = 1", scan.DYNAMIC),
        ("this is no python: os._exit(1)", scan.EXIT),
    ],
)
def test_the_scan_tells_what_a_lab_has_no_need_of(source, kind):
    assert kind in scan.findings(source), scan.findings(source)


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\nimport torch\nfrom blowup.checks import exercise",
        "%timeit norm([1.0])",
        "check = 1\nmodel.eval()\nre.compile('a')\nplt.show()\nself.weight = 3",
        "with exercise('add') as check:\n    check.close(1, 1, 'one')",
    ],
)
def test_the_scan_leaves_ordinary_code_alone(source):
    assert scan.findings(source) == {}


def test_every_way_of_asking_gets_a_trap_that_fails():
    from blowup.checks import CheckFailed, exercise

    source = 'with exercise("a") as check:\n' + "".join(f"    check.{m}(1)\n" for m in score.METHODS)
    made = score.traps(source)
    assert len(made) == len(score.METHODS)
    for trap in made:
        with pytest.raises(CheckFailed, match="✗ a: "):
            exec(trap, {"exercise": exercise})
