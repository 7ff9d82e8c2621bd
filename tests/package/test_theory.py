"""Closed forms held to published values, to each other and to autograd; bad input."""

import math
import os
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.activations import NAMES, activation, slope_of
from blowup.lengthmap import moments
from blowup.theory import (
    batch_norm_growth,
    critical_sigma_w,
    lyapunov_exponents,
    max_slope,
    mean_field,
    overflow_depth,
)
from tests import ROOT

slopes = st.floats(-3, 3)


# mean field


@pytest.mark.parametrize(
    "sigma_w, q, chi",
    [(1.3, 0.4090, 1.0644), (1.5, 0.7934, 1.1393), (2, 2.1215, 1.3627), (2.5, 3.961, 1.607)],
)
def test_tanh_published(sigma_w, q, chi):
    assert mean_field("tanh", sigma_w) == pytest.approx((q, chi), abs=5e-5)


def test_other_published_points():
    assert mean_field("tanh", math.sqrt(1.76), math.sqrt(0.05)).chi == pytest.approx(0.9998, abs=5e-5)
    assert mean_field("erf", 2).chi == pytest.approx(1.5324, abs=5e-5)
    q = mean_field("erf", 2).q
    assert mean_field("erf", 2).chi == pytest.approx(16 / math.pi / math.sqrt(1 + 4 * q), rel=1e-12)
    assert mean_field("selu", 1) == pytest.approx((1, 1.07157), abs=5e-6)
    assert mean_field("gelu", math.sqrt(2)) == pytest.approx((0, 0.5))
    assert mean_field("silu", math.sqrt(2)) == pytest.approx((0, 0.5))
    # Roberts, Yaida & Hanin 2022, section 5.3.4: there both chi and the slope of the length map are 1.
    for name, w2, b2, q in (("gelu", 1.98305826, 0.17292239, 3.5), ("silu", 1.98800468, 0.55514317, 14.32)):
        low, high = q * 0.9, q * 1.1
        q = torch.linspace(low, high, 2001, dtype=torch.float64)
        at = moments(name, q)
        best = (w2 * at.slope_square - 1).abs().argmin()
        assert w2 * at.rate[best].item() == pytest.approx(1, abs=1e-4), (name, q[best])
        assert w2 * at.square[best].item() + b2 == pytest.approx(q[best].item(), rel=1e-4), (name, q[best])


@settings(deadline=None)
@given(st.sampled_from([0.0, 0.1, 2.0]), st.floats(0.05, 3), slopes)
def test_piecewise_linear_activations(sigma_b, sigma_w, slope):
    growth = sigma_w**2 * (1 + slope**2) / 2
    field = mean_field("leaky_relu", sigma_w, sigma_b, slope=slope)
    assert field.chi == pytest.approx(growth, rel=1e-12)
    if abs(growth - 1) > 1e-9:
        expected = sigma_b**2 / (1 - growth) if growth < 1 else math.inf
        assert field.q == pytest.approx(expected, rel=1e-6)
    assert mean_field("linear", sigma_w).chi == pytest.approx(sigma_w**2)


def test_every_q_is_a_fixed_point_at_he():
    for name, sigma_w in (("relu", math.sqrt(2)), ("linear", 1)):
        assert math.isnan(mean_field(name, sigma_w).q)
        assert mean_field(name, sigma_w, start=0.3).q == pytest.approx(0.3, rel=1e-12)
        assert mean_field(name, sigma_w).chi == pytest.approx(1, abs=1e-12)
        assert mean_field(name, sigma_w, 0.1) == pytest.approx((math.inf, 1))


def test_limits():
    assert mean_field("tanh", 0.9) == pytest.approx((0, 0.81))
    assert mean_field("tanh", 0.9, start=5.0) == pytest.approx((0, 0.81))
    assert mean_field("tanh", 1, start=5.0) == pytest.approx((0, 1), rel=1e-12, abs=1e-12)
    assert mean_field("sigmoid", 1).q > 0.25
    assert mean_field("sigmoid", 0) == pytest.approx((0, 0), abs=1e-12)
    assert mean_field("tanh", 0, 2) == pytest.approx((4, 0), rel=1e-12, abs=1e-12)
    assert mean_field("elu", 2) == pytest.approx((math.inf, 2))
    assert mean_field("selu", 1.5) == pytest.approx((math.inf, 1.5**2 * 1.0507009873554805**2 / 2))
    assert mean_field("tanh", 1e8).q == pytest.approx(1e16, rel=1e-7)
    # Just above tanh's critical point q = (1 - 1/sigma_w²)/2, for small q.
    assert mean_field("tanh", math.sqrt(1 + 1e-6)).q == pytest.approx(5e-7, rel=1e-4)


def test_two_attractors_of_gelu_and_silu():
    for name in ("gelu", "silu"):
        small, standardized = mean_field(name, 1.8), mean_field(name, 1.8, start=1.8**2)
        assert small == pytest.approx((0, 0.81)) and standardized == pytest.approx((math.inf, 1.62))
        assert mean_field(name, 2.1) == pytest.approx((math.inf, 2.1**2 / 2))
    # Two finite ones: from above and from below, either side of an unstable one.
    low, high = mean_field("gelu", 1.411, 0.4), mean_field("gelu", 1.411, 0.4, start=100.0)
    assert low.chi < 1 < high.chi and low.q < 2 < 10 < high.q < math.inf


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from([n for n in NAMES if n not in ("relu", "leaky_relu", "linear")]),
    st.floats(0.1, 12),
    st.floats(0.01, 3),
    st.none() | st.floats(0.01, 100),
)
def test_q_is_the_fixed_point_that_iteration_approaches(name, sigma_w, sigma_b, start):
    field = mean_field(name, sigma_w, sigma_b, start=start)
    q = first = sigma_b**2 if start is None else start
    for _ in range(60):
        at = moments(name, q)
        q = sigma_w**2 * at.square.item() + sigma_b**2
        # Never past it; a map that increases stays on its side.
        assert min(first, field.q) * (1 - 1e-9) <= q <= max(first, field.q) * (1 + 1e-9)
    if math.isfinite(field.q):
        at = moments(name, field.q)
        assert sigma_w**2 * at.square.item() + sigma_b**2 == pytest.approx(field.q, rel=1e-12)
        assert field.chi == pytest.approx(sigma_w**2 * at.slope_square.item(), rel=1e-12)
    else:
        assert q > first


# critical gains


def test_critical_published():
    known = dict(relu=math.sqrt(2), tanh=1, erf=math.sqrt(math.pi) / 2, linear=1, elu=1, gelu=2, silu=2)
    assert {name: critical_sigma_w(name) for name in known} == pytest.approx(known, rel=1e-12)
    assert critical_sigma_w("sigmoid") == pytest.approx(10.149, abs=5e-4)
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    assert critical_sigma_w("selu") == pytest.approx(math.sqrt(2 / (1 + alpha**2)) / scale, rel=1e-12)
    assert critical_sigma_w("leaky_relu", slope=0.2) == pytest.approx(math.sqrt(2 / 1.04), rel=1e-12)
    assert critical_sigma_w("tanh", math.sqrt(0.05)) ** 2 == pytest.approx(1.76, abs=0.005)


EXACT = """
from blowup.lengthmap import moments
from blowup.theory import critical_sigma_w, mean_field
print(*[critical_sigma_w(name).hex() for name in ("tanh", "elu", "linear", "gelu", "silu", "relu")])
print(*map(float.hex, (mean_field("tanh", 1).chi, mean_field("gelu", 2).chi, moments("relu", 7.0)[2].item())))
"""


def test_what_has_a_closed_form_is_the_same_number_on_every_processor():
    """Bit for bit, for phi'(0)² is a power of two or 0: with the instructions of older processors too."""
    capabilities = ["default", "avx2", "avx512"]  # of this processor: those up to its own
    here = torch.backends.cpu.get_cpu_capability().lower()
    capabilities = capabilities[: capabilities.index(here) + 1] if here in capabilities else ["default"]
    runs = {
        capability: subprocess.Popen(
            [sys.executable, "-c", EXACT],
            env=os.environ | {"ATEN_CPU_CAPABILITY": capability},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for capability in capabilities
    }
    expected = [[1.0, 1.0, 1.0, 2.0, 2.0, math.sqrt(2)], [1.0, 1.0, 0.5]]
    for capability, run in runs.items():
        said = [[float.fromhex(x) for x in line.split()] for line in run.communicate()[0].splitlines()]
        assert said == expected, capability


@pytest.mark.parametrize("sigma_b", [0.0, 0.1, 0.41, 0.42, 30.0])
@pytest.mark.parametrize("name", NAMES)
def test_chi_is_below_one_before_the_critical_gain_and_not_after(name, sigma_b):
    critical = critical_sigma_w(name, sigma_b)
    for share in (0.01, 0.5, 0.9, 0.99, 0.9999):
        assert mean_field(name, share * critical, sigma_b).chi < 1
    assert mean_field(name, critical * (1 + 1e-9), sigma_b).chi >= 1
    jumps = name in ("gelu", "silu") and 0 < sigma_b < 0.75 and (name == "silu" or sigma_b < 0.415)
    if not jumps:
        assert mean_field(name, critical, sigma_b).chi == pytest.approx(1, abs=1e-9)
    else:
        assert mean_field(name, critical, sigma_b).chi < 0.9999
        assert mean_field(name, critical * (1 + 1e-9), sigma_b).chi > 1.0001


@pytest.mark.parametrize("name, sigma_b", [("gelu", 0.01), ("gelu", 0.3), ("silu", 0.5)])
def test_the_jump_is_where_two_fixed_points_meet(name, sigma_b):
    """The gain that makes q a fixed point, w2(q), has a maximum: beyond it the lower fixed point is gone."""
    q = torch.logspace(-3, 0.7, 20_001, dtype=torch.float64)
    w2 = (q - sigma_b**2) / moments(name, q).square
    peak = (w2.diff() < 0).nonzero()[0].item()
    critical = critical_sigma_w(name, sigma_b)
    assert critical**2 == pytest.approx(w2[peak].item(), rel=1e-7)
    assert mean_field(name, critical * (1 - 1e-7), sigma_b).q == pytest.approx(q[peak].item(), rel=1e-2)


# products of Gaussian matrices


def test_lyapunov_published():
    for width, top in ((1, -0.6352), (2, -0.2886), (10, -0.0517), (100, -0.0050)):
        assert lyapunov_exponents(width)[0] == pytest.approx(top, abs=5e-5)
    assert lyapunov_exponents(10, 1.2)[0] == pytest.approx(0.1307, abs=5e-5)
    euler = 0.57721566490153286
    assert lyapunov_exponents(1)[0] == pytest.approx(-(euler + math.log(2)) / 2, rel=1e-12)


@settings(deadline=None)
@given(st.integers(1, 200), st.floats(1e-100, 1e100))
def test_lyapunov_spectrum(width, scale):
    exponents = lyapunov_exponents(width, scale)
    assert exponents.shape == (width,) and (np.diff(exponents) < 0).all()
    np.testing.assert_allclose(exponents, lyapunov_exponents(width) + math.log(scale), rtol=1e-9, atol=1e-9)


# batch norm


def test_batch_norm_published():
    for batch, growth in ((8, 1.788), (16, 1.590), (64, 1.493), (256, 1.473)):
        assert batch_norm_growth(batch) == pytest.approx(growth, abs=5e-4)
    assert batch_norm_growth() == pytest.approx(math.pi / (math.pi - 1), rel=1e-15)
    assert batch_norm_growth(10**9) == pytest.approx(batch_norm_growth(), rel=1e-8)


@settings(deadline=None)
@given(st.integers(4, 10**6))
def test_batch_norm_growth_falls_to_its_limit(batch):
    assert batch_norm_growth(batch) > batch_norm_growth(batch + 1) > batch_norm_growth()


# bad input

NUMBERS = [math.nan, math.inf, -math.inf, -1.0, True, "1", None, 1j, 10**400]


@pytest.mark.parametrize("bad", ["mish", "ReLU", "", None, 3, ["relu"], True])
@pytest.mark.parametrize(
    "function",
    [
        activation,
        slope_of,
        max_slope,
        critical_sigma_w,
        lambda name: mean_field(name, 1),
        lambda n: moments(n, 1),
    ],
)
def test_unknown_activation(function, bad):
    with pytest.raises(
        ValueError, match=r"activation: expected one of sigmoid, tanh, relu, leaky_relu, .*linear, got"
    ):
        function(bad)


@pytest.mark.parametrize("bad", NUMBERS)
def test_bad_numbers(bad):
    for argument, call in {
        "sigma_w": lambda: mean_field("tanh", bad),
        "sigma_b": lambda: mean_field("tanh", 1, bad),
        "scale": lambda: lyapunov_exponents(3, bad),
        "width": lambda: lyapunov_exponents(bad),
        "factor": lambda: overflow_depth(bad, "float32"),
        "batch": lambda: batch_norm_growth(bad),
        "start": lambda: mean_field("tanh", 1, start=bad),
        "slope": lambda: critical_sigma_w("relu", slope=bad),
    }.items():
        if (argument, bad) in (("factor", 10**400), ("batch", None), ("start", None), ("slope", -1.0)):
            continue  # allowed there
        if (argument, bad) in (("batch", 10**400), ("width", 10**400)):
            continue  # whole numbers, only too many
        with pytest.raises(ValueError, match=rf"^{argument}: expected .*, got"):
            call()
    with pytest.raises(ValueError, match=r"^sigma_b: expected a finite number from 0 to 1e8"):
        critical_sigma_w("gelu", -0.1)


@pytest.mark.parametrize("bad", [0, 2.0, 2.5, -3])
def test_bad_width(bad):
    with pytest.raises(ValueError, match="width: expected an integer of at least 1"):
        lyapunov_exponents(bad)


@pytest.mark.parametrize("bad", [0, 1, 2, 3, 8.0, -8])
def test_bad_batch(bad):
    with pytest.raises(ValueError, match="batch: expected an integer of at least 4"):
        batch_norm_growth(bad)


@pytest.mark.parametrize("bad", [1, 1.0, 0.5, 0, Fraction(99, 100)])
def test_factor_that_never_overflows(bad):
    with pytest.raises(ValueError, match="factor: expected a finite number above 1"):
        overflow_depth(bad, "float32")


@pytest.mark.parametrize("bad", ["float", "int32", torch.int8, None, 32])
def test_bad_dtype(bad):
    with pytest.raises(ValueError, match="dtype: expected one of float16, bfloat16, float32, float64, got"):
        overflow_depth(2.5, bad)
