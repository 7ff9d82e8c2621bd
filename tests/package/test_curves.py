"""Curves: their shapes, bands and files."""

import math
import os
import re
from datetime import date

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from blowup import agreement
from blowup.curves import SAVED, Curves, band, load, publish, reproduce, save
from blowup.networks import MLP
from blowup.training import train


def curves(members=10, records=4, layers=2, **fields):
    generator = np.random.default_rng(0)
    grid = (members, records)
    values = {
        "steps": np.arange(records) * 10,
        "seeds": np.arange(members),
        "loss": generator.random(grid),
        "accuracy": generator.random(grid),
        "grad_norms": generator.random((*grid, layers)),
        "update_norms": generator.random(grid),
        "first_nonfinite": np.full(members, -1),
        "layers": [f"layer {k}" for k in range(layers)],
    }
    return Curves(**{**values, **fields})


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"seeds": []}, "seeds: expected at least one"),
        ({"steps": []}, "steps: expected rising numbers"),
        ({"steps": [0, 10, 10, 20]}, "steps: expected rising numbers"),
        ({"loss": np.ones((10, 3))}, r"loss: expected shape \(10, 4\).*got \(10, 3\)"),
        ({"grad_norms": np.ones((10, 4))}, r"grad_norms: expected shape \(10, 4, 2\)"),
        ({"first_nonfinite": [-1]}, "first_nonfinite: "),
    ],
)
def test_shapes_that_do_not_fit_are_named(fields, said):
    with pytest.raises(ValueError, match=said):
        curves(**fields)


def test_it_says_what_it_is():
    lost = curves(first_nonfinite=[3, *[-1] * 9], loss=np.ones((10, 4)), accuracy=np.full((10, 4), 0.9))
    assert repr(lost) == "Curves(10 seeds, steps 0 to 30: 9 learned, 1 non-finite)"


def test_the_norm_of_all_layers_survives_squares_that_overflow():
    norms = np.array([3.0, 4.0]) * np.array([1.0, 1e200, 0.0, math.inf])[:, None]
    norms[2], norms[3, 1] = 0.0, 1.0
    total = curves(members=1, records=4, grad_norms=norms[None]).grad_norm
    np.testing.assert_allclose(total, [[5, 5e200, 0, math.inf]])


@given(
    values=arrays(float, (9, 2), elements=st.floats(0, 1e30) | st.just(math.inf) | st.just(math.nan)),
    low=st.floats(0, 0.5),
)
def test_band_is_the_quantiles_and_a_nan_is_the_worst(values, low):
    worst = np.where(np.isnan(values), np.inf, values)
    found = band(values, low, 1 - low)
    assert not np.isnan(found).any()
    assert (found[0] <= found[1]).all() and (found[1] <= found[2]).all()
    finite = np.isfinite(worst).all(axis=0)
    expected = np.quantile(worst[:, finite], [low, 0.5, 1 - low], axis=0)
    np.testing.assert_allclose(np.array(found)[:, finite], expected, rtol=1e-9)
    np.testing.assert_allclose(found[1], np.median(worst, axis=0), rtol=1e-12)


def test_band_wants_seeds_by_steps():
    for values in (np.ones(3), np.ones((0, 3))):
        with pytest.raises(ValueError, match="values: expected"):
            band(values)


numbers = st.floats(width=32) | st.sampled_from([0.0, math.inf, math.nan, 1e300, 1e-300])


@settings(deadline=None)
@given(loss=arrays(float, (3, 4), elements=numbers), first=arrays(int, 3, elements=st.integers(-1, 40)))
def test_a_file_keeps_five_digits_and_every_inf_and_nan(tmp_path_factory, loss, first):
    path = tmp_path_factory.mktemp("curves") / "some.csv"
    original = curves(members=3, loss=loss, first_nonfinite=first)
    save(original, path)
    back = load(path)
    np.testing.assert_allclose(back.loss, original.loss, rtol=1e-4, atol=1e-310)
    np.testing.assert_allclose(back.accuracy, original.accuracy, rtol=1e-4)
    np.testing.assert_allclose(back.grad_norm, original.grad_norm, rtol=1e-4)
    np.testing.assert_allclose(back.update_norms, original.update_norms, rtol=1e-4)
    for name in ("steps", "seeds", "first_nonfinite"):
        np.testing.assert_array_equal(getattr(back, name), getattr(original, name))


def test_a_file_is_small_and_says_where_it_comes_from(tmp_path):
    path = tmp_path / "some.csv"
    save(curves(members=32, records=31), path)
    text = path.read_text()
    assert (
        len(text) < 40_000 and f"# torch: {torch.__version__}\n# date: {date.today()}\n# seeds: 0 1 2" in text
    )
    assert [p.name for p in tmp_path.iterdir()] == ["some.csv"], "no temporary file is left"


def test_every_cut_and_every_changed_character_is_noticed(tmp_path):
    path = tmp_path / "some.csv"
    save(curves(members=8, records=3), path)
    whole = path.read_bytes()
    for length in range(0, len(whole) - 1, 7):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"some\.csv"):
            load(path)
    for place in range(0, len(whole) - 1, 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"some\.csv"):
            load(path)
    path.write_bytes(whole.replace(b"\n", b"\r\n"))  # what git may make of it on Windows is no damage
    load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="cannot read"):
        load(path)


def test_a_save_that_fails_leaves_the_old_file_whole(tmp_path, monkeypatch):
    path = tmp_path / "some.csv"
    save(curves(), path)
    before = path.read_bytes()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        save(curves(loss=np.ones((10, 4))), path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["some.csv"]


def test_publish_writes_and_reproduce_compares(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BLOWUP_CURVES", str(tmp_path))
    publish("some-name", curves(), tmp_path)
    assert capsys.readouterr().out == "recorded: some-name (10 seeds)\n"
    before = (tmp_path / "some-name.csv").read_bytes()
    reproduce("some-name", curves())
    said = capsys.readouterr().out
    assert said == "reproduced: some-name (10 seeds, loss, accuracy, gradients and updates agree)\n"
    assert [p.name for p in tmp_path.iterdir()] == ["some-name.csv"], "comparing writes nothing"
    assert (tmp_path / "some-name.csv").read_bytes() == before


def test_publish_names_what_is_wrong(tmp_path):
    publish("some-name", curves(), tmp_path)
    with pytest.raises(ValueError, match="published twice"):
        publish("some-name", curves(), tmp_path)
    with pytest.raises(ValueError, match="name: expected lower-case words"):
        publish("../after", curves(), tmp_path)
    with pytest.raises(ValueError, match="needs at least 8 seeds to tell, got 7"):
        publish("after", curves(members=7), tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["some-name.csv"]


def test_a_file_has_a_row_for_everything_that_is_compared():
    assert set(agreement.TOLERANCES) <= set(SAVED)


def test_reproduce_names_what_is_wrong(tmp_path, monkeypatch):
    monkeypatch.setenv("BLOWUP_CURVES", str(tmp_path))
    with pytest.raises(ValueError, match="'before'; known are none yet"):
        reproduce("before", curves())
    save(curves(), tmp_path / "after.csv")
    save(curves(), tmp_path / "chain.csv")
    with pytest.raises(ValueError, match="'before'; known are after, chain"):
        reproduce("before", curves())
    with pytest.raises(ValueError, match="name: expected lower-case words"):
        reproduce("../after", curves())
    with pytest.raises(ValueError, match="needs at least 8 seeds to tell, got 7"):
        reproduce("after", curves(members=7))
    text = (tmp_path / "after.csv").read_text()
    (tmp_path / "after.csv").write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=re.escape("after.csv is cut short")):
        reproduce("after", curves())
    assert (tmp_path / "after.csv").read_text() == text[: len(text) // 2], "nothing is overwritten"


def test_a_run_reproduces_itself_through_its_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("BLOWUP_CURVES", str(tmp_path))
    run = train(MLP(4, 2, 3, 8), torch.eye(4).repeat(8, 1), torch.arange(32) % 2, seeds=8, steps=20)
    save(run, tmp_path / "run.csv")
    reproduce("run", run)
    assert capsys.readouterr().out.startswith("reproduced: run (8 seeds")
