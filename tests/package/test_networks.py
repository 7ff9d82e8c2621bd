"""The stacked networks are the networks they say they are, member by member."""

import math

import pytest
import torch
from torch import nn

from blowup.activations import NAMES, activation
from blowup.networks import CNN, MLP


def test_mlp_weights_have_the_variance_they_promise():
    net = MLP(inputs=30, classes=7, depth=3, width=50, gain=1.7)
    params = net.init(40)
    for name, fan_in, gain in (("layer 1", 30, 1.7), ("layer 2", 50, 1.7), ("readout", 50, 1.0)):
        W = params[f"{name}.W"].double()
        n = W.numel()
        assert abs(W.mean() / (gain / fan_in**0.5)) < 4 / n**0.5
        # The variance of a sample variance of normal numbers is 2/n.
        assert abs(W.var() / (gain**2 / fan_in) - 1) < 4 * math.sqrt(2 / n)
        assert not params[f"{name}.b"].any()


def test_cnn_weights_have_the_variance_they_promise():
    params = CNN(size=20, classes=10, channels=(8, 16)).init(40)
    for name, fan_in, gain2 in (("layer 1", 9, 2), ("layer 2", 72, 2), ("readout", 16 * 25, 1)):
        W = params[f"{name}.W"].double()
        assert abs(W.var() / (gain2 / fan_in) - 1) < 4 * math.sqrt(2 / W.numel())


def test_a_gain_for_each_member_scales_that_member_alone():
    one, mixed = MLP(5, 3, 2, 8).init([4, 4, 4]), MLP(5, 3, 2, 8, gain=[1.0, 3.0, 0.0]).init([4, 4, 4])
    for name in ("layer 1.W", "layer 2.W"):
        torch.testing.assert_close(mixed[name], one[name] * torch.tensor([1.0, 3.0, 0.0])[:, None, None])
    assert torch.equal(mixed["readout.W"], one["readout.W"])


def test_a_seed_draws_the_same_weights_alone_in_company_and_in_float64():
    net = CNN(8, 4, (3,))
    among, alone, double = net.init(5), net.init([3]), net.init([3], dtype=torch.float64)
    for name in among:
        assert torch.equal(among[name][3], alone[name][0])
        torch.testing.assert_close(double[name].float(), alone[name])
    assert not torch.equal(among["layer 1.W"][3], among["layer 1.W"][2])


@pytest.mark.parametrize("name", NAMES)
def test_mlp_is_a_plain_sequence_of_linear_layers(name):
    net = MLP(inputs=6, classes=3, depth=2, width=9, activation=name, gain=1.5, slope=0.2)
    params = net.init(3, dtype=torch.float64)
    x = torch.randn(3, 4, 6, dtype=torch.float64)
    logits = net(params, x)
    assert logits.shape == (3, 4, 3) and net.layer_names == ("layer 1", "layer 2", "readout")
    for k in range(3):
        h = x[k]
        for layer in net.layer_names[:-1]:
            h = activation(name, slope=0.2)(h @ params[f"{layer}.W"][k] + params[f"{layer}.b"][k])
        torch.testing.assert_close(logits[k], h @ params["readout.W"][k])


@pytest.mark.parametrize(("name", "slope"), [*((name, 0.2) for name in NAMES), ("leaky_relu", -1.0)])
def test_cnn_is_convolution_then_activation_then_pool(name, slope):
    """The pool may come first only where that gives the same values and gradients: gelu and silu dip."""
    net = CNN(size=9, classes=3, channels=(2, 5), activation=name, slope=slope)
    params = {k: p.requires_grad_() for k, p in net.init(3, dtype=torch.float64).items()}
    x = 3 * torch.randn(3, 4, 9, 9, dtype=torch.float64)
    logits, expected = net(params, x), []
    for k in range(3):
        h = x[k][:, None]
        for layer in net.layer_names[:-1]:
            W, b = params[f"{layer}.W"][k], params[f"{layer}.b"][k]
            h = nn.functional.max_pool2d(
                activation(name, slope=slope)(nn.functional.conv2d(h, W, b, padding=1)), 2
            )
        expected.append(h.flatten(1) @ params["readout.W"][k] + params["readout.b"][k])
    expected = torch.stack(expected)
    torch.testing.assert_close(logits, expected)
    probe = torch.randn_like(logits)
    ours = torch.autograd.grad((logits * probe).sum(), list(params.values()))
    plain = torch.autograd.grad((expected * probe).sum(), list(params.values()))
    for a, b in zip(ours, plain, strict=True):
        torch.testing.assert_close(a, b)


@pytest.mark.parametrize("net", [MLP(5, 3, 2, 6), CNN(8, 3, (8, 16))])
def test_a_member_of_nan_leaves_the_others_alone(net):
    params = {name: p.requires_grad_() for name, p in net.init(4).items()}
    broken = {name: p.detach().clone() for name, p in params.items()}
    for p in broken.values():
        p[1] = math.nan
    broken = {name: p.requires_grad_() for name, p in broken.items()}
    x = torch.randn(4, 6, *net.input_shape)
    others = [0, 2, 3]
    whole, part = net(params, x), net(broken, x)
    assert part[1].isnan().all() and torch.equal(whole[others], part[others])
    whole = torch.autograd.grad(whole.square().sum(), list(params.values()))
    part = torch.autograd.grad(part.square().sum(), list(broken.values()))
    assert all(torch.equal(a[others], b[others]) for a, b in zip(whole, part, strict=True))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MLP(0, 3, 2, 6), "inputs: .*at least 1"),
        (lambda: MLP(5, 3, -1, 6), "depth: .*at least 0"),
        (lambda: MLP(5, 3, 2, 6.0), "width: expected an integer"),
        (lambda: MLP(5, 3, 2, 6, activation="tanhh"), "activation.*tanh"),
        (lambda: MLP(5, 3, 2, 6, gain=math.nan).init(2), "gain: expected finite numbers"),
        (lambda: MLP(5, 3, 2, 6, gain=[1.0, 2.0]).init(3), "gain: expected 1 or 3 numbers"),
        (lambda: MLP(5, 3, 2, 6, gain="big").init(3), "gain: expected a number"),
        (lambda: MLP(5, 3, 2, 6).init(0), "seeds: .*at least 1"),
        (lambda: MLP(5, 3, 2, 6).init([]), "seeds: "),
        (lambda: MLP(5, 3, 2, 6).init([0.5]), "seeds: "),
        (lambda: MLP(5, 3, 2, 6).init("three"), "seeds: "),
        (lambda: MLP(5, 3, 2, 6).init([-1]), "seeds: "),
        (lambda: CNN(3, 3, (8, 16)), "size: 2 pools need images of at least 4 pixels"),
        (lambda: CNN(20, 3, (8, 0)), "channels: "),
    ],
)
def test_bad_input_is_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
