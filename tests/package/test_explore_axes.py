"""What is not drawn again: an axis that repeats itself, a text that was laid out."""

from contextlib import nullcontext

import matplotlib
import pytest

matplotlib.use("Agg")
import matplotlib.patheffects
import matplotlib.pyplot as plt
from matplotlib.axis import Axis
from matplotlib.textpath import TextToPath

from blowup.explore import svg


def two_axes():
    """Two panels, one below the other, with all that a chapter's figure has."""
    figure, panels = plt.subplots(2, figsize=(3, 3))
    for ax in panels:
        ax.plot([0, 1, 2], [1, 10, 100])
        ax.set(title="A line", xlabel="layer", ylabel="norm", xlim=(0, 2))
    return figure, panels[0]


def on_top(ax):
    ax.xaxis.set_ticks_position("top")
    ax.xaxis.set_label_position("top")


def aligned(ax, tick):
    ax.get_figure().axes[1].set_yticks([10], [tick])
    ax.get_figure().align_ylabels()


# Each changes how an axis looks, or how the axes lie.
CHANGES = {
    "limits": lambda ax: ax.set_xlim(0, 3),
    "the other way round": lambda ax: ax.invert_yaxis(),
    "a log scale": lambda ax: ax.set_yscale("log"),
    "a symmetrical log scale": lambda ax: ax.set_yscale("symlog"),
    "an offset": lambda ax: ax.set_ylim(1e9, 1e9 + 1),
    "ticks": lambda ax: ax.set_xticks([0, 2]),
    "words at ticks": lambda ax: ax.set_xticks([0, 1, 2], ["a", "b", "c"]),
    "small ticks": lambda ax: ax.minorticks_on(),
    "words at small ticks": lambda ax: ax.set_xticks([0.3, 1.4], ["x", "y"], minor=True),
    "all words turned": lambda ax: plt.setp(ax.get_xticklabels(), rotation=30),
    "one word red": lambda ax: ax.get_xticklabels()[1].set_color("red"),
    "one word large": lambda ax: ax.get_xticklabels()[1].set_fontsize(15),
    "one word in a box": lambda ax: ax.get_xticklabels()[1].set_bbox({"fc": "red"}),
    "one word with a shadow": lambda ax: ax.get_xticklabels()[1].set_path_effects(
        [matplotlib.patheffects.withStroke(linewidth=3)]
    ),
    "one line of the grid": lambda ax: ax.xaxis.get_gridlines()[1].set(visible=True, alpha=0.3),
    "one tick wide": lambda ax: ax.xaxis.get_ticklines()[2].set_markeredgewidth(4),
    "one tick gone": lambda ax: ax.xaxis.get_major_ticks()[1].set_visible(False),
    "the ticks' style": lambda ax: ax.tick_params(labelcolor="red", length=9),
    "the ticks' distance": lambda ax: ax.tick_params(pad=12),
    "no words": lambda ax: ax.label_outer(remove_inner_ticks=True),
    "a grid": lambda ax: ax.grid(),
    "a dashed grid": lambda ax: ax.grid(linestyle="--"),
    "a label": lambda ax: ax.set_xlabel("step"),
    "a label's color": lambda ax: ax.xaxis.label.set_color("red"),
    "a label's distance": lambda ax: ax.set_ylabel("norm", labelpad=20),
    "a label's end": lambda ax: ax.set_ylabel("norm", loc="top"),
    "a label's place": lambda ax: ax.xaxis.set_label_coords(0.5, 0),
    "a label aligned with a short tick": lambda ax: aligned(ax, "1"),
    "a label aligned with a long tick": lambda ax: aligned(ax, "a long word"),
    "ticks on top": on_top,
    "ticks on the right": lambda ax: ax.yaxis.tick_right(),
    "a spine in the middle": lambda ax: ax.spines.left.set_position("center"),
    "a spine outside": lambda ax: ax.spines.bottom.set_position(("outward", 9)),
    "a second scale": lambda ax: ax.twinx().set_ylabel("loss"),
    "no axis": lambda ax: ax.xaxis.set_visible(False),
    "nothing but data": lambda ax: ax.set_axis_off(),
    "a square": lambda ax: ax.set_aspect(0.01),
    "another place": lambda ax: ax.set_position((0.3, 0.6, 0.5, 0.3)),
    "room for all": lambda ax: ax.get_figure().set_layout_engine("constrained"),
}


def drawn(changes, library):
    """The fragments of one frame for each change."""
    frames = []
    for change in changes:
        figure, ax = two_axes()
        change(ax)
        frames.append(library.draw(figure)[1])
        plt.close(figure)
    return frames


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_not_drawn_again_looks_as_if_it_were(name, monkeypatch):
    changes = [lambda ax: None, CHANGES[name]]
    fast = drawn(changes * 2, svg.Library())
    monkeypatch.setattr(svg.Axes, "replayed", lambda self, figure: nullcontext())
    before, after = drawn(changes, svg.Library())
    assert before != after, "this change is none"
    assert fast == [before, after] * 2


def test_all_changes_after_each_other_stay_apart(monkeypatch):
    fast = drawn(CHANGES.values(), svg.Library())
    monkeypatch.setattr(svg.Axes, "replayed", lambda self, figure: nullcontext())
    assert fast == drawn(CHANGES.values(), svg.Library())


def count(monkeypatch, kind, name):
    """A list that grows with each call of a method of matplotlib's."""
    calls, method = [], getattr(kind, name)
    monkeypatch.setattr(kind, name, lambda *args, **kw: calls.append(args) or method(*args, **kw))
    return calls


def test_an_axis_is_drawn_once_and_a_text_laid_out_once(monkeypatch):
    """Fails when a new matplotlib goes another way, past what spares us the work."""
    axes, texts = count(monkeypatch, Axis, "draw"), count(monkeypatch, TextToPath, "get_glyphs_with_font")
    sizes = count(monkeypatch, TextToPath, "get_text_width_height_descent")
    words = [f"only here: {k}" for k in range(3)] * 2
    drawn([lambda ax, word=word: ax.set_title(word) for word in words], svg.Library())
    assert len(axes) == 4, "two panels with two axes each"
    assert sorted(args[2] for args in texts if "only here" in args[2]) == sorted(set(words))
    assert sorted(args[1] for args in sizes if "only here" in args[1]) == sorted(set(words))


def test_the_axis_is_itself_again_after_the_frame():
    figure, ax = two_axes()
    svg.Library().draw(figure)
    assert not {"draw", "get_tightbbox", "get_ticks_position"} & set(vars(ax.xaxis))
    plt.close(figure)
