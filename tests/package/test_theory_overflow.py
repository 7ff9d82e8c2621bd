"""`overflow_depth` held to exact integer arithmetic, and to torch's own rounding."""

import math
import time
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.theory import overflow_depth

FORMATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
formats = st.sampled_from(FORMATS)


def threshold(dtype):
    """The smallest real number that rounds to inf, from torch's own description of the format."""
    largest, eps = Fraction(torch.finfo(dtype).max), Fraction(torch.finfo(dtype).eps)
    last_bit = eps * 2 ** math.floor(math.log2(torch.finfo(dtype).max) - 1e-9)
    return largest + last_bit / 2


def overflows(factor, n, dtype):
    return Fraction(factor) ** n >= threshold(dtype)


def check(factor, dtype):
    n = overflow_depth(factor, dtype)
    assert isinstance(n, int) and overflows(factor, n, dtype) and not overflows(factor, n - 1, dtype)


@pytest.mark.parametrize("dtype", FORMATS)
def test_the_threshold_is_where_torch_rounds_to_inf(dtype):
    edge = threshold(dtype)
    if dtype == torch.float64:  # no wider format to round from: Python's own division rounds correctly
        below, tie = (edge - 1).numerator, edge.numerator
        with pytest.raises(OverflowError):
            float(Fraction(tie))
        assert float(below) == torch.finfo(dtype).max
    else:
        # From the next wider format: torch takes float64 to the short ones through float32, rounding twice.
        wider = torch.float64 if dtype == torch.float32 else torch.float32
        tie = torch.tensor(float(edge), dtype=wider)
        wide = torch.stack([torch.nextafter(tie, torch.zeros_like(tie)), tie])
        assert Fraction(tie.item()) == edge
        assert wide.to(dtype).isinf().tolist() == [False, True]


@pytest.mark.parametrize("dtype, depth", list(zip(FORMATS, [13, 97, 97, 775], strict=True)))
def test_published(dtype, depth):
    assert overflow_depth(2.5, dtype) == overflow_depth(2.5, str(dtype)) == depth
    assert overflow_depth(2.5, str(dtype).removeprefix("torch.")) == depth


@settings(deadline=None)
@given(st.floats(1.05, 1e6) | st.integers(2, 10**12) | st.fractions(Fraction(21, 20), 100), formats)
def test_exact(factor, dtype):
    check(factor, dtype)


@settings(deadline=None, max_examples=200)
@given(st.integers(1, 3000), formats, st.integers(-2, 2))
def test_exact_for_the_factors_next_to_a_whole_root(n, dtype, steps):
    """The floats around threshold^(1/n), where the answer turns from n to n + 1 between two neighbors."""
    edge = threshold(dtype)
    factor = math.exp((math.log(edge.numerator) - math.log(edge.denominator)) / n)
    for _ in range(abs(steps)):
        factor = math.nextafter(factor, math.copysign(math.inf, steps))
    if math.isfinite(factor):
        check(factor, dtype)
        assert overflow_depth(factor, dtype) in (n, n + 1)


@settings(deadline=None)
@given(st.floats(65519.99, 65520.01), st.sampled_from(FORMATS[:1]))
def test_the_tie_is_inf(factor, dtype):
    assert overflow_depth(factor, dtype) == (1 if factor >= 65520 else 2)


@settings(deadline=None)
@given(st.floats(1.0001, 1.5, exclude_min=True), formats)
def test_a_larger_factor_or_a_smaller_format_overflows_no_later(factor, dtype):
    assert overflow_depth(factor * 1.01, dtype) <= overflow_depth(factor, dtype)
    depths = [overflow_depth(factor, dtype) for dtype in FORMATS]
    assert depths[0] < depths[1] <= depths[2] < depths[3]  # bfloat16's largest is a little below float32's


def power_bounds(factor, n, bits=600):
    """Integers low <= factor**n · 2^bits <= high, by squaring with the rounding directed outwards."""
    one = 1 << bits
    low = high = one
    base_low = factor.numerator * one // factor.denominator
    base_high = -(-factor.numerator * one // factor.denominator)
    while n:
        if n & 1:
            low, high = low * base_low >> bits, -(-high * base_high >> bits)
        base_low, base_high = base_low * base_low >> bits, -(-base_high * base_high >> bits)
        n >>= 1
    return low, high


@settings(deadline=None)
@given(st.integers(1, 2**30), formats)
def test_factors_a_few_bits_above_one(step, dtype):
    """Here n is up to 3e18 and factor**n cannot be written out; bounds on it can."""
    factor = Fraction(1 + step * 2.0**-52)
    started = time.perf_counter()
    n = overflow_depth(float(factor), dtype)
    assert time.perf_counter() - started < 0.5
    edge = threshold(dtype) * 2**600
    assert power_bounds(factor, n)[0] >= edge > power_bounds(factor, n - 1)[1]


def test_any_real_number_counts():
    assert overflow_depth(np.float32(2.5), "float32") == overflow_depth(Fraction(5, 2), "float32") == 97
    assert overflow_depth(np.int64(7), "float64") == overflow_depth(7, "float64") == 365
    assert overflow_depth(10**400, "float64") == 1
    tiny = overflow_depth(1 + Fraction(1, 10**120), "float16")
    assert tiny == pytest.approx(math.log(65520) * 1e120, rel=1e-12)
    # A float is the binary fraction that it is, not the decimal it was written as.
    assert Fraction(1.1) > Fraction(11, 10)
    assert overflow_depth(1.1, "float64") <= overflow_depth(Fraction(11, 10), "float64")
