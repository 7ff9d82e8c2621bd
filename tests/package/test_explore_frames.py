"""The explorer's frames: what they share, their numbers, their ink; all as text, without a browser."""

import re

import matplotlib
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from blowup.explore import frames, svg
from tests.package.test_explore import make


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


def test_many_equal_markers_are_one_path_through_their_rounded_places():
    places = np.random.default_rng(0).uniform(1, 9, size=(50, 2))

    def draw(count):
        figure = plt.figure(figsize=(10, 10), dpi=72)  # 72 points an inch, so data in units of 72 points
        ax = figure.add_axes((0, 0, 1, 1), xlim=(0, 10), ylim=(10, 0))
        ax.scatter(*places[:count].T, color="C1")
        return figure

    (one, many), library = svg_fragments(make(draw, count=[1, 50]))
    used = [[f for f in frame if "#ff7f0e" in f or "marker:" in f] for frame in (one, many)]
    assert [len(u) for u in used] == [1, 1] and "<use" in used[0][0] and "<use" not in used[1][0]
    d, name = re.search(r'd="([^"]+)" style="fill:none;marker:url\(#([^)]+)\)"', used[1][0]).groups()
    assert absolute(d) == [tuple(np.rint(place * 720).astype(int)) for place in places]
    assert re.search(rf'<marker id="{name}"[^>]*><g style="[^"]*fill:#ff7f0e', library.markup())
