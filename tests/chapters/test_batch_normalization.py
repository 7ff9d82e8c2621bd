"""The norm layers are torch's, the chapter's cells are the package's, and its claims can fail."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blowup.curves import DoesNotReproduce, reproduce
from blowup.networks import MLP
from blowup.normalization import EPS, NORMS, batch_norm, fresh_statistics
from blowup.training import batches, train
from tests import ROOT
from tests.chapters.cells import defined_in

MEMBERS, BATCH, WIDTH = 3, 12, 8


@pytest.fixture(scope="module")
def chapter():
    """What the chapter's cells define, run from the cells themselves."""
    names = (
        "rng normal batch_norm batch_norm_backward digits mean x_train x_test network run standardize "
        "over_batch backward_norms u density predicted_growth"
    )
    return defined_in("batch-normalization", *names.split())


def double(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def torch_layer(name):
    """torch.nn's layer of that name, with random scale and shift."""
    layer = {
        "batch": lambda: nn.BatchNorm1d(WIDTH),
        "layer": lambda: nn.LayerNorm(WIDTH),
        "group": lambda: nn.GroupNorm(4, WIDTH),
        "rms": lambda: nn.RMSNorm(WIDTH, eps=EPS),
    }[name]().double()
    with torch.no_grad():
        layer.weight.copy_(double(WIDTH, seed=1))
        if name != "rms":
            layer.bias.copy_(double(WIDTH, seed=2))
    return layer


@pytest.mark.parametrize("name", NORMS)
def test_each_norm_is_that_of_torch_forward_and_backward_while_it_trains_and_after(name):
    layers = [torch_layer(name) for _ in range(MEMBERS)]
    gamma = torch.stack([layer.weight.detach()[None] for layer in layers])
    beta = torch.stack([(torch.zeros_like(layer.weight) if name == "rms" else layer.bias.detach())[None]
                        for layer in layers])  # fmt: skip
    net = MLP(5, 2, 1, WIDTH, norm=name)
    running, params = {}, {"layer 1.gamma": gamma.requires_grad_(), "layer 1.beta": beta.requires_grad_()}
    for step in range(6):
        evaluate = step >= 4
        z = (3 * double(MEMBERS, BATCH, WIDTH, seed=10 + step) + 2).requires_grad_()
        probe = double(MEMBERS, BATCH, WIDTH, seed=20 + step)
        ours = net.normalized(params, "layer 1", z, running, evaluate)
        plain = torch.stack([layer.train(not evaluate)(z[k]) for k, layer in enumerate(layers)])
        torch.testing.assert_close(ours, plain, rtol=1e-12, atol=1e-12)
        wanted = [z, params["layer 1.gamma"]]
        dz, dgamma = torch.autograd.grad((ours * probe).sum(), wanted)
        dz_plain, *dgammas = torch.autograd.grad((plain * probe).sum(), [z, *(q.weight for q in layers)])
        torch.testing.assert_close(dz, dz_plain, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(dgamma[:, 0], torch.stack(dgammas), rtol=1e-10, atol=1e-12)
    if name == "batch":
        mean, variance = running["layer 1"]
        torch.testing.assert_close(mean[:, 0], torch.stack([q.running_mean for q in layers]))
        torch.testing.assert_close(variance[:, 0], torch.stack([q.running_var for q in layers]))
        assert not torch.allclose(variance, torch.ones_like(variance), atol=0.1)


def plain_net(net, params, k):
    """Member k as torch modules."""
    modules = []
    for name in net.layer_names:
        W = params[f"{name}.W"][k]
        linear = nn.Linear(*W.shape, bias=name == "readout", dtype=W.dtype)
        linear.weight.data.copy_(W.T)
        modules.append(linear)
        if name == "readout":
            linear.bias.data.copy_(params["readout.b"][k, 0])
        else:
            modules += [nn.BatchNorm1d(len(W.T), dtype=W.dtype), nn.Tanh()]
    return nn.Sequential(*modules)


def test_training_with_batch_norm_is_the_plain_loop_and_the_accuracy_uses_running_statistics():
    x, y = double(60, 6), torch.arange(60) % 3
    x = x + 2 * double(3, 6, seed=3)[y]
    net = MLP(6, 3, 3, WIDTH, norm="batch")
    curves = train(net, x, y, seeds=[4, 1], steps=15, lr=0.3, batch=10, every=1)
    params, order = net.init([4, 1], dtype=x.dtype), batches([4, 1], 60, 10, 16)
    for k in range(2):
        module = plain_net(net, params, k)
        optimizer = torch.optim.SGD(module.parameters(), lr=0.3, momentum=0.9)
        for step in range(16):
            loss = F.cross_entropy(module.train()(x[order[step, k]]), y[order[step, k]])
            right = (module.eval()(x).argmax(1) == y).double().mean().item()
            optimizer.zero_grad()
            loss.backward()
            norm = torch.cat([p.grad.flatten() for p in module.parameters()]).norm().item()
            optimizer.step()
            ours = curves.loss[k, step], curves.grad_norm[k, step], curves.accuracy[k, step]
            np.testing.assert_allclose(ours, (loss.item(), norm, right), rtol=1e-9)
    assert curves.grad_norms.shape[2] == len(net.layer_names) and curves.accuracy[:, -1].min() > 0.8


@pytest.mark.parametrize("name", NORMS)
def test_members_never_mix(name):
    net = MLP(5, 3, 2, WIDTH, norm=name)
    params = net.init(4, dtype=torch.float64)
    x = double(4, 6, 5)
    whole = net(params, x)
    alone = net({key: p[2:3] for key, p in params.items()}, x[2:3])
    torch.testing.assert_close(whole[2:3], alone, rtol=1e-12, atol=1e-12)
    broken = {key: p.clone().requires_grad_() for key, p in params.items()}
    for p in broken.values():
        p.data[1] = math.nan
    part, others = net(broken, x), [0, 2, 3]
    assert part[1].isnan().all() and torch.equal(whole[others], part[others])
    grads = torch.autograd.grad(part.square().sum(), list(broken.values()))
    assert all(g[others].isfinite().all() for g in grads)


def test_parameters_of_a_normalized_layer():
    params = MLP(5, 3, 2, WIDTH, norm="layer").init(2)
    assert list(params) == ["layer 1.W", "layer 1.gamma", "layer 1.beta", "layer 2.W", "layer 2.gamma",
                            "layer 2.beta", "readout.W", "readout.b"]  # fmt: skip
    assert (params["layer 1.gamma"] == 1).all() and not params["layer 2.beta"].any()
    plain = MLP(5, 3, 2, WIDTH).init(2)
    assert all(torch.equal(plain[f"{k}.W"], params[f"{k}.W"]) for k in ("layer 1", "layer 2", "readout"))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: MLP(5, 3, 2, 6, norm="bacth"), "norm: unknown 'bacth'; known are batch, layer, group, rms"),
        (lambda: MLP(5, 3, 2, 6, norm="group"), "groups: 4 groups do not divide a width of 6"),
        (lambda: MLP(5, 3, 2, 6, norm="group", groups=0), "groups: expected an integer of at least 1"),
        (
            lambda: train(MLP(5, 3, 2, 6, norm="batch"), torch.ones(9, 5), torch.zeros(9), batch=1),
            "batch: batch norm needs at least 2 examples to train on, got 1",
        ),
        (
            lambda: batch_norm(torch.ones(2, 9, 5), torch.ones(2, 1, 5), torch.zeros(2, 1, 5), evaluate=True),
            "running: batch norm needs running statistics to evaluate, got None",
        ),
    ],
)
def test_bad_input_is_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


@settings(max_examples=40, deadline=None)
@given(
    batch=st.integers(2, 30), scale=st.floats(1e-3, 1e3), shift=st.floats(-100, 100), seed=st.integers(0, 999)
)
def test_the_chapters_batch_norm_is_the_packages_and_its_backward_is_autograds(
    chapter, batch, scale, shift, seed
):
    z, dy = scale * double(batch, 4, seed=seed) + shift, double(batch, 4, seed=seed + 1)
    gamma, beta = double(2, 4, seed=seed + 2)
    out, z_hat, s = chapter["batch_norm"](z, gamma, beta)
    leaves = [t.clone().requires_grad_() for t in (z[None], gamma.view(1, 1, 4), beta.view(1, 1, 4))]
    package = batch_norm(*leaves)
    torch.testing.assert_close(out, package[0].detach(), rtol=1e-9, atol=1e-9)
    by_hand = chapter["batch_norm_backward"](dy, z_hat, s, gamma)
    by_autograd = torch.autograd.grad((package[0] * dy).sum(), leaves)
    for ours, theirs in zip(by_hand, by_autograd, strict=True):
        size = max(1.0, ours.abs().max().item())
        torch.testing.assert_close(ours / size, theirs.view(ours.shape) / size, rtol=1e-7, atol=1e-8)


@settings(max_examples=80, deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40))
def test_no_standardized_value_passes_the_bound(chapter, values):
    z = torch.tensor(values, dtype=torch.float64)[:, None]
    assert chapter["batch_norm"](z, 1, 0)[1].abs().max() <= math.sqrt(len(values) - 1) + 1e-9


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-3, 3), min_size=2, max_size=6))
def test_no_activation_has_a_growth_below_one(chapter, coefficients):
    """Random polynomials; the growth of a straight line is exactly 1."""
    if max(abs(c) for c in coefficients[1:]) < 0.1:
        return

    def phi(u):
        return sum(c * u**k for k, c in enumerate(coefficients))

    growth = chapter["predicted_growth"](phi)
    assert growth > 1 - 1e-6
    if not any(coefficients[2:]):
        assert abs(growth - 1) < 1e-6


def test_a_normalized_network_does_not_feel_the_scale_of_its_weights():
    net = MLP(5, 3, 3, WIDTH, norm="batch")
    params = {name: p.requires_grad_() for name, p in net.init(2, dtype=torch.float64).items()}
    large = {name: (p.detach() * (8 if name[:5] == "layer" and name[-1] == "W" else 1)).requires_grad_()
             for name, p in params.items()}  # fmt: skip
    x = 100 * double(2, 20, 5)  # far above epsilon
    one, other = net(params, x), net(large, x)
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)
    grads = [torch.autograd.grad(out.square().sum(), p["layer 1.W"])[0]
             for out, p in ((one, params), (other, large))]  # fmt: skip
    assert abs(grads[1].norm() / grads[0].norm() * 8 - 1) < 0.02
    turned = (grads[0] * params["layer 1.W"]).sum() / grads[0].norm() / params["layer 1.W"].norm()
    assert abs(turned) < 1e-4


def test_running_statistics_start_as_torchs():
    mean, variance = fresh_statistics(double(MEMBERS, BATCH, WIDTH))
    layer = nn.BatchNorm1d(WIDTH)
    assert torch.equal(mean[0, 0].float(), layer.running_mean)
    assert torch.equal(variance[0, 0].float(), layer.running_var)


@pytest.mark.parametrize(
    "broken", [{"norm": None}, {"norm": "layer"}, {"norm": "batch", "lr": 0.15}], ids=str
)
def test_a_broken_experiment_does_not_reproduce(chapter, broken, monkeypatch):
    monkeypatch.setenv("BLOWUP_CURVES", str(ROOT / "book" / "curves"))
    settings = {"lr": 0.3} | broken
    curves = chapter["run"](chapter["network"](settings.pop("norm")), **settings)
    with pytest.raises(DoesNotReproduce):
        reproduce("batch-normalization-batch", curves)


def test_the_deep_network_without_norm_begins_to_learn_at_a_smaller_rate_with_some_seeds(chapter):
    """As the chapter says of its fourth arm, where no seed does at 0.05 in 45 steps."""
    curves = chapter["run"](chapter["network"](None, depth=80), lr=0.01, seeds=4, steps=300, every=50)
    best = curves.accuracy.max(axis=1)
    assert best.max() > 0.18 and best.max() < 0.6


def test_silu_leaves_the_premise_of_the_formula_and_larger_batches_do_not_bring_it_back(chapter):
    def measured(phi, batch, width):
        norms, _ = chapter["backward_norms"](chapter["over_batch"], batch=batch, width=width, phi=phi)
        return (2 * (norms[:, 3] / norms[:, 20]).log() / 17).mean().exp().item()

    assert measured(F.silu, 128, 192) > 1.03 * chapter["predicted_growth"](F.silu)
    assert measured(torch.relu, 128, 192) < 1.02 * chapter["predicted_growth"](torch.relu)
