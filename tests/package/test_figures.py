"""The book's recurring plots draw what they are given, and refuse what does not fit."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from blowup import curves, figures


@pytest.fixture
def ax():
    figures.style()
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_the_band_is_the_median_and_the_quantiles_over_seeds(ax):
    values = torch.arange(11.0)[:, None] * torch.tensor([1.0, 2.0])  # 0 … 10 in the first step
    line = figures.plot_band(ax, [0, 1], values, label="a")
    assert line.get_ydata() == pytest.approx([5, 10], rel=1e-12) and line.get_label() == "a"
    (band,) = ax.collections
    heights = band.get_paths()[0].vertices[:, 1]
    assert (heights.min(), heights.max()) == pytest.approx((1, 18), rel=1e-12)


@pytest.mark.parametrize("seeds", [5, 16])
def test_what_is_drawn_is_what_a_message_quotes(ax, seeds):
    """An even number of seeds has its median between two of them."""
    values = np.random.default_rng(0).normal(size=(seeds, 4))
    values[0, 1] = 1e30
    line = figures.plot_band(ax, range(4), values, low=0.2, high=0.8)
    lower, middle, upper = curves.band(values, 0.2, 0.8)
    np.testing.assert_array_equal(line.get_ydata(), middle)
    np.testing.assert_allclose(middle, np.median(values, axis=0), rtol=1e-12)
    drawn = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert set(np.concatenate([lower, upper])) == set(drawn)


def test_a_quantile_that_overflowed_is_drawn_off_the_page(ax):
    values = np.ones((5, 2))
    values[:2, 1] = np.inf
    figures.plot_band(ax, [0, 1], values)
    assert ax.collections[0].get_paths()[0].vertices.max() > 1e38


def test_a_step_whose_median_overflowed_is_left_out_and_the_others_stay(ax):
    values = torch.ones(5, 3)
    values[:3, 2] = torch.tensor([torch.inf, torch.nan, torch.inf])  # three of five
    values[0, 1] = torch.nan  # one of five
    line = figures.plot_band(ax, [0, 1, 2], values)
    assert line.get_xdata().tolist() == [0, 1]


@pytest.mark.parametrize("shape", [(3,), (4, 2), (2, 3, 1)])
def test_a_band_of_the_wrong_shape_is_refused(ax, shape):
    with pytest.raises(ValueError, match=r"shape \(members, 3\)"):
        figures.plot_band(ax, [0, 1, 2], torch.zeros(shape))


def test_a_label_says_the_finding_and_the_axes(ax):
    ax.plot([1, 10], [1, 10], label="line")
    figures.label(ax, "finding", "x, s", "y, m", log="xy")
    assert (ax.get_title(loc="left"), ax.get_xlabel(), ax.get_ylabel()) == ("finding", "x, s", "y, m")
    assert ax.get_xscale() == ax.get_yscale() == "log" and ax.get_legend() is not None
    with pytest.raises(ValueError, match="log"):
        figures.label(ax, "", "", "", log="z")


def test_a_heat_map_writes_every_number_in_it(ax):
    figures.heat_map(ax, [[1, 2], [3, 4]], "ab", "cd", fmt="{:.0f}")
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3", "4"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["a", "b"]
    with pytest.raises(ValueError, match=r"shape \(2, 3\)"):
        figures.heat_map(ax, np.zeros((2, 2)), "ab", "cde")


def test_learning_curves_show_loss_and_percent():
    class Arm:
        steps, loss, accuracy = [0, 1], torch.ones(4, 2), torch.full((4, 2), 0.5)

    fig, (loss, accuracy) = figures.plot_learning({"a": Arm}, "finding")
    assert loss.get_yscale() == "log" and accuracy.lines[0].get_ydata() == pytest.approx([50, 50])
    assert fig.get_suptitle() == "finding"
    plt.close(fig)
