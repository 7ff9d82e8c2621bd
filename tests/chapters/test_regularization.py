"""The chapter "Regularization": its derivations against autograd and torch, its cells against the package."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blowup.curves import DoesNotReproduce, load, reproduce
from blowup.networks import MLP
from blowup.optimizers import SGD, Adam, AdamW
from blowup.training import batches, clipped, losses, norms, train
from tests import ROOT
from tests.chapters.cells import defined_in, standardized_digits

CHAPTER = "regularization"
ARMS = ("undecayed", "decayed", "small-rate", "clipped")
WAYS = {
    "sgd": lambda p, wd: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=wd),
    "adam": lambda p, wd: torch.optim.Adam(p, lr=0.1, betas=(0.9, 0.999), weight_decay=wd),
    "adamw": lambda p, wd: torch.optim.AdamW(p, lr=0.1, betas=(0.9, 0.999), weight_decay=wd),
}
OURS = {"sgd": SGD, "adam": Adam, "adamw": AdamW}


def run(**changes):
    """One arm of "Before and after", as in the chapter, for other seeds or with something broken."""
    settings_ = {"seeds": 16, "steps": 500, "lr": 0.08, "every": 20} | changes
    return train(WIDE, **standardized_digits(), **settings_)


@pytest.mark.parametrize("kind", WAYS)
def test_decay_of_each_member_is_that_of_torch_optim(kind):
    """Three members with their own decay, against three optimizers of torch, over 30 steps."""
    generator = torch.Generator().manual_seed(0)
    decays = torch.tensor([0.0, 0.05, 0.7], dtype=torch.float64)
    start = [torch.randn(3, *shape, dtype=torch.float64, generator=generator) for shape in ((4, 2), (1, 2))]
    stacked = [p.clone() for p in start]
    ours = OURS[kind](stacked, torch.full((3,), 0.1, dtype=torch.float64), 0.9, decays)
    alone = [[p[k].clone().requires_grad_() for p in start] for k in range(3)]
    theirs = [WAYS[kind](params, decays[k].item()) for k, params in enumerate(alone)]
    for _ in range(30):
        grads = [torch.randn(p.shape, dtype=torch.float64, generator=generator) for p in stacked]
        ours.step(stacked, grads)
        for k, optimizer in enumerate(theirs):
            for p, g in zip(alone[k], grads, strict=True):
                p.grad = g[k].clone()
            optimizer.step()
    for k in range(3):
        for p, q in zip(stacked, alone[k], strict=True):
            torch.testing.assert_close(p[k], q.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("kind", WAYS)
def test_no_decay_changes_no_bit(kind):
    digits = standardized_digits()
    x, y = digits["x"], digits["y"]
    net, settings_ = MLP(64, 10, 2, 8), {"seeds": 3, "steps": 5, "lr": 0.01, "every": 1, "optimizer": kind}
    plain, zero = train(net, x, y, **settings_), train(net, x, y, weight_decay=[0, 0, 0], **settings_)
    mixed = train(net, x, y, weight_decay=[0, 1.0, 0], **settings_)
    for name in ("loss", "grad_norms", "update_norms"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(zero, name))
        np.testing.assert_array_equal(getattr(plain, name)[[0, 2]], getattr(mixed, name)[[0, 2]])
    assert (plain.loss[1] != mixed.loss[1]).any()


def test_a_decay_for_each_member_is_as_many_runs_in_one_call():
    digits = standardized_digits()
    x, y = digits["x"], digits["y"]
    net, decays = MLP(64, 10, 2, 8), [0.0, 0.5, 0.1]
    for kind in WAYS:
        settings_ = {"steps": 20, "lr": 0.01, "optimizer": kind}
        together = train(net, x.double(), y, [4, 4, 1], weight_decay=decays, **settings_)
        for k, seed in enumerate((4, 4, 1)):
            alone = train(net, x.double(), y, [seed], weight_decay=decays[k], **settings_)
            np.testing.assert_allclose(together.loss[k], alone.loss[0], rtol=1e-9)
    with pytest.raises(ValueError, match="weight_decay: expected 1 or 3 numbers"):
        train(net, x, y, 3, weight_decay=[0.1, 0.2])


@pytest.mark.parametrize("lam", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("decoupled", [False, True], ids=["L2", "decoupled"])
def test_the_adam_of_the_chapter_is_torchs_and_the_packages(lam, decoupled):
    path = defined_in(CHAPTER, "adam")["adam"](lam, decoupled)
    w = torch.ones(1, dtype=torch.float64, requires_grad=True)
    theirs = (torch.optim.AdamW if decoupled else torch.optim.Adam)([w], lr=0.01, weight_decay=lam)
    ours, numbers = [torch.ones(1, 1, dtype=torch.float64)], torch.tensor([0.01, lam], dtype=torch.float64)
    package = (AdamW if decoupled else Adam)(ours, numbers[:1], 0.9, numbers[1:])
    for expected in path[1:]:
        w.grad = torch.zeros_like(w)
        theirs.step()
        package.step(ours, [torch.zeros(1, 1, dtype=torch.float64)])
        assert abs(w.item() - expected) < 1e-9 and abs(ours[0].item() - expected) < 1e-9


@settings(max_examples=25, deadline=None)
@given(lam=st.floats(1e-3, 10), lr=st.floats(1e-3, 0.2), seed=st.integers(0, 2**31))
def test_the_penalty_needs_twice_its_number_as_weight_decay(lam, lr, seed):
    generator = torch.Generator().manual_seed(seed)
    W = torch.randn(3, 2, dtype=torch.float64, generator=generator)
    for factor, same in ((2, True), (1, False)):
        p = W.clone().requires_grad_()
        optimizer = torch.optim.SGD([p], lr=lr, weight_decay=factor * lam)
        p.sin().sum().backward()
        optimizer.step()
        by_hand = (1 - 2 * lr * lam) * W - lr * W.cos()
        assert torch.allclose(p.detach(), by_hand, rtol=1e-9, atol=1e-12) == same


@settings(max_examples=25, deadline=None)
@given(c=st.floats(0.1, 10), seed=st.integers(0, 2**31))
def test_the_laws_of_scale_invariant_weights(c, seed):
    """∇L ⟂ w, ∇L(cw) = ∇L(w)/c, H(cw) = H(w)/c², for the normalized layer of the chapter."""
    loss = defined_in(CHAPTER, "normalized_loss")["normalized_loss"]
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(12, 4, dtype=torch.float64, generator=generator)
    W = torch.randn(4, 3, dtype=torch.float64, generator=generator)
    y = torch.randint(0, 3, (12,), generator=generator)
    gradient = torch.func.grad(loss)
    g, scaled = gradient(W, x, y), gradient(c * W, x, y)
    scale = g.norm() * W.norm()
    assert (g * W).sum(0).abs().max() < 1e-10 * scale
    assert (scaled * c - g).norm() < 1e-9 * g.norm() + 1e-14
    H, Hc = (torch.func.hessian(loss)(V, x, y) for V in (W, c * W))
    assert (Hc * c**2 - H).norm() < 1e-8 * H.norm()


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(1e-4, 0.2), decay=st.floats(1e-3, 2.0), G=st.floats(0.1, 10))
def test_length_and_angle_of_the_balance(rate, decay, G):
    """Decay and a perpendicular gradient G/‖w‖ in the plane: at the balance the formulas are exact."""
    length = (rate**2 * G**2 / (1 - (1 - rate * decay) ** 2)) ** 0.25
    w = np.array([length, 0.0])
    after = (1 - rate * decay) * w - rate * np.array([0.0, G / length])
    assert math.isclose(np.hypot(*after), length, rel_tol=1e-9)
    cosine = after @ w / length**2
    assert math.isclose(cosine, 1 - rate * decay, rel_tol=1e-9)
    if rate * decay < 1e-3:
        assert math.isclose(math.acos(cosine), math.sqrt(2 * rate * decay), rel_tol=1e-3)
        assert math.isclose(length**4, rate * G**2 / (2 * decay), rel_tol=1e-3)


@settings(max_examples=20, deadline=None)
@given(h=st.floats(0.5, 20), mu=st.floats(0, 2), share=st.sampled_from([0.97, 1.03]))
def test_the_stable_rate_under_a_gradient_penalty(h, mu, share):
    survives = defined_in(CHAPTER, "survives")["survives"]
    rate = torch.tensor([share * 2 / (h + 2 * mu * h * h)], dtype=torch.float64)
    assert survives(rate, mu, h).item() == (share < 1)


def test_the_spectral_layer_of_the_chapter_has_norm_one_and_torchs_gradient():
    unit_norm = defined_in(CHAPTER, "unit_norm")["unit_norm"]
    generator = torch.Generator().manual_seed(0)
    W = torch.randn(3, 6, 5, dtype=torch.float64, generator=generator).requires_grad_()
    u = torch.ones(3, 1, 5, dtype=torch.float64)
    for _ in range(500):
        unit, u = unit_norm(W, u)
    torch.testing.assert_close(torch.linalg.matrix_norm(unit, 2), torch.ones(3, dtype=torch.float64))
    probe = torch.randn(3, 6, 5, dtype=torch.float64, generator=generator)
    (ours,) = torch.autograd.grad((unit * probe).sum(), W, retain_graph=True)
    (exact,) = torch.autograd.grad((W / torch.linalg.matrix_norm(W, 2)[:, None, None] * probe).sum(), W)
    torch.testing.assert_close(ours, exact, rtol=1e-6, atol=1e-9)


def test_the_checkpoint_of_the_chapter_keeps_the_best_and_rolls_back():
    """Scores 0.5, 0.9, then a fall to 0.4 and a nan: the weights of 0.9 come back, the velocity stops."""
    names = defined_in(CHAPTER, "check")
    names |= {"network": None, "x_held": None, "y_held": None}
    params, velocity = {"W": torch.tensor([[1.0], [1.0]])}, [torch.ones(2, 1)]
    kept, best = [params["W"].clone()], torch.zeros(2, dtype=torch.float64)
    for score, weights in (([0.5, 0.5], [2.0, 2.0]), ([0.9, 0.7], [3.0, 3.0]), ([0.4, 0.1], [4.0, math.nan])):
        params["W"].copy_(torch.tensor(weights)[:, None])
        names["accuracy"] = lambda *_, score=score: torch.tensor(score, dtype=torch.float64)
        fallen = names["check"](params, velocity, kept, best)
    assert fallen.all() and best.tolist() == [0.9, 0.7]
    assert params["W"].flatten().tolist() == [3.0, 3.0] and not velocity[0].any()


class Remembers(MLP):
    """The network of the chapter, which keeps hold of the parameters that train() updates in place."""

    def init(self, *arguments, **settings_):
        self.params = super().init(*arguments, **settings_)
        return self.params


WIDE = Remembers(64, 10, depth=5, width=32, activation="relu", gain=2**0.5)


@pytest.fixture(scope="module")
def fresh():
    """The undecayed and the decayed arm with other seeds than the published."""
    return {
        "decayed": run(seeds=range(100, 116), weight_decay=0.005),
        "undecayed": run(seeds=range(100, 116)),
    }


@pytest.fixture(scope="module")
def most_common(fresh):
    """Share of the test images that get a seed's most common answer after the undecayed run, (16,)."""
    x_test = standardized_digits()["x_test"]
    with torch.no_grad():
        answers = WIDE(WIDE.params, x_test.expand(16, *x_test.shape)).argmax(2)
    return (answers == answers.mode(dim=1, keepdim=True).values).double().mean(1).numpy()


def at_work(curves):
    return (curves.accuracy[:, -3:] >= 0.5).any(axis=1).sum()


def test_decay_prevents_the_late_explosion_with_other_seeds_too(fresh):
    assert at_work(fresh["undecayed"]) <= 10 and at_work(fresh["decayed"]) == 16
    assert (fresh["undecayed"].accuracy.max(axis=1) > 0.6).all(), "they had learned before"


def test_most_of_the_lost_give_nearly_every_image_the_same_answer(fresh, most_common):
    curves = fresh["undecayed"]
    lost = ~(curves.accuracy[:, -3:] >= 0.5).any(axis=1)
    finite = curves.first_nonfinite < 0
    assert (lost & finite).sum() > lost.sum() / 2, "only a seed here and there ends in nan"
    assert (most_common[lost & finite] > 0.9).mean() > 0.5
    assert np.median(most_common[~lost]) < 0.6


def test_the_published_curves_tell_the_arms_apart(fresh):
    """Other seeds reproduce; no decay in place of decay, or the other way round, does not."""
    for name, curves in fresh.items():
        reproduce(f"regularization-{name}", curves)
        (other,) = set(fresh) - {name}
        with pytest.raises(DoesNotReproduce):
            reproduce(f"regularization-{name}", fresh[other])
    for name in ("small-rate", "clipped"):
        with pytest.raises(DoesNotReproduce):
            reproduce(f"regularization-{name}", fresh["undecayed"])


def test_the_published_curves_are_the_chapters():
    for name in ARMS:
        curves = load(ROOT / "book" / "curves" / f"regularization-{name}.csv")
        assert len(curves.seeds) == 16 and list(curves.steps) == [*range(0, 501, 20)]


def deep(**changes):
    """The deep network of "Where it does not help", with clipping, and the curves of its run."""
    net = Remembers(64, 10, depth=20, width=64, activation="tanh", gain=3.0)
    settings_ = {"steps": 200, "lr": 0.005, "clip": 1.0, "every": 20} | changes
    return net, train(net, **standardized_digits(), **settings_)


def scale(params, start):
    """σ_w of each seed, from the norm of all matrices, which begins at 3."""
    now, then = (norms([p for k, p in ps.items() if k.endswith("W")]).norm(dim=1) for ps in (params, start))
    return 3 * now / then


def inside(net, weight_decay, seeds=4, steps=200):
    """The same run with the decay in the loss, so that it is clipped along with it: its parameters."""
    digits = standardized_digits()
    x, y = digits["x"], digits["y"]
    params = net.init(range(seeds))
    weights = [p.requires_grad_() for p in params.values()]
    optimizer = SGD(weights, torch.full((seeds,), 0.005), 0.9, torch.zeros(seeds))
    for chosen in batches(range(seeds), len(y), 32, steps):
        penalty = 0.5 * weight_decay * sum(p.square().flatten(1).sum(1) for p in weights)
        loss = losses(net(params, x[chosen]), y[chosen]) + penalty
        grads = torch.autograd.grad(loss.sum(), weights)
        optimizer.step(weights, clipped(grads, norms(grads), torch.ones(seeds)))
    return params


def test_clipping_tells_a_penalty_in_the_loss_from_weight_decay():
    """σ_w after 200 steps at λ = 0.1: about 1.1 with weight_decay, 2.99 with a penalty that is clipped."""
    net, _ = deep(seeds=4, weight_decay=0.1, every=200)
    beside, start = net.params, net.init(range(4))
    clipped_too = scale(inside(net, 0.1), start)
    assert (clipped_too - 2.99).abs().max() < 0.01 and (scale(beside, start) - 1.1).abs().max() < 0.1


def test_strong_decay_passes_the_critical_scale_and_goes_on():
    """The third exercise: with decay 0.2 the deep tanh net learns near step 100 and is at chance at 200."""
    _, curves = deep(seeds=8, weight_decay=0.2)
    middle = np.median(curves.accuracy, axis=0)
    assert middle[:3].max() < 0.2 and middle[5] > 0.4 and middle[8:].max() < 0.2
    assert np.median(curves.grad_norms[:, -1, 0]) < 1e-5
