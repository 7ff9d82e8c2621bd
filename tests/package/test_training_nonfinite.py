"""``first_nonfinite`` is what it says, member by member: train() looks at sums, the tests at every number."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.activations import NAMES
from blowup.networks import CNN, MLP
from blowup.optimizers import OPTIMIZERS
from blowup.training import batches, clipped, date, losses, norms, train
from tests.package.test_training import clusters

NETS = {
    "mlp": lambda activation, gain: MLP(6, 3, 3, 8, activation=activation, gain=gain),
    "batch": lambda activation, gain: MLP(6, 3, 2, 8, activation=activation, gain=gain, norm="batch"),
    "layer": lambda activation, gain: MLP(6, 3, 2, 8, activation=activation, gain=gain, norm="layer"),
    "cnn": lambda activation, gain: CNN(6, 3, (2,), activation=activation, gain=gain),
}
MEMBERS = 4


def by_every_number(net, x, y, steps, lr, optimizer, momentum, clip, weight_decay):
    """The definition: the first step at which the loss, a gradient or a parameter holds inf or nan."""
    params = net.init(MEMBERS, dtype=x.dtype)
    weights = [p.requires_grad_() for p in params.values()]
    lr, decay = (numbers.to(x.dtype) for numbers in (lr, torch.full((MEMBERS,), weight_decay)))
    taken = OPTIMIZERS[optimizer](weights, lr, momentum, decay)
    first = [-1] * MEMBERS
    for step, chosen in enumerate(batches(range(MEMBERS), len(y), 16, steps + 1)):
        loss = losses(net(params, x[chosen]), y[chosen])
        grads = torch.autograd.grad(loss.sum(), weights)
        for k in range(MEMBERS):
            numbers = torch.cat([loss[k].view(1), *(t[k].flatten() for t in (*weights, *grads))])
            if first[k] < 0 and not numbers.isfinite().all():
                first[k] = step
        if clip is not None:
            grads = clipped(grads, norms(grads), torch.full((MEMBERS,), clip, dtype=x.dtype))
        taken.step(weights, grads)
    return first


@settings(max_examples=80, deadline=None)
@given(
    kind=st.sampled_from(list(NETS)),
    activation=st.sampled_from(NAMES),
    gain=st.sampled_from([1.0, 30.0, 1e6, 1e15, 1e39]),
    scale=st.sampled_from([1e-3, 1.0, 1e10, 1e30]),
    lr=st.lists(st.floats(-50, 38).map(lambda e: 10**e), min_size=MEMBERS, max_size=MEMBERS),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    momentum=st.sampled_from([0.0, 0.3, 0.9]),
    clip=st.sampled_from([None, 1.0, 1e30]),
    weight_decay=st.sampled_from([0.0, 1.0, 1e20]),
    steps=st.integers(1, 8),
)
def test_the_first_step_is_that_of_a_look_at_every_number(kind, activation, gain, scale, lr, steps, **ways):
    net = NETS[kind](activation, gain)
    x, y = clusters(inputs=net.input_shape, dtype=torch.float32)
    curves = train(net, scale * x, y, MEMBERS, steps, lr, batch=16, every=3, **ways)
    expected = by_every_number(net, scale * x, y, steps, torch.tensor(lr, dtype=torch.float64), **ways)
    assert curves.first_nonfinite.tolist() == expected


def test_each_way_to_cease_to_be_finite_occurs_and_is_dated():
    """The draws above may miss one: weights at the start, a forward pass, weights after an update."""
    x, y = clusters(dtype=torch.float32)

    def first(activation, gain, lr, steps=4, **changes):
        net = MLP(6, 3, 3, 8, activation=activation, gain=gain)
        ways = {"optimizer": "sgd", "momentum": 0.0, "clip": None, "weight_decay": 0.0} | changes
        lr = torch.full((MEMBERS,), lr, dtype=torch.float64)
        found = train(net, x, y, MEMBERS, steps, lr, batch=16, **ways).first_nonfinite.tolist()
        assert found == by_every_number(net, x, y, steps, lr, **ways)
        return set(found)

    assert first("tanh", 1e39, 0.1) == {0}, "weights that float32 cannot hold"
    assert first("linear", 1e25, 1e-30) == {0}, "a forward pass that overflows"
    assert first("tanh", 1.0, 1e38, steps=3) <= {1, 2}, "weights that an update makes infinite"
    assert first("tanh", 1.0, 0.1) == {-1}


@pytest.mark.parametrize(
    ("loss", "gradient", "weight", "expected"),
    [
        (1.0, 1.0, 1.0, -1),
        (np.inf, 1.0, 1.0, 7),
        (np.nan, 1.0, np.nan, 7),
        (1.0, np.nan, np.nan, 7),
        (1.0, -np.inf, np.inf, 7),
        (1.0, 1.0, np.inf, 8),
        (1.0, 1.0, np.nan, 8),
        (1.0, 1.0, 3e38, -1),
    ],
)
def test_a_date(loss, gradient, weight, expected):
    """Two weights each; where both are 3e38, their sum overflows although they did not: nothing to date."""
    for last, then in ((20, expected), (7, -1 if expected == 8 else expected)):
        first = torch.tensor([-1, -1, 3])
        weights = [torch.ones(3, 1, 2), torch.ones(3, 1)]
        grads = [torch.ones(3, 1, 2), torch.ones(3, 1)]
        weights[0][1], grads[1][1] = weight, gradient
        weights[1][2] = np.nan  # dated long ago: left alone
        sums = sum(w.flatten(1).sum(1) for w in weights)
        date(first, 7, last, torch.tensor([1.0, loss, np.nan]), grads, weights, sums)
        assert first.tolist() == [-1, then, 3]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("momentum", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("wrong", [np.inf, -np.inf, np.nan])
def test_what_is_wrong_in_a_gradient_is_in_the_weights_after_the_update(optimizer, momentum, wrong):
    """The premise of date(): with the smallest rate there is, at the first update and at a later one."""
    for updates in (0, 3):
        p, lr = torch.ones(3, 4), torch.full((3,), 1e-45)
        taken = OPTIMIZERS[optimizer]([p], lr, momentum, torch.tensor([0.0, 0.5, 0.0]))
        for _ in range(updates):
            taken.step([p], [torch.randn(3, 4)])
        g = torch.ones(3, 4)
        g[1, 2] = wrong
        sums = taken.step([p], [g])
        assert not p[1, 2].isfinite() and p[[0, 2]].isfinite().all()
        assert sums.isfinite().tolist() == [True, False, True]
