"""The explorer's frames, budgets, bad input and determinism; browser and kernel have their own files."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from blowup.explore import explore, frames, static, svg
from blowup.explore.parameters import Explorer, parse


def line(gain, activation="relu"):
    figure, ax = plt.subplots(figsize=(3, 2))
    ax.plot([0, 1, 2], [0, gain, 1], color="C1" if activation == "relu" else "black")
    ax.set(title="A line", xlabel="layer", ylim=(-4, 4))
    return figure


def make(draw=line, alt=None, start=None, **parameters):
    return Explorer(draw, alt, parse(parameters, start))


def svg_fragments(explorer):
    library, drawn = svg.Library(), []
    for values in explorer.states():
        with explorer.drawn(values) as (figure, _):
            drawn.append(library.fragments(svg.render(figure)))
    return drawn, library


fragments = st.lists(st.sampled_from([f"<{c}/>" for c in "abcdefg"]), max_size=12)


@given(st.lists(fragments, min_size=1, max_size=8))
def test_every_frame_put_together_again_is_the_frame_that_was_drawn(drawn):
    shared = frames.share(drawn)
    assert [shared.frame(k) for k in range(len(drawn))] == ["".join(f) for f in drawn]
    assert len(set(shared.pieces)) == len(shared.pieces)


def test_real_figures_come_back_exactly_and_share_what_they_have_in_common():
    drawn, library = svg_fragments(make(gain=[-1, 0.5, 2], activation=["relu", "tanh"]))
    shared = frames.share(drawn)
    assert [shared.frame(k) for k in range(6)] == ["".join(f) for f in drawn]
    # Only the line differs: one slot, a piece for each frame; axes and text stand once.
    assert shared.skeleton.count(None) == 1
    assert len(shared.pieces) == 6
    assert library.markup().count("<clipPath") == 1


def test_equal_frames_need_no_slot():
    assert frames.share([["<a/>", "<b/>"]] * 3) == frames.Shared(("<a/>", "<b/>"), (), ((), (), ()))


numbers = st.floats(-3000, 3000).map(lambda v: round(v, 6))


def absolute(d):
    """The points of compact path data, in tenths; an independent reader of M, l, q, c and z."""
    points, here, begin = [], np.zeros(2), np.zeros(2)
    for command, rest in re.findall(r"([Mlqcz])([^Mlqcz]*)", d):
        if command == "z":
            here = begin
            continue
        values = [float(v) for v in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", rest)]
        size = {"M": 2, "l": 2, "q": 4, "c": 6}[command]
        assert len(values) % size == 0
        for i in range(0, len(values), size):
            ends = np.reshape(values[i : i + size], (-1, 2)) + (0 if command == "M" else here)
            points += [tuple(np.rint(10 * p).astype(int)) for p in ends]
            here = ends[-1]
        begin = here if command == "M" else begin
    return points


@given(st.lists(st.tuples(st.sampled_from("LQC"), *[numbers] * 6), min_size=1, max_size=30), st.booleans())
def test_a_rounded_path_goes_through_the_rounded_points_without_drift(steps, closed):
    length = {"L": 2, "Q": 4, "C": 6}
    d, points = "M 0.04 10", [0.04, 10.0]
    for command, *values in steps:
        d += f" {command} " + " ".join(map(str, values[: length[command]]))
        points += values[: length[command]]
    if closed:
        d, points = d + " z M 5 5 L 6 7", [*points, 5, 5, 6, 7]
    expected = [round(v * 10) for v in points]
    assert [v for point in absolute(svg.compact_path(d)) for v in point] == expected


def test_scales_are_not_rounded_and_unknown_path_commands_are_left_alone():
    explorer = make(gain=[1])
    (drawn,), _ = svg_fragments(explorer)
    scales = re.findall(r"scale\((\S+?)[ )]", "".join(drawn))
    assert set(scales) == {"0.1", "0.12"}  # 10 and 12 points
    assert svg.compact_path("M 1.234 2 A 1 1 0 0 0 3.456 3") == "M 1.234 2 A 1 1 0 0 0 3.456 3"


def test_black_white_and_gray_follow_the_page_but_not_in_a_colored_mesh():
    def draw(shade):
        figure, ax = plt.subplots(figsize=(3, 2))
        ax.plot([0, 1], color=shade)
        ax.pcolormesh(np.array([[0.0, 1.0]]), cmap="gray")
        return figure

    (black, gray), _ = svg_fragments(make(draw, shade=["black", "0.8"]))
    assert "stroke:currentColor" in "".join(black)
    assert "stroke:color-mix(in srgb,currentColor 20%,var(--blowup-paper))" in "".join(gray)
    assert "fill:var(--blowup-paper)" in "".join(black)
    assert re.findall(r"#[0-9a-f]{6}", "".join(black)) == ["#ffffff"]  # white stays data in the mesh


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
import sys; sys.path.insert(0, "tests")
import test_explore as t
html, _ = t.static.build(t.make(gain=[1, 2], activation=["relu", "tanh"]))
sys.stdout.buffer.write(t.static.Page().add(html).encode())
"""


def test_two_builds_give_the_same_bytes():
    root = os.path.dirname(os.path.dirname(__file__))
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", SCRIPT],
            cwd=root,
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
