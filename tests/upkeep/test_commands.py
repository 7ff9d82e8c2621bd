"""Every command of the Makefile is proved: run here in small, or by a test or a workflow that is named here.

A command that nobody runs breaks unnoticed; a new one has to say here how it is proved. The last line of each
says what it made or found, and bad input is answered in one line.
"""

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests import ROOT
from tests.proof.notebooks import FAIR, LAWS, write
from tests.proof.test_mutants import NOTICED, UNNOTICED
from tools.handouts import questions
from tools.proof import mutants, reroll

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)
HERE, SITE, UPKEEP = "tests/upkeep/test_commands.py", "tests/site", "tests/upkeep"
BUILT = f"{SITE}/test_build.py::test_a_good_book_is_built_once_and_its_prose_without_running_it_again"
SHOWN = f"{SITE}/test_preview.py::test_a_change_of_the_prose_is_shown_without_running_the_chapter_again"
TESTED = f"{UPKEEP}/test_run_tests.py::test_a_part_that_fails_fails_the_run_and_every_part_says_its_seconds"
TIMED = f"{UPKEEP}/test_bench.py::test_a_small_bench_compares_says_what_limits_and_shows_the_budgets"
WEEKLY = ".github/workflows/weekly.yml"
# Where a command is run, to its last line: a test of a file, or words of a workflow or of .ci/run.
PROOFS = {
    "help": [f"{HERE}::test_help_lists_every_command"],
    "book": [BUILT, ".ci/run: make test"],  # whose part "site" is `make book`
    "preview": [SHOWN],
    "slides": [BUILT],
    "serve": [f"{SITE}/test_build.py::test_make_serve_shows_the_site"],
    "test": [TESTED, ".ci/run: make test"],
    "curves": [f"{UPKEEP}/test_publish_curves.py::test_in_the_notebooks_own_kernels_reproduce_publishes"],
    "reroll": [f"{HERE}::test_a_small_reroll", f"{WEEKLY}: make reroll"],
    "mutants": [f"{HERE}::test_small_mutants", f"{WEEKLY}: make mutants"],
    "bench": [TIMED],
    "questions": [f"{HERE}::test_a_small_paper"],
    "lint": [f"{UPKEEP}/test_style.py::test_ruff_has_nothing_to_say"],
    "address": [f"{UPKEEP}/test_address.py::test_a_fork_writes_its_address_everywhere"],
    "labs": ["tests/labs/test_labs.py::test_make_labs_writes_all_three_and_check_none"],
    "grade": ["tests/marking/test_grade.py::test_what_cannot_be_marked_is_listed_with_its_reason"],
    "clean": [f"{HERE}::test_clean_removes_what_was_built_and_nothing_else"],
}


def make(*words, folder=ROOT):
    """Run make with this Python, as if everything were installed; returns the finished process.

    As from a terminal: a make that runs the tests leaves its own flags in the environment.
    """
    away = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")
    outside = {name: value for name, value in os.environ.items() if name not in away}
    command = ["make", "--no-print-directory", "--old-file=.venv/.installed", f"PY={sys.executable}", *words]
    return subprocess.run(command, cwd=folder, env=outside, capture_output=True, text=True, timeout=300)


def last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


def test_every_command_says_how_it_is_proved():
    assert set(TARGETS) == set(PROOFS) and len(TARGETS) == len(set(TARGETS))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert sorted(phony.split()) == sorted(TARGETS), "a file of that name would stand in a command's way"


@pytest.mark.parametrize("target", PROOFS)
def test_the_proof_is_there(target):
    for proof in PROOFS[target]:
        file, words = re.fullmatch(r"(\S+?)(?:::|: )(.+)", proof).groups()
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^def {words}\(", text, re.MULTILINE) if "::" in proof else words in text, proof


@pytest.mark.parametrize("target", [target for target in PROOFS if target not in ("help", "clean", "lint")])
def test_make_runs_the_module_that_its_proof_runs(target):
    """What `make` would run for it, and nothing else that a typing error made of it."""
    run = make("-n", target)
    modules = re.findall(r"-m (tools\.\S+)", run.stdout)
    assert run.returncode == 0 and modules, run.stderr
    proofs = "".join((ROOT / proof.split("::")[0]).read_text() for proof in PROOFS[target] if "::" in proof)
    proofs += (ROOT / "tests" / "marking" / "tiny_lab.py").read_text()  # where grade() is
    proofs += (ROOT / "tests" / "site" / "trial.py").read_text()  # where build() is
    for module in modules:
        room, name = module.rsplit(".", 1)
        assert module in proofs or re.search(rf"from {room} import [^\n]*\b{name}\b", proofs), module


def test_make_lint_runs_what_the_test_of_style_runs():
    from tests.upkeep.test_style import test_ruff_has_nothing_to_say as test

    (mark,) = test.pytestmark
    said = make("-n", "lint").stdout.replace("'", "")
    assert all(f"-m ruff {words}" in said for words in mark.args[1]) and said.count("ruff") == 2


def test_help_lists_every_command():
    run = make()
    assert run.returncode == 0 and re.findall(r"^  make (\S+) +\S", run.stdout, re.MULTILINE) == TARGETS


def test_clean_removes_what_was_built_and_nothing_else(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    built = ["_build/html/index.html", "dist/a.whl", ".pytest_cache/x", ".ruff_cache/x", ".hypothesis/x"]
    built += ["book/__pycache__/x.pyc", "tools/site/__pycache__/x.pyc"]
    kept = [".venv/lib/__pycache__/x.pyc", "book/a.md", "labs/a.ipynb", "Makefile"]
    for name in built + kept[:-1]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    run = make("clean", folder=tmp_path)
    assert run.returncode == 0
    assert run.stdout == "removed what was built and what was kept of it; .venv stays\n"
    left = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    assert left == sorted(kept)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """`make reroll` and `make mutants` with a book of one small notebook."""
    path = write(tmp_path / "small.ipynb", (FAIR,), (LAWS, "test"))
    for tool in (reroll, mutants):
        monkeypatch.setattr(tool, "chapters", lambda: {"small": path})
    for rest in ("labs", "questions"):
        monkeypatch.setattr(reroll, rest, dict)


def test_a_small_reroll(small, capsys):
    with pytest.raises(SystemExit) as end:
        reroll.main(["--times", "2", "--first", "3"])
    assert end.value.code == 0
    assert re.fullmatch(r"every check held: 1 files, shifts 3 to 4, \d+ s", last_line(capsys))


@pytest.mark.parametrize(
    ("mutant", "found"),
    [
        (NOTICED, "1 of 2 laws caught a mutant (50%); 0 escaped"),
        (UNNOTICED, "0 of 2 laws caught a mutant (0%); 1 escaped"),
    ],
)
def test_small_mutants(small, monkeypatch, capsys, mutant, found):
    monkeypatch.setattr(mutants, "mutants_of", lambda name: [mutant])
    with pytest.raises(SystemExit) as end:
        mutants.main([])
    assert end.value.code == (mutant is UNNOTICED)
    assert last_line(capsys).startswith(f"{found}; ")


def test_a_small_paper(tmp_path, capsys):
    questions.main(["chain-rule-01"], tmp_path)
    assert last_line(capsys) == f"Paper: key: {tmp_path / 'paper-key.html'}"
    assert "Paper" in (tmp_path / "paper-key.html").read_text(encoding="utf-8")


BAD = {
    "serve PORT=eighty": "PORT must be a number from 1 to 65515, not 'eighty'",
    "serve PORT=": "PORT must be a number from 1 to 65515, not ''",
    "preview CHAPTER=chain": "CHAPTER: no page is called 'chain'; choose from index, chain-rule, ",
    "preview CHAPTER=chain-rule PORT=0": "PORT must be a number from 1 to 65535, not '0'",
    "test PART=pages": "unknown part pages: choose from package, site, notebooks, browser",
    "reroll TIMES=x": "TIMES: expected a whole number of at least 1, got 'x'",
    "mutants CHAPTER=chain": "CHAPTER: unknown chain: choose from activations, ",
    "questions PICK=chain-rule-77": "make questions: no question is called chain-rule-77; ",
    "grade": "usage: make grade LAB=gradient-clipping IN=folder OUT=folder",
    "grade LAB=clinic IN=nowhere OUT=there": "IN must be a folder of notebooks: there is no folder ",
    "nonsense": "make: *** No rule to make target 'nonsense'",
}


@pytest.mark.parametrize("words", BAD)
def test_bad_input_is_answered_in_one_line(words):
    run = make(*words.split())
    said = (run.stdout + run.stderr).splitlines()
    if len(said) > 1:
        assert re.match(r"make: \*\*\* \[.*\] Error [12]$", said.pop()), "make's own word for an exit code"
    assert run.returncode == 2 and len(said) == 1 and said[0].startswith(BAD[words]), said
