"""What the chapter on clipping derives holds for other numbers, and its cells are the package's clipping."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.utils import clip_grad_norm_

from blowup.curves import DoesNotReproduce, load, reproduce
from blowup.data import memory
from blowup.recurrent import RNN
from blowup.training import clipped, norms, train
from tests import ROOT
from tests.chapters.cells import defined_in

PUBLISHED = ROOT / "book" / "curves"
double = torch.float64


@pytest.fixture(scope="module")
def chapter():
    """What the chapter's cells define, run from the cells themselves."""
    names = (
        "sigmoid cliff half s on_the_line gradient clip_by_norm descend by_value by_layer by_unit "
        "kept_and_turned r_values uncapped kept turned adam_steps"
    )
    return defined_in("gradient-clipping", *names.split())


gradients = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6)


@given(gradients, gradients, st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_the_cell_is_torchs_clipping_and_the_packages(chapter, first, second, tau):
    grads = [torch.tensor(first, dtype=double), torch.tensor(second, dtype=double)]
    ours, norm = chapter["clip_by_norm"](grads, tau)
    params = [torch.nn.Parameter(torch.zeros_like(g)) for g in grads]
    for p, g in zip(params, grads, strict=True):
        p.grad = g.clone()
    returned = clip_grad_norm_(params, tau)
    torch.testing.assert_close(norm, returned)
    stacked = [g[None] for g in grads]
    package = clipped(stacked, norms(stacked), torch.tensor([tau], dtype=double))
    for a, p, b in zip(ours, params, package, strict=True):
        torch.testing.assert_close(a, p.grad)
        torch.testing.assert_close(a, b[0])
    assert torch.cat(ours).norm() <= tau * (1 + 1e-12)


@given(st.floats(4.3, 6.5))
@settings(max_examples=40, deadline=None)
def test_the_gradient_on_the_wall_is_the_geometric_series(chapter, w):
    w = torch.tensor([w], dtype=double)
    b = 0.5 - w * chapter["s"]
    measured = chapter["gradient"](w, b)[1].norm()
    # The start is an unstable point: rounding grows like the derivative itself.
    assert abs(measured / chapter["on_the_line"](w.item()) - 1) < 1e-3


def test_no_clipped_step_on_the_cliff_is_longer_than_the_rate_times_the_threshold(chapter):
    w, b = torch.tensor([5.0], dtype=double), torch.tensor([-2.6], dtype=double)
    for tau in (0.3, 1.0):
        assert chapter["descend"](w, b, tau=tau, steps=40).diff(dim=0).norm(dim=2).max() <= 0.1 * tau
    assert chapter["descend"](w, b, steps=40).diff(dim=0).norm(dim=2).max() > 10


layers = st.lists(st.lists(st.floats(-100, 100), min_size=4, max_size=4), min_size=1, max_size=5)


@given(layers, st.floats(1e-3, 1e3))
@settings(max_examples=60, deadline=None)
def test_no_way_of_clipping_turns_by_90_degrees_or_lengthens(chapter, numbers, tau):
    grads = [torch.tensor(n, dtype=double).view(1, 2, 2) for n in numbers]
    if not any(g.abs().max() > 1e-3 for g in grads):
        return
    W = [torch.ones(1, 2, 2, dtype=double) for _ in grads]
    ways = (
        chapter["by_value"](grads, tau),
        chapter["by_layer"](grads, tau),
        chapter["by_unit"](grads, W, tau),
    )
    for result in ways:
        kept, angle = chapter["kept_and_turned"](grads, [g.nan_to_num() for g in result])
        assert kept <= 1 + 1e-9 and angle < 90
    assert all(g.norm() <= tau * (1 + 1e-9) for g in ways[1])
    assert all((g.norm(dim=1) <= tau * 2**0.5 * (1 + 1e-9)).all() for g in ways[2])


def test_gaussian_gradients_turn_by_the_angle_of_the_formula(chapter):
    z = torch.randn(400_000, dtype=double, generator=torch.Generator().manual_seed(5))
    for i in range(0, 60, 7):
        r = chapter["r_values"][i]
        c = z.clamp(-r, r)
        kept, cos = c.norm() / z.norm(), torch.cosine_similarity(z, c, dim=0).clamp(max=1)
        assert abs(kept - chapter["kept"][i]) < 4 / 400_000**0.5
        assert abs(torch.rad2deg(torch.arccos(cos)) - chapter["turned"][i]) < 0.4


@given(st.floats(0.05, 7.4))
@settings(max_examples=30, deadline=None)
def test_clipped_example_by_example_the_solution_moves_to_a_third_of_the_threshold(tau):
    x, w = torch.tensor([0.0, 0.0, 0.0, 10.0], dtype=double), torch.tensor(tau / 3, dtype=double)
    mean = (w - x).clamp(-tau, tau).mean()
    assert abs(mean) < 1e-12
    assert (w + 0.01 - x).clamp(-tau, tau).mean() > 0 > (w - 0.01 - x).clamp(-tau, tau).mean()


@given(st.floats(0.05, 0.95), st.floats(0.1, 10))
@settings(max_examples=8, deadline=None)
def test_momentum_steps_up_to_the_geometric_bound(momentum, tau):
    rng = torch.Generator().manual_seed(0)
    p = torch.nn.Parameter(torch.zeros(3, dtype=double))
    optimizer, longest = torch.optim.SGD([p], lr=1.0, momentum=momentum), 0.0
    for step in range(200):
        before = p.detach().clone()
        wild = torch.randn(3, dtype=double, generator=rng) * 100
        p.grad = wild if step < 100 else torch.full((3,), 50.0, dtype=double)
        clip_grad_norm_([p], tau)
        optimizer.step()
        longest = max(longest, (p.detach() - before).norm().item())
    assert longest <= tau / (1 - momentum) * (1 + 1e-9)
    assert longest > 0.85 * tau / (1 - momentum) * (1 - momentum**100)


@pytest.mark.parametrize("tau", [1.0, 0.01])
def test_adam_does_not_see_a_threshold_that_clips_all_alike_but_sees_a_spike(chapter, tau):
    held = chapter["adam_steps"](tau=tau, at=200, steps=240)
    assert max(abs(length - 1) for length in held) < 1e-5
    free = chapter["adam_steps"](at=200, steps=240)
    assert max(free) > 1.4 and free[-1] < 0.5


def test_the_published_arms_say_what_the_text_says():
    counts = {
        "unclipped": 0,
        "clipped": 14,
        "small-rate": 10,
        "adam": 11,
        "orthogonal": 2,
        "orthogonal-clipped": 15,
    }
    text = (ROOT / "book" / "gradient-clipping.ipynb").read_text()
    for arm, count in counts.items():
        curves = load(PUBLISHED / f"gradient-clipping-{arm}.csv")
        assert curves.accuracy.shape[0] == 16 and (curves.accuracy[:, -1] > 0.9).sum() == count
    words = "none of our sixteen published", "fourteen do", "gets ten seeds", "Adam eleven", "two of sixteen"
    words += ("fifteen of the sixteen learn",)
    assert all(said in text for said in words)


def arm(**changes):
    task = memory(length=30, classes=4, n=1000)
    settings = {"lr": 0.03, "clip": 1.0, **changes}
    return train(
        RNN(4, 4, 30, 20, gain=1.4), task.x_train, task.y_train, x_test=task.x_test, y_test=task.y_test,
        seeds=16, steps=250, momentum=0.9, batch=20, **settings,
    )  # fmt: skip


def test_the_clipped_arm_reproduces(monkeypatch):
    monkeypatch.setenv("BLOWUP_CURVES", str(PUBLISHED))
    reproduce("gradient-clipping-clipped", arm())


@pytest.mark.parametrize("changes", [{"clip": None}, {"clip": 0.2}], ids=str)
def test_a_broken_arm_does_not_reproduce(monkeypatch, changes):
    monkeypatch.setenv("BLOWUP_CURVES", str(PUBLISHED))
    with pytest.raises(DoesNotReproduce):
        reproduce("gradient-clipping-clipped", arm(**changes))


def test_while_all_is_clipped_only_the_product_of_rate_and_threshold_counts():
    task = memory(length=10, n=400)
    net = RNN(4, 4, 10, 12, gain=1.4)
    curves = train(
        net, task.x_train.double(), task.y_train, seeds=[0, 0, 0], steps=30, batch=20,
        lr=[0.1, 0.01, 0.1], clip=[0.01, 0.1, 0.02],
    )  # fmt: skip
    assert curves.grad_norm[:2].min() > 0.1
    np.testing.assert_allclose(curves.loss[0], curves.loss[1], rtol=1e-4)
    assert abs(curves.loss[0, -1] / curves.loss[2, -1] - 1) > 1e-2


@pytest.mark.parametrize("kind, more", [("SGD", {}), ("SGD", {"momentum": 0.9}), ("Adam", {})], ids=str)
def test_zeros_stop_plain_descent_alone(kind, more):
    p = torch.nn.Parameter(torch.zeros(2))
    optimizer = getattr(torch.optim, kind)([p], lr=0.1, **more)
    for grad in [[1.0, 1.0]] * 5 + [[3e19, 4e19]]:
        before, p.grad = p.detach().clone(), torch.tensor(grad)
        clip_grad_norm_([p], 1.0)
        optimizer.step()
    moved = (p.detach() - before).norm()
    assert moved == 0 if kind == "SGD" and not more else moved > 0.1


@pytest.mark.parametrize("beta_1, beta_2", [(0.9, 0.999), (0.8, 0.99)])
def test_adam_reaches_the_bound_of_cauchy_and_schwarz_and_never_passes_it(beta_1, beta_2):
    """The worst gradients grow by beta_2/beta_1 a step, which is where Cauchy-Schwarz holds with equality."""
    bound = (1 - beta_1) / (1 - beta_2) ** 0.5 / (1 - beta_1**2 / beta_2) ** 0.5
    p, longest = torch.nn.Parameter(torch.zeros(1, dtype=double)), 0.0
    optimizer = torch.optim.Adam([p], lr=1.0, betas=(beta_1, beta_2), eps=1e-300)
    quiet = 4000  # steps until Adam's corrections for its empty memory have faded
    for step in range(quiet + 200):
        before = p.item()
        growth = (beta_2 / beta_1) ** (step - quiet)
        p.grad = torch.full((1,), growth if step >= quiet else 1e-9, dtype=double)
        optimizer.step()
        longest = max(longest, abs(p.item() - before))
    assert 0.98 * bound < longest <= bound * (1 + 1e-9)


def test_a_norm_that_overflows_becomes_zeros_in_torch_and_in_train():
    g = torch.tensor([3e19, 4e19])
    p = torch.nn.Parameter(torch.zeros(2))
    p.grad = g.clone()
    assert clip_grad_norm_([p], 1.0) == math.inf and not p.grad.any()
    assert not clipped([g[None]], norms([g[None]]), torch.tensor([1.0]))[0].any()
