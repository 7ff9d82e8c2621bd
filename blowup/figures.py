"""The book's matplotlib style and the handful of plots that recur."""

import matplotlib.pyplot as plt
import numpy as np
import torch

from blowup.arguments import wrong
from blowup.curves import band

INK = "black"  # the explorer turns exactly this black into the page's own text color
ILL, CURED, OTHER, FOURTH, FIFTH = "#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00"
"""Okabe and Ito's palette, safe for color-blind readers: what is ill is vermilion, what is cured is blue."""

STYLE = {
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 10.5,
    "axes.titlesize": 11.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlepad": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.prop_cycle": plt.cycler(color=[CURED, ILL, OTHER, FOURTH, FIFTH]),
    "grid.color": "#88888844",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.9,
    "legend.frameon": False,
    "svg.hashsalt": "exploding-gradients",
}


def style():
    """Set the book's look for every figure that follows, and draw them as vectors in notebooks."""
    plt.rcParams.update(STYLE)
    try:
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:  # no notebook around us
        return
    set_matplotlib_formats("svg")


def label(ax, title, x, y, *, log="", legend=True, **more):
    """Give ``ax`` its title (the finding), the labels of its axes, and its legend.

    ``log`` names the axes with a logarithmic scale: "", "x", "y" or "xy". ``more`` goes to ``ax.set``, as in
    ``ylim=(0, 1)``. Raises ValueError for any other ``log``.
    """
    if log not in ("", "x", "y", "xy"):
        raise wrong("log", '"", "x", "y" or "xy"', log)
    scales = {f"{axis}scale": "log" for axis in log}
    ax.set(**scales, title=title, xlabel=x, ylabel=y, **more)
    if legend and ax.get_legend_handles_labels()[0]:
        ax.legend(fontsize=9.5)


def plot_band(ax, x, values, *, color=CURED, label=None, linestyle="-", low=0.1, high=0.9):
    """Draw the median over seeds as a line and the ``low`` to ``high`` quantiles as a band around it.

    The numbers are those of :func:`blowup.curves.band`. ``x`` (steps,) and ``values`` (members, steps) are
    tensors or arrays. A step at which the median is not finite is left out, and a quantile that is not
    finite is drawn off the page. Raises ValueError if the shapes do not fit.
    """
    x, values = np.asarray(x), np.asarray(torch.as_tensor(values).double())
    if values.ndim != 2 or values.shape[1:] != x.shape:
        raise ValueError(f"values: expected shape (members, {len(x)}) to go with x, got {values.shape}")
    lower, middle, upper = band(values, low, high)
    shown = np.isfinite(middle)
    far = float(np.finfo(np.float32).max)
    bottom, top = (np.nan_to_num(edge, posinf=far, neginf=-far) for edge in (lower, upper))
    ax.fill_between(x[shown], bottom[shown], top[shown], color=color, alpha=0.22, linewidth=0)
    return ax.plot(x[shown], middle[shown], color=color, linestyle=linestyle, label=label)[0]


def plot_learning(arms, title, *, colors=(ILL, CURED, OTHER, FOURTH), linestyles=("-", "--", "-.", ":")):
    """Loss (log scale) and accuracy over the steps, a band for each arm; returns the figure and its two axes.

    ``arms`` maps a label to the :class:`~blowup.curves.Curves` of that arm; ``title`` states the finding.
    Loss is that of the training batch, accuracy that of the test set, in percent.
    """
    fig, axes = plt.subplots(1, 2, figsize=(8.6, 3.8))
    for (name, curves), color, line in zip(arms.items(), colors, linestyles, strict=False):
        plot_band(axes[0], curves.steps, curves.loss, color=color, label=name, linestyle=line)
        plot_band(axes[1], curves.steps, 100 * np.asarray(curves.accuracy), color=color, linestyle=line)
    label(axes[0], "", "step", "training loss", log="y", legend=False)
    label(axes[1], "", "step", "test accuracy, %", ylim=(0, 102))
    fig.legend(loc="outside lower center", ncols=len(arms) if len(arms) < 5 else 3, fontsize=9.5)
    heading(fig, title)
    return fig, axes


def heading(fig, title):
    """The finding of a figure of several panels, above them all and to the left as a single panel's title."""
    fig.suptitle(title, x=0.01, ha="left", fontweight="bold", fontsize=STYLE["axes.titlesize"])


def heat_map(ax, values, rows, columns, *, cmap="viridis", fmt="{:.0f}", vmin=None, vmax=None):
    """Draw a table of numbers as a heat map with its numbers in it; returns the image.

    ``values`` (rows, columns); ``rows`` and ``columns`` are the tick labels.
    """
    values = np.asarray(values, dtype=float)
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"values: expected shape ({len(rows)}, {len(columns)}), got {values.shape}")
    image = ax.imshow(values, cmap=cmap, vmin=vmin, vmax=vmax, aspect="auto")
    middle = np.mean(image.get_clim())
    for i, j in np.ndindex(*values.shape):
        color = "#ffffff" if values[i, j] < middle else "#101010"
        ax.text(j, i, fmt.format(values[i, j]), ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.grid(False)
    ax.tick_params(length=0)
    return image
