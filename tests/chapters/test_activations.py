"""Chapter *Activations*: what its cells write out, against autograd, the package and simulations."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blowup.activations import activation, slope_of
from blowup.curves import DoesNotReproduce, reproduce
from blowup.networks import MLP
from blowup.theory import mean_field
from blowup.training import train
from tests.chapters.cells import defined_in, standardized_digits

CODE = defined_in(
    "activations", "sigmoid", "cdf", "SCALE", "PHI", "density", "one", "SLOPE", "u", "weight",
    "predicted_chi", "own_scale", "next_angle", "line", "u1", "weight2", "predicted_cosine",
)  # fmt: skip
PHI, SLOPE = CODE["PHI"], CODE["SLOPE"]
NAMES = {name: name.lower().replace(" ", "_") for name in PHI}
finite = st.floats(-30, 30).filter(lambda z: abs(z) > 1e-9)


@pytest.mark.parametrize("name", PHI)
@given(z=finite)
def test_slopes_are_autograds_and_the_packages(name, z):
    z = torch.tensor([z], dtype=torch.float64, requires_grad=True)
    (by_autograd,) = torch.autograd.grad(PHI[name](z).sum(), z)
    z = z.detach()
    assert torch.allclose(SLOPE[name](z), by_autograd, rtol=1e-9, atol=1e-12)
    assert torch.allclose(SLOPE[name](z), slope_of(NAMES[name])(z), rtol=1e-9, atol=1e-12)
    assert torch.allclose(PHI[name](z), activation(NAMES[name])(z), rtol=1e-9, atol=1e-12)


@given(beta=st.floats(0.05, 20), z=finite)
def test_the_slope_of_swish_is_that_of_silu_elsewhere(beta, z):
    z = torch.tensor(z, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(z * torch.sigmoid(beta * z), z)
    assert torch.isclose(slope, SLOPE["SiLU"](beta * z.detach()), rtol=1e-8, atol=1e-12)
    assert slope <= 1.0999


@pytest.mark.parametrize("name", PHI)
@pytest.mark.parametrize("sigma_w", [0.6, 1.8, 3.0, 9.0])
def test_chi_of_the_cells_is_the_packages(name, sigma_w):
    law = mean_field(NAMES[name], sigma_w, start=sigma_w**2)
    assert CODE["predicted_chi"](name, sigma_w, depth=100)[-1] == pytest.approx(law.chi, rel=8e-3)


@pytest.mark.parametrize("name", [name for name in PHI if name != "sigmoid"])
@given(q=st.floats(0.3, 5))
def test_own_scale_keeps_variance_and_gradient(name, q):
    sigma_w, sigma_b, _ = CODE["own_scale"](name, q)
    if math.isnan(sigma_b):
        return  # no bias variance is small enough: the chapter says so for the sigmoid
    z = q**0.5 * CODE["u"]
    again = sigma_w**2 * (CODE["weight"] * activation(NAMES[name])(z) ** 2).sum() + sigma_b**2
    chi = sigma_w**2 * (CODE["weight"] * slope_of(NAMES[name])(z) ** 2).sum()
    assert chi == pytest.approx(1, abs=1e-9) and again == pytest.approx(q, abs=0.011)


@pytest.mark.parametrize("name", ["ReLU", "tanh", "GELU"])
def test_the_map_of_variances_has_the_slope_r(name):
    """r against a finite difference of the map."""
    sigma_w, _, r = CODE["own_scale"](name, 2.0)

    def mapped(q):
        return sigma_w**2 * (CODE["weight"] * PHI[name](q**0.5 * CODE["u"]) ** 2).sum()

    assert r == pytest.approx(((mapped(2.001) - mapped(1.999)) / 0.002).item(), rel=1e-3)


@given(theta=st.floats(0.01, 3.1))
def test_the_angle_map_is_that_of_gaussian_relus(theta):
    """cos of the next angle = E[a a'] / E[a²], by quadrature over the plane."""
    z1 = CODE["u1"]
    z2 = math.cos(theta) * z1 + math.sin(theta) * CODE["u1"].T
    both = (CODE["weight2"] * z1.relu() * z2.relu()).sum() / (CODE["weight2"] * z1.relu() ** 2).sum()
    assert math.cos(CODE["next_angle"](theta)) == pytest.approx(both.item(), abs=5e-3)


def test_gradient_cosine_of_relu_is_the_product_of_angles():
    theta, product = math.pi / 2, 1.0
    for cosine in CODE["predicted_cosine"]("ReLU", 2**0.5, depth=12):
        product *= 1 - theta / math.pi
        theta = CODE["next_angle"](theta)
        assert cosine.item() == pytest.approx(product, abs=0.03)


@pytest.mark.parametrize(
    ("curve", "changes"),
    [("own-scale", {"gain": 1.3}), ("own-scale", {"activation": "relu"}), ("tanh", {"gain": 1.5})],
    ids=str,
)
def test_a_broken_experiment_does_not_reproduce(curve, changes):
    setting = {"activation": "tanh", "gain": 2.0} if curve == "tanh" else {"activation": "elu", "gain": 1.0}
    net = MLP(64, 10, depth=20, width=64, **{**setting, **changes})
    curves = train(net, **standardized_digits(), seeds=16, steps=120, lr=0.005, batch=32, progress=False)
    with pytest.raises(DoesNotReproduce):
        reproduce(f"activations-{curve}", curves)
