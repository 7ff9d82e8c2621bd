"""Friendly feedback for the labs: one line an exercise, and never a traceback of ours.

A check cell reads::

    with exercise("clip_by_norm") as check:
        check.close(norm(clip_by_norm([g], 1.0)), 1.0, "the norm after clipping", hint="divide by the norm")

It prints ``✓ clip_by_norm``, or raises ``CheckFailed``, which Jupyter, Colab and nbgrader's feedback show as
one line ``✗ clip_by_norm: …``. The exception keeps the line an error for whoever marks the notebook.
"""

import linecache
import sys
import traceback
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["CheckFailed", "exercise", "needs"]

_BLANK = "not written yet."


class CheckFailed(AssertionError):
    """An exercise that is not right yet: its message is the whole line a student sees."""

    def _render_traceback_(self):
        """What IPython and nbgrader show instead of a traceback, a list of lines."""
        return [str(self)]


class Check:
    """What can be asked of an answer; ``exercise`` makes one. Every method raises ``CheckFailed``."""

    def __init__(self, name):
        self.name = name
        self.asked = 0

    def close(self, got, expected, what, *, rtol=1e-4, atol=1e-7, hint=None):
        """``got`` equals ``expected`` (numbers or tensors of one shape) up to ``atol + rtol·|expected|``.

        ``what`` names the quantity in the feedback: "the norm after clipping".
        """
        self.asked += 1
        came = self._tensor(got, what, hint)
        want = torch.as_tensor(expected).detach().to("cpu", torch.float64)
        if came.shape != want.shape:
            self._fail(f"{what} should have {_shape(want)}, but it has {_shape(came)}", hint)
        same = torch.isclose(came, want, rtol=rtol, atol=atol, equal_nan=True)
        if not same.all():
            at = tuple((~same).nonzero()[0].tolist())
            place = f" at index {list(at)}" if at else ""
            self._fail(f"{what} should be {want[at]:.6g}{place}, but it is {came[at]:.6g}", hint)

    def between(self, got, low, high, what, *, hint=None):
        """Every entry of ``got`` (a number or a tensor) lies between ``low`` and ``high``, both included."""
        self.asked += 1
        came = self._tensor(got, what, hint)
        outside = ~((came >= low) & (came <= high))
        if outside.any():
            value = came[outside].flatten()[0]
            self._fail(f"{what} should lie between {low:.6g} and {high:.6g}, but it is {value:.6g}", hint)

    def equal(self, got, expected, what, *, hint=None):
        """``got == expected``, for words, whole numbers, tuples and sets."""
        self.asked += 1
        if got is None:
            self._fail(f"{what} is None: does the function return it?", hint)
        if (isinstance(got, torch.Tensor) and got.numel() == 1) or isinstance(got, np.generic):
            got = got.item()
        if type(got) is not type(expected) or got != expected:
            self._fail(f"{what} should be {expected!r}, but it is {_brief(got)}", hint)

    def true(self, condition, what, *, hint=None):
        """``condition`` holds; ``what`` is the sentence that should be true: "the direction is kept"."""
        self.asked += 1
        if not bool(condition):
            self._fail(f"expected that {what}, but that is not so", hint)

    def _tensor(self, got, what, hint):
        """``got`` as a float64 tensor on the CPU, or a line that says what came instead."""
        if got is None:
            self._fail(f"{what} is None: does the function return it?", hint)
        try:
            return torch.as_tensor(got).detach().to("cpu", torch.float64)
        except (TypeError, ValueError, RuntimeError):
            self._fail(f"{what} should be a number or a tensor, but it is {_brief(got)}", hint)

    def _fail(self, sentence, hint):
        end = "" if sentence.endswith("?") else "."
        raise CheckFailed(f"✗ {self.name}: {sentence}{end}" + (f" Hint: {hint}." if hint else "")) from None


@contextmanager
def exercise(name):
    """Check one exercise: ``with exercise("name") as check``, then ask with ``check``'s methods.

    Prints ``✓ name`` when every question was answered right.

    Raises:
        CheckFailed: with one line of feedback: the first question answered wrong, ``not written yet`` for a
            stub that raises NotImplementedError, or the error that the answer itself stopped with.
        RuntimeError: when the block asks nothing: a mistake of the lab, not of the student.
    """
    check = Check(name)
    try:
        yield check
    except CheckFailed:
        raise
    except NotImplementedError:
        raise CheckFailed(f"✗ {name}: {_BLANK}") from None
    except NameError as error:
        raise CheckFailed(f"✗ {name}: {error}. Did you run the cells above?") from None
    except Exception as error:
        raise CheckFailed(f"✗ {name}: {_own_words(error)}") from None
    if not check.asked:
        raise RuntimeError(f"the check {name!r} asks nothing")
    print(f"✓ {name}")


@contextmanager
def needs(*names):
    """Run a cell that uses the exercises ``names``; before they are written, say so in one line and go on.

    Caught are the NotImplementedError of a stub, and the NameError of a result that waits for one. Every
    other error is the cell's own.
    """
    asked = f"This needs {' and '.join(names)}. Write that first, then run the notebook again from there."
    try:
        yield
    except NotImplementedError:
        print(asked)
    except NameError as error:
        print(f"{asked} ({error})")


def _own_words(error):
    """``RuntimeError: … (line 3 of your cell: …)``: the error and the student's line nearest to it."""
    words = f"stopped with {type(error).__name__}: {' '.join(str(error).split())}"
    frames = traceback.extract_tb(sys.exc_info()[2])
    mine = [f for f in frames[1:] if "ipykernel" in f.filename or f.filename.startswith("<")]
    # The first frame is exercise's, the next the check cell; a deeper one is the answer's own.
    if len(mine) > 1:
        line = (mine[-1].line or linecache.getline(mine[-1].filename, mine[-1].lineno)).strip()
        words += f" (line {mine[-1].lineno} of your cell" + (f": {line})" if line else ")")
    return words if words.endswith(".") else words + "."


def _shape(tensor):
    return f"shape {tuple(tensor.shape)}" if tensor.dim() else "no dimensions"


def _brief(value, longest=60):
    text = " ".join(repr(value).split())
    return text if len(text) <= longest else text[: longest - 1] + "…"
