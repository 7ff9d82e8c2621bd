"""An axis that looks as in an earlier frame is not drawn again: half of a frame's time went into ticks."""

from contextlib import contextmanager

import matplotlib as mpl

AGAIN = "again-"  # begins the id of the group in the SVG that stands for all that an axis drew
METHODS = ("draw", "get_tightbbox", "get_ticks_position")


class Axes:
    """What the axes of earlier frames looked like, by everything that their drawing depends on."""

    def __init__(self):
        self.known = {}  # look → Drawn

    @contextmanager
    def replayed(self, figure):
        """While it lasts, drawing ``figure`` leaves an empty group where an axis repeats itself."""
        # A layout engine moves the axes while the figure is drawn: what they look like is known too late.
        still = [ax for ax in figure.axes if ax.name == "rectilinear" and not figure.get_layout_engine()]
        replaced, looks = [axis for ax in still for axis in (ax.xaxis, ax.yaxis)], Looks(figure)
        for axis in replaced:
            self._replace(axis, looks)
        try:
            yield
        finally:
            for axis in replaced:
                for name in METHODS:
                    delattr(axis, name)

    def _replace(self, axis, looks):
        """Give this one axis methods that first ask what is known."""
        draw_whole, find_box, find_place = (getattr(axis, name) for name in METHODS)

        def known():
            look = looks[axis]
            return look and self.known.setdefault(look, Drawn(f"{AGAIN}{len(self.known)}"))

        def draw(renderer):
            seen = known()
            if not seen:
                return draw_whole(renderer)
            renderer.open_group("axis", gid=seen.name)
            if not seen.drawn:
                draw_whole(renderer)
                seen.drawn = True
            renderer.close_group("axis")

        def get_tightbbox(renderer=None, **options):
            seen = known()
            if not seen or options:
                return find_box(renderer, **options)
            if not seen.box:
                seen.box = find_box(renderer)
            return seen.box and seen.box.frozen()

        def get_ticks_position():
            seen = known()
            if not seen:
                return find_place()
            seen.place = seen.place or find_place()
            return seen.place

        for name, method in zip(METHODS, (draw, get_tightbbox, get_ticks_position), strict=True):
            setattr(axis, name, method)


class Drawn:
    """What is known of one look: the group that holds its drawing, and its answers to other artists."""

    def __init__(self, name):
        self.name, self.drawn, self.box, self.place = name, False, None, None


class Looks(dict):
    """axis → its look, found once the figure is laid out; None where it must be drawn in full."""

    def __init__(self, figure):
        super().__init__()
        self.figure = figure
        self.rc = str(dict(mpl.rcParams))

    def __missing__(self, axis):
        # Labels can be aligned with those of other axes, so all of them belong to the look of each.
        kin = [getattr(ax, f"{axis.axis_name}axis", None) for ax in self.figure.axes]
        looks = [one and look(one) for one in kin]
        shared = (self.rc, *self.figure.get_size_inches(), *looks)
        self.update({one: None if None in looks else (k, *shared) for k, one in enumerate(kin)})
        return self[axis]


def look(axis):
    """All that the drawing of a rectilinear ``axis`` depends on, hashable; None where that is not certain."""
    ax, formatters = axis.axes, (axis.get_major_formatter(), axis.get_minor_formatter())
    places = [axis.get_majorticklocs(), axis.get_minorticklocs()]
    words = [f.format_ticks(p) for f, p in zip(formatters, places, strict=True)]
    # Ticks are made when they are first drawn; those that exist may have been changed one by one.
    ticks = [tick for kind in ("majorTicks", "minorTicks") for tick in vars(axis).get(kind, ())]
    texts = [axis.label, *(text for tick in ticks for text in (tick.label1, tick.label2))]
    lines = [line for tick in ticks for line in (tick.tick1line, tick.tick2line, tick.gridline)]
    if formatters[0].get_offset() or any(map(rare, (ax, axis, *texts, *lines))):
        return None
    transform = axis.get_transform().transform
    return (
        axis.axis_name,
        axis.get_visible(),
        *ax.bbox.bounds,
        *transform(axis.get_view_interval()),
        *(tuple(transform(place)) for place in places if len(place)),
        *map(tuple, words),
        *(str(axis.get_tick_params(which)) for which in ("major", "minor")),
        *((tick.get_pad(), tick.get_visible()) for tick in ticks),
        *map(line_look, lines),
        *map(text_look, texts),
        axis.get_label_position(),
        axis.labelpad,
        str(axis.label.get_transform()),
        *((side, str(s.get_position()), s.get_visible(), s.get_linewidth()) for side, s in ax.spines.items()),
    )


def rare(artist):
    """Whether it has one of the properties that no explorer needs and that a look does not list."""
    return (
        artist.get_path_effects()
        or artist.get_sketch_params()
        or artist.get_agg_filter()
        or artist.get_rasterized()
        or artist.get_url()
        or artist.get_gid()
        or (hasattr(artist, "get_bbox_patch") and artist.get_bbox_patch())
    )


def line_look(line):
    return (
        line.get_visible(),
        str(line.get_color()),
        line.get_linestyle(),
        line.get_linewidth(),
        line.get_alpha(),
        str(line.get_marker()),
        line.get_markersize(),
        str(line.get_markeredgecolor()),
        line.get_markeredgewidth(),
    )


def text_look(text):
    return (
        text.get_text(),
        text.get_visible(),
        str(text.get_color()),
        hash(text.get_fontproperties()),
        text.get_rotation(),
        text.get_rotation_mode(),
        text.get_horizontalalignment(),
        text.get_verticalalignment(),
        text.get_alpha(),
        text.get_unitless_position(),
        text.get_wrap(),
    )
