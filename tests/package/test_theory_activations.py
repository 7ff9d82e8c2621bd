"""The activations, their derivatives and their Gaussian averages, held to autograd and to closed forms."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.activations import NAMES, activation, slope_of
from blowup.lengthmap import moments
from blowup.theory import batch_norm_growth, max_slope

names = st.sampled_from(NAMES)
slopes = st.floats(-3, 3)


@settings(deadline=None)
@given(names, slopes, st.floats(-60, 60) | st.just(0.0))
def test_slope_of_is_autograds_derivative(name, slope, x):
    x = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    activation(name, slope)(x).sum().backward()
    assert slope_of(name, slope)(x.detach()).item() == pytest.approx(x.grad.item(), rel=1e-12, abs=1e-15)


@settings(deadline=None)
@given(names, slopes, st.floats(-60, 60))
def test_max_slope_bounds_autograds_slope(name, slope, x):
    x = torch.tensor([x], dtype=torch.float64, requires_grad=True)
    activation(name, slope)(x).sum().backward()
    assert abs(x.grad.item()) <= max_slope(name, slope) * (1 + 1e-15)


@pytest.mark.parametrize("name", NAMES)
def test_max_slope_is_reached(name):
    x = torch.linspace(-10, 10, 2_000_001, dtype=torch.float64)
    x = torch.cat([x, torch.tensor([-1e-12, 1e-12], dtype=torch.float64)])
    assert slope_of(name, -2.5)(x).abs().max().item() == pytest.approx(max_slope(name, -2.5), rel=1e-9)


def test_max_slope_published():
    known = dict(sigmoid=0.25, tanh=1, relu=1, leaky_relu=1, elu=1, linear=1, erf=1.1284, gelu=1.1289)
    known |= dict(silu=1.0998, selu=1.7581)
    assert {name: max_slope(name) for name in known} == pytest.approx(known, abs=5e-5)
    assert set(known) == set(NAMES)
    at_its_top = slope_of("gelu")(torch.tensor(math.sqrt(2), dtype=torch.float64)).item()
    assert max_slope("gelu") == pytest.approx(at_its_top, rel=1e-12)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", NAMES)
def test_far_from_zero_nothing_overflows_and_the_dtype_is_kept(name, dtype):
    x = torch.tensor([-6e4, -800, 0, 800, 6e4], dtype=dtype)
    for y in (activation(name)(x), slope_of(name)(x)):
        assert y.dtype == dtype and y.isfinite().all()


# the Gaussian averages, over fifty decades of variance


@pytest.mark.parametrize("q", 10.0 ** np.arange(-20, 31, 2.5))
def test_quadrature_against_closed_forms(q):
    ratio = 2 * q / (1 + 2 * q)
    angle = math.atan2(ratio, math.sqrt(1 + 4 * q) / (1 + 2 * q))  # asin(ratio), without losing digits at 1
    erf = moments("erf", q)
    assert erf.square.item() == pytest.approx(2 / math.pi * angle, rel=1e-13)
    assert erf.slope_square.item() == pytest.approx(4 / math.pi / math.sqrt(1 + 4 * q), rel=1e-13)
    relu = moments("relu", q)
    assert relu.mean.item() == pytest.approx(math.sqrt(q / (2 * math.pi)), rel=1e-13)
    assert relu.square.item() == pytest.approx(q / 2, rel=1e-13)
    assert relu.slope_square.item() == pytest.approx(0.5, rel=1e-13)
    assert moments("gelu", q).mean.item() == pytest.approx(q / math.sqrt(2 * math.pi * (1 + q)), rel=1e-13)
    assert moments("sigmoid", q).mean.item() == pytest.approx(0.5, rel=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_rate_is_the_derivative_of_the_square(name):
    q = torch.logspace(-4, 6, 21, dtype=torch.float64)
    above, below = moments(name, q * 1.001).square, moments(name, q / 1.001).square
    rate = (above - below) / (q * (1.001 - 1 / 1.001))
    torch.testing.assert_close(moments(name, q).rate, rate, rtol=1e-5, atol=1e-10)


def test_tanh_at_its_critical_point_decays_like_a_power():
    q, growth = 1.0, 1.0
    for _ in range(2048):
        at = moments("tanh", q)
        q, growth = at.square.item(), growth * at.slope_square.item()
    assert 2 * 2048 * q == pytest.approx(1, abs=2e-3)
    assert growth * 2048 == pytest.approx(0.7065, abs=1e-3)


def test_large_batches_of_any_activation_explode_under_batch_norm():
    def growth(name):
        at = moments(name, 1.0)
        return (at.slope_square / (at.square - at.mean**2)).item()

    assert growth("relu") == pytest.approx(batch_norm_growth(), rel=1e-13)
    known = dict(tanh=1.1778, gelu=1.3188, silu=1.2121, sigmoid=1.0336, linear=1)
    assert {name: growth(name) for name in known} == pytest.approx(known, abs=5e-5)
