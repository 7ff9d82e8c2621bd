"""One figure, some parameters, two lives: a widget in a live kernel, a kernel-free page in the built book."""

from blowup.explore.parameters import Explorer, parse
from blowup.settings import static_page

__all__ = ["explore"]


def explore(draw, *, alt=None, start=None, **parameters):
    """Show the figure that ``draw`` makes, with one control for each parameter.

    In a live kernel the controls are ipywidgets and ``draw`` runs on every move. With ``BLOWUP_STATIC=1``
    (set by the book's build) every combination is drawn now and shipped as one self-contained piece of
    HTML that needs no kernel and no network. Both lives carry a still picture and one line of text for
    whoever can show neither.

    Args:
        draw: function of the parameters, called by keyword, that returns a matplotlib ``Figure``. It only
            plots (training runs are computed once, before), always at the same figure size, and does not
            call ``plt.show()``. In the book black, white and gray follow the page's ink and paper, so
            they must not encode data. Fixed margins (``layout="none"``, ``subplots_adjust``) and axis
            limits keep the axes still while a slider moves and halve the time of the build.
        alt: what a sighted reader would take from the figure: a string, or a function of the parameters
            that returns one. By default the figure's titles; the state is added to all but a function.
        start: ``{name: value}`` for the parameters that should not start at their default: the middle
            value of numbers, the first of words.
        **parameters: for each argument of ``draw`` the list of its values: numbers (a slider), words or
            booleans (a drop-down). Underscores in a name are shown as spaces.

    Raises:
        ValueError: for a parameter without values, with duplicates or mixed types; a start that is not
            among the values; names that ``draw`` does not take; a ``draw`` that returns no Figure. In the
            static life also past the budget: 250 states and 60 kB (gzip) an explorer, 150 kB a page.
    """
    explorer = Explorer(draw, alt, parse(parameters, start))
    if static_page():
        from blowup.explore.static import show
    else:
        from blowup.explore.live import show
    show(explorer)
