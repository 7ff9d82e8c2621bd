"""make reroll finds the check that holds by luck, with its line and values, and leaves the others alone."""

import dataclasses

import pytest
import torch

from tests.proof.notebooks import FAIR, LAWS, LUCKY, write
from tools.proof import reroll
from tools.proof.cells import read, session
from tools.proof.shift import shifted

SEED_0 = torch.randn(256, generator=torch.Generator().manual_seed(0))[0].item()
FIRST = f"sample_of_seed_0 = {SEED_0!r}\n"


@pytest.fixture
def chosen(tmp_path):
    fair = write(tmp_path / "fair.ipynb", (FAIR,), (LAWS, "test"))
    lucky = write(tmp_path / "lucky.ipynb", (FIRST + FAIR,), (LUCKY + "\n" + LAWS, "test"))
    return {"fair": fair, "lucky": lucky}


def test_a_lucky_check_is_found_and_counted(chosen, capfd):
    found = reroll.reroll(chosen, range(0, 3))
    assert not reroll.report(found)
    said = capfd.readouterr().out
    assert "6/6" in said
    assert "lucky: cell cell-1, line 1: certain(sample[0] == sample_of_seed_0" in said
    assert "failed in 2 of 3 shifts" in said
    assert "shift 2: certain: the first number is that of seed 0" in said
    assert "fair:" not in said


def test_checks_that_are_laws_hold(chosen, capfd):
    found = reroll.reroll({"fair": chosen["fair"]}, range(1, 4))
    assert reroll.report(found) and all(not failures for _, failures, _, _ in found["fair"])


def test_an_error_in_another_cell_is_no_luck(tmp_path, capfd):
    path = write(tmp_path / "broken.ipynb", ("assert False, 'not a check'",))
    assert not reroll.report(reroll.reroll({"broken": path}, [1]))
    assert "stopped" in capfd.readouterr().out


def test_one_failure_does_not_hide_the_next(tmp_path):
    source = "from blowup.evidence import certain\ncertain(1 > 2)\nx = 3\ncertain(x > 4)"
    path = write(tmp_path / "two.ipynb", (source, "test"))
    with session(tmp_path) as state:
        for cell in read(path):
            state.run(cell)
    assert [(f.line, f.text) for f in state.failures] == [(2, "certain(1 > 2)"), (4, "certain(x > 4)")]


def test_a_verdict_of_reproduce_is_counted_apart(tmp_path, capfd):
    """The published critical arm, held to the curves of another experiment, under its name and its own."""
    source = """\
from blowup.curves import reproduce
from blowup.evidence import published
reproduce("chain-rule-critical", published("chain-rule-critical"))
reproduce("chain-rule-critical", published("chain-rule-clipped"))
"""
    found = reroll.reroll({"curves": write(tmp_path / "curves.ipynb", (source,))}, [1])
    reroll.report(found)
    said = capfd.readouterr().out
    assert "reproduce said no 1 times of 2" in said and "reproduce chain-rule-critical" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--chapter", "nothing"], "CHAPTER: unknown nothing: choose from activations"),
        (["--times", "many"], "TIMES: expected a whole number of at least 1, got 'many'"),
        (["--times", "0"], "TIMES: expected a whole number of at least 1"),
        (["--first", "1.5"], "FIRST: expected a whole number of at least 0, got '1.5'"),
        (["--first", "-1"], "FIRST: expected a whole number of at least 0"),
        (["--first", "99999", "--times", "2"], "FIRST + TIMES: shifts are whole numbers below 100,000"),
    ],
)
def test_bad_input_is_one_line(arguments, words):
    with pytest.raises(SystemExit) as told:
        reroll.main(arguments)
    assert str(told.value.code).startswith(words) and "\n" not in str(told.value.code)


def test_questions_are_rerolled_one_cell_each():
    path = reroll.questions()["questions-chain-rule"]
    cells = read(path)
    assert [cell.id for cell in cells] == [f"chain-rule-0{k}" for k in range(1, 10)]
    with session(path.parent) as state, shifted(1):
        state.run(cells[4])
    assert not state.failures and abs(state.names["rate"].mean()) < 1
    state.run(dataclasses.replace(cells[4], source=cells[4].source.replace("-psi / 2", "-psi")))
    assert "agree(rate, 0)" in state.failures[0].text


def test_every_bank_of_questions_is_named():
    banks = {f"questions-{name}" for name in ("across", "activations", "regularization")}
    assert banks < set(reroll.questions())
