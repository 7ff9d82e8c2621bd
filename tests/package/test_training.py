"""Training an ensemble is training each seed alone, exactly as torch.optim would."""

import math
import os
import pty
import subprocess
import sys
import termios

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from blowup.networks import CNN, MLP
from blowup.training import batches, train


def clusters(n=60, inputs=(6,), classes=3, dtype=torch.float64, seed=0):
    """Gaussian clusters that a network can learn: x (n, *inputs), y (n,)."""
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % classes
    centers = 2 * torch.randn(classes, *inputs, generator=generator, dtype=dtype)
    return centers[y] + torch.randn(n, *inputs, generator=generator, dtype=dtype), y


def plain_module(net, params, k):
    """Member k of ``net`` as an ordinary nn.Module."""
    layers = []
    for name in net.layer_names:
        W, b = params[f"{name}.W"][k], params[f"{name}.b"][k]
        if W.dim() == 4:
            layer = nn.Conv2d(W.shape[1], W.shape[0], 3, padding=1, dtype=W.dtype)
            after = [nn.ReLU(), nn.MaxPool2d(2)]
        else:
            layer, W = nn.Linear(*W.shape, dtype=W.dtype), W.T
            layers += [nn.Flatten()] if name == "readout" else []
            after = [] if name == "readout" else [nn.Tanh()]
        with torch.no_grad():
            layer.weight.copy_(W), layer.bias.copy_(b.reshape(-1))
        layers += [layer, *after]
    return nn.Sequential(*layers)


def plain_loop(net, x, y, seeds, steps, batch, make_optimizer, clip=None):
    """The straightforward loop: losses, global gradient norms, update norms, each (seeds, steps + 1)."""
    params, order = net.init(seeds, dtype=x.dtype), batches(seeds, len(y), batch, steps + 1)
    x = x[:, None] if len(net.input_shape) == 2 else x
    record = []
    for k in range(len(seeds)):
        module = plain_module(net, params, k)
        optimizer, rows = make_optimizer(module.parameters()), []
        for step in range(steps + 1):
            chosen = order[step, k]
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(module(x[chosen]), y[chosen])
            loss.backward()
            norm = nn.utils.clip_grad_norm_(module.parameters(), math.inf if clip is None else clip)
            before = [p.detach().clone() for p in module.parameters()]
            optimizer.step()
            move = [(p.detach() - q).square().sum() for p, q in zip(module.parameters(), before, strict=True)]
            rows.append((loss.item(), norm.item(), sum(move).sqrt().item()))
        record.append(rows)
    return np.array(record).transpose(2, 0, 1)


WAYS = [
    ({"momentum": 0.0}, lambda p: torch.optim.SGD(p, lr=0.1)),
    ({}, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    ({"weight_decay": 0.05}, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.05)),
    ({"clip": 0.3}, lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    ({"optimizer": "adam"}, lambda p: torch.optim.Adam(p, lr=0.1)),
    (
        {"optimizer": "adam", "weight_decay": 0.05, "clip": 0.3, "momentum": 0.8},
        lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.8, 0.999), weight_decay=0.05),
    ),
]


@pytest.mark.parametrize("net", [MLP(6, 3, 3, 8), CNN(8, 3, (2, 3))], ids=["mlp", "cnn"])
@pytest.mark.parametrize(("settings", "make_optimizer"), WAYS, ids=[" ".join(w[0]) or "sgd" for w in WAYS])
def test_every_update_is_that_of_torch_optim(net, settings, make_optimizer):
    x, y = clusters(inputs=net.input_shape)
    curves = train(net, x, y, seeds=[5, 0, 7], steps=25, lr=0.1, batch=16, every=1, **settings)
    expected = plain_loop(net, x, y, [5, 0, 7], 25, 16, make_optimizer, settings.get("clip"))
    for ours, plain in zip((curves.loss, curves.grad_norm, curves.update_norms), expected, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-10, atol=1e-10)
    assert (curves.grad_norm > 0.3).any(), "the clip must have had something to do"


@pytest.mark.parametrize("net", [MLP(6, 3, 4, 16), CNN(8, 3, (4, 4))], ids=["mlp", "cnn"])
def test_a_seed_alone_gives_the_curve_it_gives_among_sixteen(net):
    x, y = clusters(inputs=net.input_shape)
    among, alone = (train(net, x, y, seeds=s, steps=40, lr=0.05, every=5) for s in (16, [3]))
    for name in ("loss", "accuracy", "grad_norms", "update_norms"):
        np.testing.assert_allclose(getattr(among, name)[3], getattr(alone, name)[0], rtol=1e-9)
    among, alone = (train(net, x.float(), y, seeds=s, steps=10, lr=0.05) for s in (16, [3]))
    np.testing.assert_allclose(among.loss[3], alone.loss[0], rtol=1e-4)
    assert len({tuple(row) for row in among.loss}) == 16, "seeds must differ"


def test_one_setting_for_each_member_is_as_many_runs_in_one_call():
    x, y = clusters()
    sets = torch.stack([x, 10 * x, 0.1 * x])
    kinds = {"lr": [0.01, 0.1, 0.03], "clip": [0.1, 5.0, 1.0]}
    together = train(
        MLP(6, 3, 2, 8, gain=[1, 2, 0.5]), sets, y, [2, 2, 9], 20, x_test=sets, y_test=y, **kinds
    )
    for k, seed in enumerate((2, 2, 9)):
        own = {name: values[k] for name, values in kinds.items()}
        alone = train(MLP(6, 3, 2, 8, gain=[1, 2, 0.5][k]), sets[k], y, [seed], 20, **own)
        np.testing.assert_allclose(together.loss[k], alone.loss[0], rtol=1e-9)
        np.testing.assert_allclose(together.accuracy[k], alone.accuracy[0])


def test_an_overflow_stays_with_its_member_and_is_dated():
    x, y = clusters(dtype=torch.float32)
    net = MLP(6, 3, 3, 8, activation="relu", gain=2**0.5)
    settings = {"seeds": [0, 1, 2], "steps": 30, "every": 1, "momentum": 0.0}
    sane = train(net, x, y, lr=0.05, **settings)
    mixed = train(net, x, y, lr=[0.05, 1e12, 0.05], **settings)
    for name in ("loss", "accuracy", "grad_norms", "update_norms"):
        np.testing.assert_array_equal(getattr(mixed, name)[[0, 2]], getattr(sane, name)[[0, 2]])
    assert list(sane.first_nonfinite) == [-1, -1, -1]
    first = mixed.first_nonfinite[1]
    assert list(mixed.first_nonfinite[[0, 2]]) == [-1, -1] and 0 < first < 10
    assert np.isfinite(mixed.loss[1, :first]).all() and np.isfinite(mixed.grad_norms[1, :first]).all()
    assert not np.isfinite(mixed.loss[1, first + 1 :]).any()
    assert mixed.accuracy[1, -1] == (y == 0).double().mean().item()


def test_a_parameter_that_overflows_is_noticed_even_where_tanh_hides_it():
    x, y = clusters(dtype=torch.float32)
    curves = train(MLP(6, 3, 1, 8), 100 * x, y, seeds=4, steps=3, lr=1e38, every=1)
    assert (curves.first_nonfinite == 1).all()


def test_a_norm_whose_square_overflows_is_measured_and_not_called_infinite():
    x, y = clusters(dtype=torch.float32)
    gain = 1e4
    net = MLP(6, 3, 7, 8, activation="linear", gain=gain)
    curves = train(net, x, y, seeds=4, steps=1, lr=1e-30, every=1)
    double = train(net, x.double(), y, seeds=4, steps=1, lr=1e-30, every=1)
    assert curves.grad_norm[:, 0].min() > 1e20, "a norm that float32 cannot square"
    assert (curves.first_nonfinite == -1).all()
    np.testing.assert_allclose(curves.grad_norms[:, 0], double.grad_norms[:, 0], rtol=1e-3)


def test_it_learns_and_records_from_before_the_first_update_to_after_the_last():
    x, y = clusters(n=90, dtype=torch.float32)
    curves = train(MLP(6, 3, 2, 16), x[:60], y[:60], 8, 45, x_test=x[60:], y_test=y[60:], every=20)
    assert list(curves.steps) == [0, 20, 40, 45] and curves.grad_norms.shape == (8, 4, 3)
    assert curves.accuracy[:, 0].mean() < 0.7 < 0.9 < curves.accuracy[:, -1].mean()
    assert curves.layers == ("layer 1", "layer 2", "readout")


@settings(max_examples=40, deadline=None)
@given(n=st.integers(1, 40), batch=st.integers(1, 50), steps=st.integers(1, 30), seed=st.integers(0, 2**31))
def test_batches_are_shuffled_epochs(n, batch, steps, seed):
    order = batches([seed, seed, seed + 1], n, batch, steps)
    size = min(n, batch)
    assert order.shape == (steps, 3, size) and torch.equal(order[:, 0], order[:, 1])
    epoch = n // size
    for start in range(0, steps, epoch):
        seen = order[start : start + epoch, 0].flatten().tolist()
        assert len(set(seen)) == len(seen) and set(seen) <= set(range(n))


@settings(max_examples=15, deadline=None)
@given(steps=st.integers(1, 12), every=st.integers(1, 15), seeds=st.integers(1, 3), depth=st.integers(0, 3))
def test_shapes_follow_from_the_arguments(steps, every, seeds, depth):
    x, y = clusters(n=10)
    curves = train(MLP(6, 3, depth, 4), x, y, seeds, steps, every=every)
    assert curves.steps[0] == 0 and curves.steps[-1] == steps
    assert curves.grad_norms.shape == (seeds, len({*range(0, steps, every), steps}), depth + 1)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs an NVIDIA GPU")
@pytest.mark.parametrize("net", [MLP(6, 3, 4, 16), CNN(8, 3, (4, 4))], ids=["mlp", "cnn"])
def test_a_gpu_gives_the_same_curves(net):
    x, y = clusters(inputs=net.input_shape)
    here, there = (train(net, x, y, 4, 20, clip=1.0, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(here.loss, there.loss, rtol=1e-8)
    np.testing.assert_allclose(here.grad_norms, there.grad_norms, rtol=1e-8)


BAD = {
    "seeds: ": {"seeds": 0},
    "steps: expected an integer of at least 1": {"steps": 0},
    "every: ": {"every": 0},
    "batch: ": {"batch": 0},
    "lr: expected finite numbers above 0": {"lr": -0.1},
    "lr: expected 1 or 2 numbers": {"lr": [0.1, 0.1, 0.1]},
    "clip: expected finite numbers above 0": {"clip": 0.0},
    "momentum: must be at least 0 and below 1": {"momentum": 1.0},
    "weight_decay: expected finite numbers of at least 0": {"weight_decay": -1.0},
    "optimizer: unknown 'sdg'; known are sgd, adam": {"optimizer": "sdg"},
    "x_test and y_test: give both": {"x_test": torch.ones(3, 6)},
    r"x: expected \(n, 6\)": {"x": torch.ones(60, 7)},
    r"x: expected .* got \(3, 60, 6\)": {"x": torch.ones(3, 60, 6)},
    "x: must be finite, but 360 numbers": {"x": torch.full((60, 6), math.nan)},
    "x: holds no examples": {"x": torch.ones(0, 6)},
    "y: expected one class for each of 60 examples": {"y": torch.zeros(59)},
    "y: expected whole numbers from 0 to 2": {"y": torch.full((60,), 3)},
    "y: expected whole numbers": {"y": torch.full((60,), math.nan)},
}


@pytest.mark.parametrize("said", BAD)
def test_bad_input_is_named(said):
    x, y = clusters()
    with pytest.raises(ValueError, match=said):
        train(**{"net": MLP(6, 3, 1, 4), "x": x, "y": y, "seeds": 2, "steps": 2, **BAD[said]})


RUN = """
import torch
from blowup.networks import MLP
from blowup.training import train
curves = train(MLP(6, 3, 2, 8), torch.ones(40, 6), torch.zeros(40), seeds=2, steps=20)
"""
STATIC = "import os; os.environ['BLOWUP_STATIC'] = '1'" + RUN


def test_the_progress_bar_leaves_one_line_in_a_terminal_and_none_in_the_book(monkeypatch):
    monkeypatch.delenv("BLOWUP_STATIC", raising=False)
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 80))
    subprocess.run([sys.executable, "-c", RUN + STATIC], stderr=theirs, stdout=theirs, check=True)
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 4096):
            text += piece
    except OSError:  # the terminal is closed
        pass
    os.close(ours)
    lines = text.decode().replace("\r\n", "\n").split("\n")
    assert len(lines) == 2 and lines[1] == "", "one line, and it is ended"
    assert "2 seeds: 100%" in lines[0].rstrip("\r").split("\r")[-1]


def test_the_progress_bar_is_silent_where_nobody_looks_on(capfd):
    exec(RUN, {})
    assert capfd.readouterr() == ("", "")


def test_the_progress_bar_is_one_widget_in_a_live_notebook_and_nothing_in_the_book(monkeypatch):
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.delenv("BLOWUP_STATIC", raising=False)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in (RUN, STATIC)])
    NotebookClient(notebook, kernel_name="python3", timeout=120).execute()
    live, still = (cell.outputs for cell in notebook.cells)
    assert [output.output_type for output in live] == ["display_data"] and still == []
    widgets = notebook.metadata.widgets["application/vnd.jupyter.widget-state+json"]["state"].values()
    bars = [w["state"] for w in widgets if w["model_name"] == "FloatProgressModel"]
    assert [(w["value"], w["max"], w["bar_style"]) for w in bars] == [(20, 20, "success")]
