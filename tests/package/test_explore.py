"""The explorer's states, texts, budgets, bad input and determinism."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from blowup.explore import explore, static, svg
from blowup.explore.parameters import Explorer, parse
from tests import ROOT


def line(gain, activation="relu"):
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1, 2], [0, gain, 1], color="C1" if activation == "relu" else "black")
    ax.set(title="A line", xlabel="layer", ylim=(-4, 4))
    return figure


def make(draw=line, alt=None, start=None, **parameters):
    return Explorer(draw, alt, parse(parameters, start))


def test_frames_carry_no_style_no_ids_and_no_leftover_references():
    html, _ = static.build(make(gain=[1, 2, 3]))
    html = html.replace(svg.UID, "u")
    figure = html[html.index("<svg") : html.index("</svg>")]
    assert "<style" not in figure and "<metadata" not in figure
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids) and all(i == "u" or i.startswith("u-") for i in ids)
    references = re.findall(r'(?:href=\\?"#|url\(#)([^")\\]+)', html)
    assert references and set(references) <= set(ids)


def test_figures_are_closed_also_when_drawing_fails():
    def fails(gain):
        line(gain)
        raise RuntimeError("no")

    plt.close("all")
    kept = plt.figure()
    static.build(make(gain=[1, 2, 3]))
    with pytest.raises(RuntimeError) as caught:
        static.build(make(fails, gain=[1, 2, 3]))
    assert "at gain = 1" in caught.value.__notes__[0]
    assert plt.get_fignums() == [kept.number]
    plt.close("all")


def never(**_values):
    raise AssertionError("bad input is found before anything is drawn")


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, "at least one parameter"),
        ({"gain": []}, "'gain' has no values"),
        ({"gain": 3}, "'gain' must be a list of values, got 3"),
        ({"word": "relu"}, "'word' must be a list of values, got 'relu'"),
        ({"gain": [1, 2, 1.0]}, "'gain' has duplicate values"),
        ({"gain": [1, "two"]}, r"'gain' has values of kind \['number', 'str'\]"),
        ({"gain": [True, 2]}, r"'gain' has values of kind \['bool', 'number'\]"),
        ({"gain": [None]}, "'gain' has values of kind"),
        ({"gain": [1, float("nan")]}, "'gain' has values that are not finite"),
        ({"word": ["relu", ""]}, "'word' has an empty string"),
        ({"gain": [1, 2], "start": {"gain": 3}}, r"start\['gain'\] is 3, .* \[1, 2\]"),
        ({"gain": [1, 2], "start": {"gian": 1}}, r"unknown parameters \['gian'\]; known: \['gain'\]"),
        ({"gain": [1, 2], "start": 1}, "start must be a dict"),
        ({"gain": [1, 2], "alt": 3}, "alt must be a text"),
        ({"gain": [1, 2], "alt": lambda depth: "x"}, r"alt cannot be called .* \['gain'\]"),
        ({"gain": range(251)}, "251 = 251 states; at most 250"),
        ({"gain": range(26), "depth": range(10)}, "26 × 10 = 260 states; at most 250"),
    ],
)
def test_bad_input_is_one_clear_value_error_before_anything_is_drawn(keywords, message, monkeypatch):
    monkeypatch.setenv("BLOWUP_STATIC", "1")
    with pytest.raises(ValueError, match=message):
        explore(never, **keywords)


@pytest.mark.parametrize("life", ["0", "1"])
def test_a_draw_that_is_no_use_is_a_value_error_in_both_lives(life, monkeypatch):
    monkeypatch.setenv("BLOWUP_STATIC", life)
    with pytest.raises(ValueError, match=r"draw cannot be called with the parameters \['width'\]"):
        explore(line, width=[1])
    with pytest.raises(ValueError, match="draw must be a function"):
        explore(line(1), gain=[1])
    with pytest.raises(ValueError, match="draw must return a matplotlib Figure, got NoneType"):
        explore(lambda gain: None, gain=[1])
    with pytest.raises(ValueError, match="alt must return a text, got ''"):
        explore(line, alt=lambda gain: "", gain=[1])


def test_a_figure_that_changes_its_size_is_refused():
    with pytest.raises(ValueError, match="one figure size, but 0 0 72 72 became 0 0 144 72"):
        static.build(make(lambda width: plt.figure(figsize=(width, 1)), width=[1, 2]))


def test_an_explorer_past_its_budget_is_refused_with_its_size():
    def noise(seed):
        figure, ax = plt.subplots()
        ax.plot(np.random.default_rng(seed).normal(size=20_000), lw=0.1)
        return figure

    with pytest.raises(
        ValueError, match=r"past the budget: .* 3 states takes \d+ kB .* at most 60 kB .* fewer"
    ):
        static.build(make(noise, seed=[0, 1, 2]))


def test_a_page_past_its_budget_is_refused_by_the_kernel_and_by_the_check_of_the_page(monkeypatch):
    html = static.build(make(gain=[1]))[0]
    size = static.gzip_size(html)
    monkeypatch.setattr(static, "MAX_PAGE", 2.5 * size)
    page = static.Page()
    two = page.add(html) + "<p>prose</p>" + page.add(html)
    assert [abs(s - size) < 100 for s in static.check_page(f"<html>{two}</html>")] == [True, True]
    assert static.check_page("<html></html>") == []
    with pytest.raises(ValueError, match="past the budget: the explorers of this page"):
        page.add(html)
    with pytest.raises(ValueError, match="past the budget: the explorers of this page"):
        static.check_page(two + two)
    monkeypatch.setattr(static, "MAX_EXPLORER", size // 2)
    with pytest.raises(ValueError, match="an explorer of this page"):
        static.check_page(two)


def test_the_same_explorer_twice_on_a_page_has_two_ids():
    page, html = static.Page(), static.build(make(gain=[1]))[0]
    ids = [re.search(r'class="blowup-explorer" id="([^"]+)"', page.add(html))[1] for _ in range(3)]
    assert len(set(ids)) == 3


SCRIPT = """
import sys
from tests.package import test_explore as t
html, _ = t.static.build(t.make(gain=[1, 2], activation=["relu", "tanh"]))
sys.stdout.buffer.write(t.static.Page().add(html).encode())
"""


def test_two_builds_give_the_same_bytes():
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            env=os.environ | {"PYTHONHASHSEED": seed, "SOURCE_DATE_EPOCH": seed * 5},
        )
        for seed in "12"
    ]
    first, second = (run.communicate(timeout=60)[0] for run in runs)
    assert len(first) > 5000 and first == second


def test_text_and_data_cannot_break_out_of_the_page():
    evil = '</script><b a="1"><!-- <script>&'
    explorer = make(lambda word: line(1), alt=lambda word: evil, word=[evil])
    html, text = static.build(explorer)
    tags = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: tags.append(tag)
    parser.feed(html)
    assert text == evil
    assert "b" not in tags and tags.count("script") == 2
    assert html.count("<!--") == 2  # our own marks; one inside a script would swallow the page


@pytest.mark.parametrize(
    ("values", "texts", "start"),
    [
        ([0.01, 1e-05, 2.5], ("0.01", "1e-05", "2.5"), 1),
        (range(1, 5), ("1", "2", "3", "4"), 2),
        (np.linspace(0, 0.4, 5), ("0", "0.1", "0.2", "0.3", "0.4"), 2),
        ([1048576, 2], ("1048576", "2"), 1),
        ([1.00000001, 1.00000002], ("1.00000001", "1.00000002"), 1),
        (["tanh", "relu"], ("tanh", "relu"), 0),
        ((False, True), ("no", "yes"), 0),
    ],
)
def test_values_are_shown_plainly_and_start_in_the_middle_or_first(values, texts, start):
    (parameter,) = parse({"p": values})
    assert (parameter.texts, parameter.start) == (texts, start)


def test_start_is_found_among_floats_that_are_not_exact():
    assert parse({"gain": np.arange(1, 6) * 0.1}, {"gain": 0.3})[0].start == 2
    explorer = make(gain=[1, 2, 3], activation=["relu", "tanh"], start={"activation": "tanh", "gain": 3})
    assert explorer.states()[explorer.start_index] == explorer.start == {"gain": 3, "activation": "tanh"}


def test_sliders_on_even_grids_have_their_real_range_and_others_an_index():
    assert static._grid(parse({"p": np.linspace(0.1, 0.5, 5)})[0]) == ("0.1", "0.5", "0.1", "0.3")
    assert static._grid(parse({"p": [1e-5, 1e-3, 1]})[0]) == (0, 2, 1, 1)
    assert static._grid(parse({"p": [3, 2, 1]})[0]) == (0, 2, 1, 1)


def test_the_text_of_a_figure_says_what_it_shows_and_the_state():
    def text(alt, **values):
        explorer = make(alt=alt, learning_rate=[0.1], draw=lambda learning_rate: line(1))
        with explorer.drawn(explorer.start) as (_, said):
            return said

    assert text(None) == "A line. learning rate = 0.1."
    assert text("Loss rises.") == "Loss rises. learning rate = 0.1."
    assert text(lambda learning_rate: f"rises at\n {learning_rate}") == "rises at 0.1"
