"""Chapter *Initialization*: its laws by property tests and simulation, and what breaks its experiments."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.curves import DoesNotReproduce, reproduce
from blowup.networks import MLP
from blowup.training import train
from tests.chapters.cells import defined_in, standardized_digits

CODE = defined_in(
    "initialization", "rng", "signals", "backward", "glorot", "he", "predicted_map", "orthogonal"
)
width = st.integers(8, 96)


@settings(max_examples=15, deadline=None)
@given(n_in=width, n_out=width, seed=st.integers(0, 2**31))
def test_he_keeps_the_mean_square_and_glorot_halves_what_it_would(n_in, n_out, seed):
    """One layer: E a² is ½ n_in σ² times that of the input, with σ² of the rule, within standard errors."""
    CODE["rng"].manual_seed(seed)
    for rule, law in ((CODE["he"], 1.0), (CODE["glorot"], n_in / (n_in + n_out))):
        forward, _ = CODE["signals"](rule, [n_in, n_out], nets=2000)
        error = forward[:, 0].std() / 2000**0.5
        assert abs(forward[:, 0].mean() - law) < 5 * error


@settings(max_examples=10, deadline=None)
@given(n_in=width, n_out=width, seed=st.integers(0, 2**31))
def test_the_way_back_counts_the_outputs(n_in, n_out, seed):
    CODE["rng"].manual_seed(seed)
    _, back = CODE["signals"](CODE["he"], [32, n_in, n_out], nets=2000)
    ratio = back[:, 0] / back[:, 1]  # ½ n_out σ² = n_out / n_in
    assert abs(ratio.mean() - n_out / n_in) < 5 * ratio.std() / 2000**0.5


def test_backward_is_autograds():
    """Mean squares of delta by the chapter's recursion against autograd, in float64."""
    torch.manual_seed(0)
    weights = [torch.randn(3, 6, 6, dtype=torch.float64) for _ in range(4)]
    a, on, z = torch.randn(3, 6, 1, dtype=torch.float64), [], []
    for W in weights:
        z.append((W @ a).requires_grad_())
        on.append((z[-1] > 0).double())
        a = z[-1].relu()
    CODE["rng"].manual_seed(5)
    top = torch.randn(3, 6, 1, generator=CODE["rng"], dtype=torch.float64)
    # The chapter takes its random delta as that of the last z, so the loss is its product with that z.
    grads = torch.autograd.grad((z[-1] * top).sum(), z)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "randn", lambda *shape, **_: top)
        squares = CODE["backward"](weights, on)
    theirs = torch.stack([g.square().mean((1, 2)) for g in grads], 1)
    assert torch.allclose(squares, theirs, atol=1e-12)


@given(n=st.integers(2, 24))
@settings(max_examples=10, deadline=None)
def test_orthogonal_is(n):
    Q = CODE["orthogonal"](n)
    assert torch.allclose(Q @ Q.T, torch.eye(n, dtype=torch.float64), atol=1e-12)


def test_the_fourth_moment_is_the_product():
    """E‖a‖⁴/(E‖a‖²)² = Π(1 + 5/n) for unequal widths too (Hanin and Rolnick 2018)."""
    CODE["rng"].manual_seed(1)
    sizes = [40, 20, 60, 30]
    forward, _ = CODE["signals"](CODE["he"], sizes, nets=20_000)
    ratio = forward[:, -1].double().square()
    inputs = 1 + 2 / 40  # the input is Gaussian: its squared length fluctuates as well
    law = inputs * math.prod(1 + 5 / n for n in sizes[1:])
    assert abs(ratio.mean() - law) < 4 * ratio.std() / 20_000**0.5


def test_predicted_map_is_the_mean_square_under_zero_padding():
    """Two convolutions in float64, thousands of nets of few channels, position by position."""
    torch.manual_seed(0)
    x = torch.ones(3000, 2, 5, 5, dtype=torch.float64) * torch.randn(3000, 2, 1, 1, dtype=torch.float64)
    for _ in range(2):
        W = torch.randn(6000, 2, 3, 3, dtype=torch.float64) / 3  # 2/(9·2)
        x = torch.conv2d(x.flatten(0, 1)[None], W, padding=1, groups=3000).relu().unflatten(1, (3000, 2))[0]
    square = x.square().mean(1)
    law = CODE["predicted_map"](depth=2, size=5)[-1].double()
    assert ((square.mean(0) - law).abs() < 5 * square.std(0) / 3000**0.5).all()


ARMS = {"glorot-30": (1.0, 30), "he-10": (2**0.5, 10)}


@pytest.mark.parametrize(("arm", "factor"), [("glorot-30", 1.3), ("he-10", 1.25)])
def test_a_broken_experiment_does_not_reproduce(arm, factor):
    gain, depth = ARMS[arm]
    net = MLP(64, 10, depth=depth, width=64, activation="relu", gain=gain * factor)
    curves = train(net, **standardized_digits(), seeds=16, steps=200, lr=0.005, batch=32, progress=False)
    with pytest.raises(DoesNotReproduce):
        reproduce(f"initialization-{arm}", curves)


def test_22_layers_learn_with_both_variances():
    """He et al. 2015, figure 2: at 22 layers both converge, Glorot later. Stated in *Before and after*."""
    net = MLP(64, 10, depth=22, width=64, activation="relu", gain=[1.0] * 4 + [2**0.5] * 4)
    seeds = [0, 1, 2, 3] * 2
    curves = train(
        net, **standardized_digits(), seeds=seeds, steps=1500, lr=0.01, batch=32, every=50, progress=False
    )
    best = torch.as_tensor(curves.accuracy).max(1).values
    assert (best > 0.3).all(), best
    early = torch.as_tensor(curves.accuracy)[:, curves.steps.tolist().index(200)]
    assert early[:4].max() < 0.2 < early[4:].min()
