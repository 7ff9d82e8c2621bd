"""The checks of arguments: one ValueError each, "NAME: expected WHAT, got VALUE"."""

import math
from numbers import Integral, Real

import torch


def wrong(name, expected, got):
    """The ValueError for the argument ``name``: what was expected, in words, and the value that came."""
    return ValueError(f"{name}: expected {expected}, got {got!r}")


def integer(name, value, least=1):
    """``value`` as an int of at least ``least``; True, 3.0 and nan are refused."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise wrong(name, f"an integer of at least {least}", value)
    return int(value)


def number(name, value, allowed="a finite number", accept=lambda value: True):
    """``value`` as a finite float for which ``accept`` is true; ``allowed`` says so in words."""
    real = isinstance(value, Real) and not isinstance(value, bool)
    try:
        result = float(value) if real else math.nan
    except OverflowError:  # an int or Fraction beyond float's range
        result = math.inf
    if not math.isfinite(result) or not accept(result):
        raise wrong(name, allowed, value)
    return result


def one_of(name, value, known):
    """``value`` if it is one of the words ``known``."""
    if not isinstance(value, str) or value not in known:
        raise wrong(name, f"one of {', '.join(known)}", value)
    return value


def seed_list(seeds):
    """``seeds`` as a list: an int n means 0 … n − 1, a sequence stands for itself (seeds may repeat)."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        return list(range(integer("seeds", seeds)))
    try:
        members = [int(seed) for seed in seeds]
        whole = all(seed == given for seed, given in zip(members, seeds, strict=True))
    except (TypeError, ValueError):
        whole, members = False, [0]
    if not whole or min(members, default=-1) < 0:
        raise wrong("seeds", "a number of seeds (at least 1) or a sequence of them", seeds)
    return members


def per_member(name, value, members, least=0.0, strict=True):
    """``value``, one number or one for each member, as a float64 tensor (members,).

    Every number must be finite and above ``least`` (not below it, where ``strict`` is False).
    """
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64).reshape(-1)
    except (TypeError, ValueError, RuntimeError):
        raise wrong(name, "a number or one for each member", value) from None
    if len(numbers) not in (1, members):
        raise ValueError(f"{name}: expected 1 or {members} numbers (one for each seed), got {len(numbers)}")
    allowed = (numbers > least) if strict else (numbers >= least)
    if not bool((allowed & numbers.isfinite()).all()):
        raise wrong(name, f"finite numbers {'above' if strict else 'of at least'} {least:g}", value)
    return numbers.expand(members)
