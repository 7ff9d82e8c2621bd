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
    made = dict(derive.derived())
    stale = [str(file.relative_to(ROOT)) for file, good in made.items() if not derive.same(file, good)]
    assert not stale, f"run `make labs`: {stale}"
    found = {file for file in (ROOT / "labs").rglob("*.ipynb") if ".ipynb_checkpoints" not in file.parts}
    assert found == made.keys(), "a notebook without a source"


def house(folder, *cells):
    """A folder with what a lab is made from, and the source of one lab, "trial"; returns the source."""
    source = folder / "labs" / "sources" / "trial.py"
    source.parent.mkdir(parents=True)
    for name in ("tools", "blowup", "_config.yml"):
        (folder / name).symlink_to(ROOT / name)
    write(source, *cells)
    return source


def write(source, *cells):
    source.write_text("\n\n".join(["# %% [markdown]\n# # Lab: trial", *cells]) + "\n")


ANSWER = """# %% nbgrader={"grade_id": "twice", "solution": true}
def twice(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION"""


def test_solutions_and_sources_are_made_on_demand_and_follow_their_sources(tmp_path):
    source = house(tmp_path, ANSWER)
    solutions, sources = derive.solutions(tmp_path), derive.nbgrader_sources(tmp_path)
    place = solutions / "trial.ipynb"
    assert "return 2 * x" in place.read_text() and "SOLUTION" not in place.read_text()
    assert "### BEGIN SOLUTION" in (sources / "trial" / "trial.ipynb").read_text()
    assert "c.ClearSolutions.text_stub" in (sources.parent / derive.SETTINGS.name).read_text()
    before = place.stat().st_mtime_ns
    assert derive.solutions(tmp_path) == solutions and place.stat().st_mtime_ns == before, "nothing to do"
    write(source, ANSWER.replace("2 * x", "x + x"))
    derive.solutions(tmp_path)
    assert "return x + x" in place.read_text()
    source.rename(source.with_name("other.py"))
    derive.solutions(tmp_path)
    assert [file.name for file in solutions.iterdir()] == ["other.ipynb"], "a lab that is gone leaves nothing"
    assert not list((tmp_path / "labs").glob("*.ipynb")), "only `make labs` writes what is committed"


def test_make_labs_writes_all_three_and_check_none(tmp_path, capsys):
    house(tmp_path, ANSWER)
    with pytest.raises(SystemExit, match=r"stale: labs/trial\.ipynb; run `make labs`"):
        derive.main(["--check"], tmp_path)
    assert not (tmp_path / "_build").exists()
    derive.main([], tmp_path)
    said = capsys.readouterr().out
    assert "written: labs/trial.ipynb" in said and "_build/labs/solutions" in said
    assert "raise NotImplementedError" in (tmp_path / "labs" / "trial.ipynb").read_text()
    assert (tmp_path / "_build" / "labs" / "nbgrader" / "source" / "trial" / "trial.ipynb").exists()
    with pytest.raises(SystemExit) as fine:
        derive.main(["--check"], tmp_path)
    assert fine.value.code == 0


def test_a_cell_keeps_its_id_while_others_come_and_go(tmp_path):
    words = "# %% [markdown]\n# A word about it."
    source = house(tmp_path, words, ANSWER, words)
    before = {cell.source: cell.id for cell in derive.read("trial", tmp_path).cells}
    write(source, "# %%\nnew = 1", words, ANSWER.replace("2 * x", "x + x"), words)
    notebook = derive.read("trial", tmp_path)
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids) and all(re.fullmatch("[0-9a-f]{8}|setup", i) for i in ids)
    (answer,) = answers(notebook).values()
    assert "x + x" in answer.source and answer.id == before[ANSWER.split("\n", 1)[1]]
    assert {before["# Lab: trial"], before["A word about it."]} <= set(ids)


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
    source = house(tmp_path, '# %% nbgrader={"solution": true}\npass')
    with pytest.raises(ValueError, match=r"trial\.py.*without a grade_id"):
        derive.read("trial", tmp_path)
    write(source, ANSWER, ANSWER)
    with pytest.raises(ValueError, match="'twice' stands twice"):
        derive.read("trial", tmp_path)
    with pytest.raises(SystemExit, match="stands twice"):
        derive.main([], tmp_path)
