"""The recurrent network is torch's, member by member, and its task cannot be solved without memory."""

import math

import pytest
import torch

from blowup.data import memory
from blowup.recurrent import RNN
from blowup.training import train


def test_it_is_torchs_recurrent_network_in_values_and_gradients():
    net = RNN(inputs=3, classes=2, length=7, width=5, gain=[0.7, 1.5])
    params = {name: p.requires_grad_() for name, p in net.init(2, dtype=torch.float64).items()}
    with torch.no_grad():
        for name in params:
            if name.endswith("b"):
                params[name].normal_(generator=torch.Generator().manual_seed(1))
    x = torch.randn(2, 4, 7, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    logits = net(params, x)
    assert logits.shape == (2, 4, 2) and net.layer_names == ("input", "recurrent", "readout")
    ours = torch.autograd.grad(logits.square().sum(), list(params.values()))
    for k in range(2):
        cell = torch.nn.RNN(3, 5, batch_first=True, dtype=torch.float64)
        with torch.no_grad():
            cell.weight_ih_l0.copy_(params["input.W"][k].T)
            cell.weight_hh_l0.copy_(params["recurrent.W"][k].T)
            cell.bias_ih_l0.copy_(params["input.b"][k, 0])
            cell.bias_hh_l0.copy_(params["recurrent.b"][k, 0])
        last = cell(x[k])[0][:, -1]
        expected = last @ params["readout.W"][k].detach() + params["readout.b"][k].detach()
        torch.testing.assert_close(logits[k], expected)
        expected.square().sum().backward()
        grads = dict(zip(params, ours, strict=True))
        torch.testing.assert_close(grads["input.W"][k].T, cell.weight_ih_l0.grad)
        torch.testing.assert_close(grads["recurrent.W"][k].T, cell.weight_hh_l0.grad)
        torch.testing.assert_close(grads["recurrent.b"][k, 0], cell.bias_hh_l0.grad)


def test_the_gain_scales_the_recurrent_weights_alone_and_a_seed_is_a_seed():
    one, mixed = RNN(4, 3, 5, 30).init([7, 7, 7]), RNN(4, 3, 5, 30, gain=[1.0, 3.0, 0.0]).init([7, 7, 7])
    scale = torch.tensor([1.0, 3.0, 0.0])[:, None, None]
    torch.testing.assert_close(mixed["recurrent.W"], one["recurrent.W"] * scale)
    assert torch.equal(mixed["input.W"], one["input.W"]) and torch.equal(mixed["readout.W"], one["readout.W"])
    alone = RNN(4, 3, 5, 30, gain=2.0).init([3], dtype=torch.float64)
    among = RNN(4, 3, 5, 30, gain=2.0).init(5)
    for name in alone:
        torch.testing.assert_close(alone[name][0].float(), among[name][3])


def test_weights_have_the_variance_they_promise():
    params = RNN(inputs=30, classes=7, length=2, width=50, gain=1.7).init(40)
    for name, fan_in, gain in (("input", 30, 1.0), ("recurrent", 50, 1.7), ("readout", 50, 1.0)):
        W = params[f"{name}.W"].double()
        assert abs(W.var() / (gain**2 / fan_in) - 1) < 4 * math.sqrt(2 / W.numel())
        assert not params[f"{name}.b"].any()


def test_orthogonal_weights_are_orthogonal_and_of_both_signs():
    W = RNN(4, 3, 5, 30, gain=1.5, orthogonal=True).init(12, dtype=torch.float64)["recurrent.W"]
    torch.testing.assert_close(W @ W.mT, 2.25 * torch.eye(30, dtype=torch.float64).expand(12, 30, 30))
    signs = torch.linalg.det(W).sign()
    assert -12 < signs.sum() < 12
    # Uniform over the orthogonal matrices: the mean diagonal entry is 0, as its rotation says.
    diagonal = W.diagonal(dim1=1, dim2=2)
    assert abs(diagonal.mean()) < 4 * diagonal.std() / diagonal.numel() ** 0.5


def test_a_member_of_nan_leaves_the_others_alone():
    net = RNN(3, 2, 6, 4)
    params = net.init(3)
    broken = {name: p.clone() for name, p in params.items()}
    for p in broken.values():
        p[1] = math.nan
    x = torch.randn(3, 5, 6, 3, generator=torch.Generator().manual_seed(0))
    whole, part = net(params, x), net(broken, x)
    assert part[1].isnan().all() and torch.equal(whole[[0, 2]], part[[0, 2]])


def test_train_takes_it_unchanged_and_it_learns_a_short_memory():
    d = memory(length=4, n=400)
    curves = train(
        RNN(4, 4, 4, 16), d.x_train, d.y_train, x_test=d.x_test, y_test=d.y_test, steps=100, lr=0.05, clip=1.0
    )
    assert curves.layers == ("input", "recurrent", "readout") and curves.grad_norms.shape[2] == 3
    assert curves.accuracy[:, -1].min() > 0.95


def test_only_the_first_symbol_tells():
    d = memory(length=9, classes=5, n=4000, noise=0.3, seed=3)
    assert d.x_train.shape == (3000, 9, 5) and d.x_test.shape == (1000, 9, 5)
    assert torch.equal(d.x_train[:, 0], torch.eye(5)[d.y_train])
    later = d.x_train[:, 1:]
    assert abs(later.std() - 0.3) < 0.01
    means = torch.stack([later[d.y_train == k].mean(0) for k in range(5)])  # nothing in them about y
    assert means.abs().max() < 5 * 0.3 / (3000 / 5) ** 0.5
    assert not torch.equal(memory(seed=1).x_train, memory(seed=0).x_train)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: RNN(0, 3, 2, 6), "inputs: .*at least 1"),
        (lambda: RNN(3, 3, 0, 6), "length: .*at least 1"),
        (lambda: RNN(3, 3, 2, 6, activation="tan"), "activation.*tanh"),
        (lambda: RNN(3, 3, 2, 6, gain=-1.0).init(2), "gain: expected finite numbers of at least 0"),
        (lambda: RNN(3, 3, 2, 6, gain=[1.0, 2.0]).init(3), "gain: expected 1 or 3"),
        (lambda: memory(length=0), "length: expected an integer of at least 1, got 0"),
        (lambda: memory(noise=-1.0), "noise: expected a finite number of at least 0, got -1.0"),
    ],
)
def test_bad_input_is_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
