"""The criterion of ``reproduce``: other arithmetic and other luck pass, a broken experiment fails."""

import os
import subprocess
import sys

import numpy as np
import pytest

from blowup import agreement
from blowup.agreement import FALSE_ALARMS, evidence
from blowup.curves import Curves, DoesNotReproduce, load, reproduce, save
from tests import ROOT
from tests.package.small_experiments import EXPERIMENTS


def run_elsewhere(folder, *arguments, **environment):
    command = [sys.executable, "-m", "tests.package.small_experiments", str(folder), *arguments]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, check=True, timeout=300)
    return {name: load(folder / f"{name}.csv") for name in EXPERIMENTS}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The published curves of the four experiments, made on one thread by the best instructions here."""
    folder = tmp_path_factory.mktemp("curves")
    run_elsewhere(folder, OMP_NUM_THREADS="1")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BLOWUP_CURVES", str(folder))
        yield folder


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        ((), {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"}),
        ((), {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}),
        ((), {"OMP_NUM_THREADS": "1", "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"}),
        (("float64",), {"OMP_NUM_THREADS": "1"}),
    ],
    ids=["two threads", "avx2", "no vector instructions", "float64"],
)
def test_other_arithmetic_passes(arguments, environment, published, tmp_path, capsys):
    fresh = run_elsewhere(tmp_path, *arguments, **environment)
    for name, curves in fresh.items():
        reproduce(name, curves)
        assert capsys.readouterr().out.startswith(f"reproduced: {name} (16 seeds, ")
    if environment.get("ATEN_CPU_CAPABILITY") == "default" or arguments:
        moved = [np.nanmax(np.abs(c.loss - load(published / f"{n}.csv").loss)) for n, c in fresh.items()]
        assert max(moved) > 1e-3, "the other arithmetic must have moved something for this to prove anything"


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_other_random_numbers_pass(name, published):
    """What a later torch with another stream of random numbers would do: disjoint seeds."""
    reproduce(name, EXPERIMENTS[name](seeds=range(100, 116)))


BROKEN = {
    "twice the learning rate": {"lr": 0.04},
    "half the learning rate": {"lr": 0.01},
    "another initialization": {"factor": 1.2},
    "another optimizer": {"optimizer": "adam", "lr": 0.001},
    "clipped": {"clip": 0.5},
}


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_a_broken_experiment_fails(name, broken, published):
    with pytest.raises(DoesNotReproduce, match=rf"^{name}: .*published(.|\n)*outcomes: "):
        reproduce(name, EXPERIMENTS[name](**BROKEN[broken]))


@pytest.mark.parametrize("changes", [{"lr": 0.04}, {"lr": 0.01}, {"factor": 1.2}], ids=str)
def test_a_broken_experiment_fails_with_other_random_numbers_too(changes, published):
    """Harder, for no seed has a namesake; the deep network still tells."""
    with pytest.raises(DoesNotReproduce):
        reproduce("critical", EXPERIMENTS["critical"](seeds=range(100, 116), **changes))


@pytest.mark.parametrize("pair", [("critical", "exploding"), ("normalized", "raw")], ids=str)
@pytest.mark.parametrize("seeds", [range(16), range(100, 116)], ids=["same seeds", "other seeds"])
def test_before_and_after_swapped_fail(pair, seeds, published):
    """For the proteins, this is the missing normalization."""
    for one, other in (pair, pair[::-1]):
        fresh = EXPERIMENTS[other](seeds=seeds)
        with pytest.raises(DoesNotReproduce):
            reproduce(one, fresh)


def test_fewer_steps_or_seeds_fail(published):
    with pytest.raises(ValueError, match="published recorded steps"):
        reproduce("critical", EXPERIMENTS["critical"](steps=70))
    with pytest.raises(ValueError, match="16 as its published number of seeds, the fresh run has 12"):
        reproduce("critical", EXPERIMENTS["critical"](seeds=12))


def test_the_message_says_what_differs_and_by_how_much(published):
    with pytest.raises(DoesNotReproduce) as caught:
        reproduce("critical", EXPERIMENTS["critical"](lr=0.04))
    first, *rest = str(caught.value).split("\n")
    assert (
        first == "critical: the fresh run differs from the published one by more than the luck of its seeds."
    )
    update = next(line for line in rest if line.strip().startswith("update_norms"))
    assert "the median is" in update and "band" in update and "standard errors above" in update


def made_up(generator, seeds=16, steps=12):
    """Rough curves: heavy tails, correlated over steps, some seeds that overflow on the way."""
    walk = generator.standard_t(2, (4, seeds, steps)).cumsum(axis=2)
    loss, gradient, update = np.exp(walk[:3] / 5)
    first = np.where(generator.random(seeds) < 0.2, generator.integers(0, steps, seeds), -1)
    for seed in np.flatnonzero(first >= 0):
        loss[seed, first[seed] :] = generator.choice([np.inf, np.nan])
    accuracy = np.round(1 / (1 + np.exp(-walk[3])), 1)  # many ties
    return Curves(np.arange(steps), np.arange(seeds), loss, accuracy, gradient[..., None], update, first)


def test_false_alarms_are_as_rare_as_promised(monkeypatch):
    """Over 600 pairs of one made-up experiment, the chance p falls below t at most in a share t of them."""
    monkeypatch.setattr(agreement, "DEALS", 1000)
    generator = np.random.default_rng(0)
    chances = np.array([evidence(made_up(generator), made_up(generator))[0] for _ in range(600)])
    for t in (0.01, 0.05, 0.2):
        assert (chances <= t).mean() <= t + 3 * (t * (1 - t) / 600) ** 0.5
    assert (chances <= 0.2).mean() > 0.05, "a test that never rejects would prove nothing"
    assert FALSE_ALARMS < 1e-3


def test_a_run_reproduces_itself_even_where_every_seed_overflows(tmp_path, monkeypatch):
    curves = made_up(np.random.default_rng(1))
    broken = Curves(**{**vars(curves), "loss": np.full((16, 12), np.nan), "first_nonfinite": np.zeros(16)})
    save(broken, tmp_path / "all-lost.csv")
    monkeypatch.setenv("BLOWUP_CURVES", str(tmp_path))
    reproduce("all-lost", broken)
    with pytest.raises(DoesNotReproduce, match="16 diverged; published: 16 non-finite"):
        reproduce("all-lost", Curves(**{**vars(broken), "first_nonfinite": np.full(16, -1)}))
