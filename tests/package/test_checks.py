"""Feedback in the labs: one line, in IPython and in nbgrader's terms, whatever the answer does."""

import math

import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell

from blowup.checks import CheckFailed, exercise, needs


def feedback(question, *arguments, **more):
    """The line that one question leads to, or None when it is answered right."""
    try:
        with exercise("q") as check:
            getattr(check, question)(*arguments, **more)
    except CheckFailed as failed:
        return str(failed)


def test_a_right_answer_prints_one_line(capsys):
    with exercise("clip_by_norm") as check:
        check.close(torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0], "the norm")
        check.close(2, 2.0, "a number")
        check.close(math.inf, math.inf, "an overflow")
        check.between(0.5, 0, 1, "a share")
        check.equal(3, 3, "a count")
        check.true(True, "all is well")
    assert capsys.readouterr().out == "✓ clip_by_norm\n"


@pytest.mark.parametrize(
    ("question", "arguments", "said"),
    [
        ("close", (5.0, 1.0, "the norm"), "✗ q: the norm should be 1, but it is 5."),
        ("close", (math.nan, 1.0, "the norm"), "✗ q: the norm should be 1, but it is nan."),
        ("close", (1.0, math.nan, "the norm"), "✗ q: the norm should be nan, but it is 1."),
        (
            "close",
            (torch.eye(2), torch.ones(2, 2), "W"),
            "✗ q: W should be 1 at index [0, 1], but it is 0.",
        ),
        (
            "close",
            (torch.eye(2), torch.eye(3), "W"),
            "✗ q: W should have shape (3, 3), but it has shape (2, 2).",
        ),
        (
            "close",
            (1.0, [1.0], "W"),
            "✗ q: W should have shape (1,), but it has no dimensions.",
        ),
        ("close", (None, 1.0, "W"), "✗ q: W is None: does the function return it?"),
        ("close", ("one", 1.0, "W"), "✗ q: W should be a number or a tensor, but it is 'one'."),
        (
            "close",
            ([[1], [1, 2]], 1.0, "W"),
            "✗ q: W should be a number or a tensor, but it is [[1], [1, 2]].",
        ),
        (
            "between",
            (torch.tensor([0.5, 2.0]), 0, 1, "a share"),
            "✗ q: a share should lie between 0 and 1, but it is 2.",
        ),
        ("between", (math.nan, 0, 1, "a share"), "✗ q: a share should lie between 0 and 1, but it is nan."),
        (
            "equal",
            ("step", "product", "the illness"),
            "✗ q: the illness should be 'product', but it is 'step'.",
        ),
        ("equal", (1.0, 1, "the count"), "✗ q: the count should be 1, but it is 1.0."),
        ("equal", (True, 1, "the count"), "✗ q: the count should be 1, but it is True."),
        ("equal", (None, 1, "the count"), "✗ q: the count is None: does the function return it?"),
        ("true", (False, "the sky is blue"), "✗ q: expected that the sky is blue, but that is not so."),
    ],
)
def test_a_wrong_answer_gets_what_was_expected_and_what_came(question, arguments, said):
    assert feedback(question, *arguments) == said
    assert feedback(question, *arguments, hint="look up") == f"{said} Hint: look up."


def test_tolerances_are_relative_and_absolute():
    assert feedback("close", 1.00005, 1.0, "x") is None
    assert feedback("close", 1.0005, 1.0, "x") is not None
    assert feedback("close", 1.0005, 1.0, "x", rtol=1e-3) is None
    assert feedback("close", 1e-8, 0.0, "x") is None
    assert feedback("close", 1e-6, 0.0, "x") is not None
    assert feedback("close", torch.tensor(1.0, dtype=torch.float16), 1.0, "x") is None
    assert feedback("equal", torch.tensor(3), 3, "a count") is None
    assert feedback("equal", np.prod((1, 3)), 3, "a count") is None


def cell(shell, source):
    """Run a cell in an IPython shell: (the result, what a front end would show as its error)."""
    shown = []
    shell._showtraceback = lambda kind, error, lines: shown.extend(lines)
    return shell.run_cell(source), shown


@pytest.fixture
def shell():
    shell = InteractiveShell()
    cell(shell, "from blowup.checks import exercise, needs")
    return shell


CHECK = "with exercise('f') as check:\n    check.close(f(1.0), 2.0, 'the double')"


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        ("def f(x):\n    raise NotImplementedError", "✗ f: not written yet."),
        ("def f(x):\n    return 3 * x", "✗ f: the double should be 2, but it is 3."),
        ("pass", "✗ f: name 'f' is not defined. Did you run the cells above?"),
        (
            "def f(x):\n    y = x\n    y / 0",
            "✗ f: stopped with ZeroDivisionError: float division by zero (line 3 of your cell: y / 0).",
        ),
    ],
)
def test_a_notebook_shows_one_line_and_an_error(shell, answer, line):
    cell(shell, answer)
    result, shown = cell(shell, CHECK)
    assert isinstance(result.error_in_exec, CheckFailed)
    assert shown == [line]


def test_a_check_that_asks_nothing_is_a_mistake_of_the_lab():
    with pytest.raises(RuntimeError, match="'q' asks nothing"), exercise("q"):
        pass


def test_leaving_on_purpose_is_not_feedback():
    for leave in (KeyboardInterrupt, SystemExit):
        with pytest.raises(leave), exercise("q"):
            raise leave


def test_a_result_waits_for_its_exercises(capsys):
    with needs("clip", "step"):
        raise NotImplementedError
    expected = "This needs clip and step. Write that first, then run the notebook again from there.\n"
    assert capsys.readouterr().out == expected
    with needs("clip"):
        unknown  # noqa: B018, F821
    assert "(name 'unknown' is not defined)" in capsys.readouterr().out
    with pytest.raises(ZeroDivisionError), needs("clip"):
        1 / 0  # noqa: B018
