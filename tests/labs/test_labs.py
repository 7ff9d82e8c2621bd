"""The labs: their solutions earn every point, untouched and wrong answers none, and nothing is stale."""

import contextlib
import re

import matplotlib
import nbformat
import pytest
from tests import ROOT
from tests.labs.cells import HIDDEN, answers, graded, run, wrong_answers

from tools.labs import derive
from blowup.checks import CheckFailed

LABS = derive.names()
MARK = re.compile(r"[✓✗]")


@pytest.fixture(params=LABS)
def lab(request):
    return request.param


@pytest.fixture(autouse=True)
def own_style(monkeypatch):
    """A lab sets the book's style, and shows its figures: neither may reach the next test."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    with matplotlib.rc_context():
        yield


def test_the_notebooks_are_what_their_sources_make():
    stale = [
        str(file.relative_to(ROOT))
        for file, good in derive.derived()
        if not file.exists() or file.read_text(encoding="utf8") != good
    ]
    assert not stale, f"run `make labs`: {stale}"
    made = {file for file, _ in derive.derived()}
    found = {file for file in (ROOT / "labs").rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts}
    assert found == made, "a notebook without a source"


def test_the_solution_earns_every_point_and_every_wrong_answer_is_rejected(lab):
    """One run of the solution with its hidden tests; on the way every answer is swapped for wrong ones."""
    notebook, wrong = derive.read(lab), {}
    for exercise, fault, code in wrong_answers(lab):
        wrong.setdefault(exercise, []).append((fault, code))
    assert wrong.keys() == answers(notebook).keys(), "wrong answers to every exercise, and to nothing else"
    assert min(map(len, wrong.values())) >= 3, {name: len(cells) for name, cells in wrong.items()}

    namespace, last = {"__name__": "__main__"}, None
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        said = run(cell.source, namespace, cell.id)
        assert "✗" not in said and "This needs" not in said, said
        settings = cell.metadata.get("nbgrader", {})
        if settings.get("solution"):
            last = settings["grade_id"]
        elif settings.get("grade"):
            assert settings["grade_id"] == f"{last}_check"
            assert said.count("✓") >= 2, "a visible and a hidden test"
            for fault, code in wrong[last]:
                assert_rejected(cell.source, code, namespace, f"{last}: {fault}")


def assert_rejected(check, answer, namespace, fault):
    """With the wrong answer in place, the hidden tests alone refuse it, in one line."""
    (hidden,) = HIDDEN.findall(check)
    kept = dict(namespace)
    try:
        run(answer, namespace, "answer")
        with contextlib.suppress(CheckFailed):  # the visible tests may refuse it, too
            run(HIDDEN.sub("", check), namespace)
        with pytest.raises(CheckFailed) as refused:
            run(hidden, namespace)
            pytest.fail(f"the hidden tests accept a wrong answer: {fault}")
        assert str(refused.value).startswith("✗ ") and "\n" not in str(refused.value)
        assert "stopped with" not in str(refused.value) or "error" in fault, str(refused.value)
    finally:
        namespace.clear()
        namespace.update(kept)


def test_the_student_gets_neither_solutions_nor_hidden_tests(lab):
    source = derive.read(lab)
    student = nbformat.read(ROOT / "labs" / f"{lab}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in student.cells)
    assert "SOLUTION" not in text and "HIDDEN" not in text
    open_cells = [cell for cell in source.cells if cell not in answers_of(source)]
    given = "\n".join(derive.HIDDEN_TESTS.sub("", cell.source) for cell in open_cells)
    for cell in answers_of(source):
        for line in re.findall(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", cell.source, re.DOTALL):
            for secret in (part.strip() for part in line.splitlines()):
                if len(secret) > 12 and secret not in given:
                    assert secret not in text, secret
    for cell in graded(source, automatically=False):
        assert cell.source not in text
    hidden = "\n".join(part for c in graded(source) for part in HIDDEN.findall(c.source))
    lines = {line.strip() for line in hidden.splitlines()} - {line.strip() for line in given.splitlines()}
    assert not [line for line in lines if len(line) > 30 and line in text]


def answers_of(notebook):
    return list(answers(notebook).values())


def test_every_lab_has_its_parts(lab):
    """A title, what it takes, what to hand in; stubs; both kinds of test; a paragraph; 15 to 30 points."""
    notebook = derive.read(lab)
    student = derive.student(notebook, lab)
    title = notebook.cells[0].source
    assert title.startswith("# Lab: ")
    minutes = int(re.search(r"\*\*Time\*\* \| (\d+) minutes", title).group(1))
    assert 60 <= minutes <= 90 and "**You need**" in title and "**You hand in**" in title
    assert notebook.cells[1].id == "setup"
    assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
    for cell in answers_of(student):
        assert "raise NotImplementedError" in cell.source and '"""' in cell.source, cell.source
    code = [cell.source for cell in student.cells if cell.cell_type == "code"]
    assert max(source.count("\n") + 1 for source in code) <= 20
    checks = graded(notebook)
    assert len(checks) == len(answers(notebook)) >= 5
    for cell in checks:
        assert len(HIDDEN.findall(cell.source)) == 1 and MARK.search(cell.source) is None, cell.source
    assert len(graded(notebook, automatically=False)) >= 1
    points = sum(cell.metadata.nbgrader.points for cell in checks + graded(notebook, automatically=False))
    assert 15 <= points <= 30
    assert "plt.show()" in "\n".join(cell.source for cell in notebook.cells)


def test_bad_metadata_gets_one_clear_line(tmp_path):
    (tmp_path / "labs" / "sources").mkdir(parents=True)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    (tmp_path / "blowup").symlink_to(ROOT / "blowup")
    (tmp_path / "_config.yml").symlink_to(ROOT / "_config.yml")
    source = tmp_path / "labs" / "sources" / "trial.py"
    source.write_text('# %% [markdown]\n# # Lab\n\n# %% nbgrader={"solution": true}\npass\n')
    with pytest.raises(ValueError, match=r"trial\.py.*without a grade_id"):
        derive.read("trial", tmp_path)
    cell = '# %% nbgrader={"grade_id": "a", "solution": true}\npass\n\n'
    source.write_text("# %% [markdown]\n# # Lab\n\n" + cell + cell)
    with pytest.raises(ValueError, match="'a' stands twice"):
        derive.read("trial", tmp_path)
    with pytest.raises(SystemExit, match="stands twice"):
        derive.main([], tmp_path)
