"""What is kept of an executed chapter, what makes it run again, and files that are not whole."""

import json

import pytest

from tests.site.trial import small_house, write_notebook
from tools.site import executed

CODE = ("x = 41", "print(x + 1)")


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A small house whose chapter has been executed; nothing runs here."""
    small_house(tmp_path)
    monkeypatch.setattr(executed, "ROOT", tmp_path)
    write_notebook(tmp_path, *CODE)
    (tmp_path / "blowup" / "net.py").write_text("width = 64\n")
    (tmp_path / "blowup" / "data" / "digits.npz").write_bytes(b"\0\1\2")
    (tmp_path / "book" / "curves" / "a.csv").write_text("1,2\n")
    notebook = executed.source("trial")
    for count, cell in enumerate(notebook["cells"][1:], 1):
        output = {"output_type": "stream", "name": "stdout", "text": f"run {count}\n"}
        cell |= {"execution_count": count, "outputs": [output]}
        notebook["cells"][count] = cell
    about = {
        "ingredients": executed.ingredients(notebook, executed.surroundings()),
        "failed": [],
        "seconds": 1,
    }
    executed.save("trial", notebook, about)
    assert why() == ""
    return tmp_path


def why():
    """Why the chapter of the small house must be executed again."""
    return executed.stale("trial", executed.surroundings())


def edit(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda house: edit(house / "book" / "trial.ipynb", "x = 41", "x = 42"), "its code"),
        (lambda house: edit(house / "book" / "trial.ipynb", '"tags": []', '"tags": ["test"]'), "its code"),
        (
            lambda house: edit(house / "book" / "trial.ipynb", '"name": "python3"', '"name": "other"'),
            "its code",
        ),
        (lambda house: edit(house / "blowup" / "net.py", "64", "65"), "blowup"),
        (lambda house: (house / "blowup" / "new.py").write_text(""), "blowup"),
        (lambda house: (house / "blowup" / "net.py").rename(house / "blowup" / "nets.py"), "blowup"),
        (lambda house: (house / "blowup" / "data" / "digits.npz").write_bytes(b"\0\1\3"), "blowup"),
        (lambda house: edit(house / "book" / "curves" / "a.csv", "2", "3"), "book/curves"),
        (lambda house: edit(house / "requirements.txt", "numpy==", "numpy==9"), "requirements.txt"),
        (
            lambda house: edit(house / "tools" / "kernels.py", "passive", "active"),
            "how chapters are executed",
        ),
        (
            lambda house: edit(house / "tools" / "site" / "execute.py", "600", "60"),
            "how chapters are executed",
        ),
        (
            lambda house: edit(house / "tools" / "site" / "checks.py", "100", "99"),
            "how chapters are executed",
        ),
    ],
)
def test_a_change_in_what_it_depends_on_runs_a_chapter_again(house, change, reason):
    change(house)
    assert why() == f"changed: {reason}"


def test_another_python_torch_or_steering_variable_runs_it_again(house, monkeypatch):
    monkeypatch.setattr(executed.platform, "python_version", lambda: "3.99.0")
    assert why() == "changed: Python"
    monkeypatch.undo()
    monkeypatch.setattr(executed, "ROOT", house)
    there = executed.installed
    monkeypatch.setattr(executed, "installed", lambda name: "9.9" if name == "torch" else there(name))
    assert why() == "changed: requirements.txt"
    monkeypatch.setattr(executed, "installed", there)
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    assert why() == "changed: environment"


@pytest.mark.parametrize(
    "change",
    [
        lambda house: write_notebook(house, *CODE, prose="Other words."),
        lambda house: edit(
            house / "book" / "trial.ipynb", '"tags": []', '"tags": [], "mystnb": {"image": {}}'
        ),
        lambda house: (house / "book" / "index.md").write_text("# Another\n\nTitle.\n"),
        lambda house: edit(house / "requirements.txt", "# what tests it", "# what tries it"),
        lambda house: (house / "blowup" / "__pycache__").mkdir(),
        lambda house: (house / "blowup" / ".net.py.swp").write_text("an editor's"),
        lambda house: edit(house / "tools" / "site" / "serve.py", "TRIES = 20", "TRIES = 21"),
    ],
)
def test_what_it_does_not_depend_on_runs_nothing(house, change):
    change(house)
    assert why() == ""


def test_the_present_prose_takes_the_outputs_that_were_kept(house):
    write_notebook(house, *CODE, prose="Other words.")
    notebook = executed.merged("trial")
    assert "Other words." in notebook["cells"][0]["source"]
    assert [cell["outputs"][0]["text"] for cell in notebook["cells"][1:]] == ["run 1\n", "run 2\n"]
    assert "executed" not in notebook["metadata"]


def test_other_code_takes_no_outputs(house):
    write_notebook(house, "x = 43", "print(x + 1)")
    with pytest.raises(
        executed.NotExecuted, match="trial has changed since it was executed: run `make book`"
    ):
        executed.merged("trial")
    (executed.folder() / "trial.ipynb").unlink()
    with pytest.raises(executed.NotExecuted, match="trial has not been executed yet: run `make book`"):
        executed.merged("trial")
    assert why() == "not executed yet"


@pytest.mark.parametrize(
    "break_it",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: text.replace("run 2", "run 3"),
        lambda text: text.replace('"failed": []', '"failed": [1]'),
        lambda text: "[]",
        lambda text: json.dumps({"cells": [], "metadata": {}}),
    ],
)
def test_a_damaged_file_is_named_and_not_used(house, break_it):
    file = executed.folder() / "trial.ipynb"
    file.write_text(break_it(file.read_text()))
    assert why() == "_build/executed/trial.ipynb is damaged"
    with pytest.raises(executed.Damaged):
        executed.merged("trial")


def test_a_file_that_cannot_be_written_whole_leaves_the_one_that_was(house, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    before = (executed.folder() / "trial.ipynb").read_text()
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(OSError, match="No space"):
        executed.save("trial", executed.source("trial"), {})
    assert [p.name for p in executed.folder().iterdir()] == ["trial.ipynb"]
    assert (executed.folder() / "trial.ipynb").read_text() == before
