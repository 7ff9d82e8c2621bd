"""A mutant is caught by the law it names and by no other; those that nobody notices are told."""

import pytest

from tests.proof.notebooks import FAIR, LAWS, write
from tools.proof import mutants
from tools.proof.cells import read
from tools.proof.mutants import Mutant

NOTICED = Mutant("cell-0", "scale = 2.0", "scale = 6.0", check="cell-1", law="agree(scale")
OF_ANOTHER_LAW = Mutant("cell-0", "scale = 2.0", "scale = 6.0", check="cell-1", law="agree(sample")
UNNOTICED = Mutant("cell-0", "scale = 2.0", "scale = 2.01", check="cell-1", law="agree(scale")
STOPS = Mutant("cell-0", "scale = 2.0", "scale = 1 / 0", check="cell-1", law="agree(scale")


@pytest.fixture
def path(tmp_path, monkeypatch):
    path = write(tmp_path / "small.ipynb", (FAIR,), (LAWS, "test"), ("raise RuntimeError('not needed')",))
    monkeypatch.setattr(mutants, "chapters", lambda: {"small": path})
    return path


def test_only_the_law_that_notices_counts(path, capsys):
    tried = [NOTICED, OF_ANOTHER_LAW, UNNOTICED, STOPS]
    results = mutants.survey("small", tried)
    assert [bool(mutants.caught(*pair)) for pair in results] == [True, False, False, False]
    assert mutants.report("small", results, read(path)) == (1, 2, 3)
    said = capsys.readouterr().out
    assert said.count("ESCAPED") == 3 and "no mutant: small cell-1, line 1: agree(sample, 0.0)" in said
    assert "ZeroDivisionError" in said


def test_the_notebook_itself_is_not_changed(path):
    before = path.read_bytes()
    mutants.survey("small", [NOTICED])
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("mutant", "words"),
    [
        (Mutant("cell-9", "a", "b", check="cell-1", law=""), "there is no such cell"),
        (Mutant("cell-0", "manual", "b", check="cell-9", law=""), "there is no check cell cell-9"),
        (Mutant("cell-0", "absent", "b", check="cell-1", law=""), "it stands there 0 times"),
    ],
)
def test_a_mutant_that_fits_no_cell_is_an_error(path, mutant, words):
    with pytest.raises(ValueError, match=words):
        mutants.survey("small", [mutant])


def test_unknown_chapter_is_one_line():
    with pytest.raises(SystemExit, match="CHAPTER: unknown nothing: choose from activations"):
        mutants.main(["--chapter", "nothing"])


@pytest.mark.parametrize("name", sorted(mutants.chapters()))
def test_the_quick_mutants_are_caught(name):
    """A few a chapter; `make mutants` runs all of them. The labs have tests/wrong_solutions instead."""
    quick = [mutant for mutant in mutants.mutants_of(name) if mutant.quick]
    assert quick, "a chapter has quick mutants"
    for mutant, failures in mutants.survey(name, quick):
        assert mutants.caught(mutant, failures), (mutant, failures)
