"""From a matplotlib figure to a flat list of small SVG fragments in the page's ink."""

import io
import re
from functools import lru_cache
from itertools import groupby
from unittest.mock import patch
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import matplotlib as mpl
import matplotlib.text

from blowup.explore.axes import AGAIN, Axes
from blowup.explore.letters import LETTERS

# Text as outlines: a reader's machine may not have the figure's font, and then labels would not fit.
RC = {"svg.fonttype": "path", "svg.hashsalt": "blowup", "svg.image_inline": True, "savefig.bbox": None}
# Stands for the explorer's id, which is known only when all its frames are (a private-use character).
UID = "\ue000"
GRAY = re.compile(r"#([0-9a-f]{2})\1\1\b")
NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
REFERENCE = re.compile(r"url\(#([^)]+)\)")


def render(figure, axes=None):
    """The figure's SVG, parsed. No date and no random ids, so that two builds agree.

    With ``axes``, an ``Axes``, an axis that it knows is an empty group of the name that it was known by.
    """
    buffer, axes = io.BytesIO(), axes or Axes()
    # matplotlib lays out every text afresh for every file: each of its renderers makes a TextToPath.
    shared = patch.object(mpl.text, "TextToPath", lambda: LETTERS)
    with mpl.rc_context(RC), shared, axes.replayed(figure):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return ElementTree.fromstring(buffer.getvalue())


@lru_cache(8192)
def compact_number(units, digits):
    """An integer count of 10^-digits as the shortest decimal: ``-5, 1`` → ``-.5``."""
    text = f"{units / 10**digits:.{digits}f}".rstrip("0").rstrip(".") if digits else str(units)
    return re.sub(r"^(-?)0(?=\.)", r"\1", text)


@lru_cache(4096)  # glyphs and ticks come again in every frame
def compact_path(d, digits=1):
    """Path data rounded to ``digits``, in relative coordinates, which are short and repeat themselves.

    Absolute positions are rounded first and subtracted afterwards, so that no error adds up along a line.
    Knows the commands that matplotlib writes (M, L, Q, C, Z); anything else is returned as it came.
    """
    tokens = re.findall(rf"[A-Za-z]|{NUMBER.pattern}", d)
    if not set(filter(str.isalpha, tokens)) <= set("MLQCZz"):
        return d
    out, here, begin, last, i = [], (0, 0), (0, 0), "", 0
    while i < len(tokens):
        if tokens[i].isalpha():
            command, i = tokens[i].upper(), i + 1
        if command == "Z":
            out.append("z")
            here = begin
        else:
            count = {"M": 2, "L": 2, "Q": 4, "C": 6}[command]
            units = [round(float(t) * 10**digits) for t in tokens[i : i + count]]
            i += count
            # A command that repeats need not be written again (except M, where repeating means a line).
            out += [command] if command == "M" else [command.lower()] * (command != last)
            origin = (0, 0) if command == "M" else here
            out += [compact_number(u - origin[n % 2], digits) for n, u in enumerate(units)]
            here = tuple(units[-2:])
            begin = here if command == "M" else begin
        last = command
    return re.sub(r" (?=[-a-zA-Z])|(?<=[a-zA-Z]) ", "", " ".join(out))


def round_numbers(text, digits=1):
    return NUMBER.sub(lambda m: compact_number(round(float(m[0]) * 10**digits), digits), text)


def compact_style(style, ink):
    """A style without blanks; with ``ink`` black becomes the page's text color, white its background.

    A gray becomes the mixture between the two.
    """

    def follow(match):
        percent = round(100 * (1 - int(match[1], 16) / 255))
        paper = "var(--blowup-paper)"
        return {100: "currentColor", 0: paper}.get(
            percent, f"color-mix(in srgb,currentColor {percent}%,{paper})"
        )

    style = re.sub(r"([:;,])\s+", r"\1", style)
    return GRAY.sub(follow, style) if ink else style


class Library:
    """The definitions (glyphs, markers, clips) and the axes of all frames, each distinct one kept once."""

    def __init__(self):
        self.names = {}  # markup without its id → new id
        self.axes = Axes()
        self.again = {}  # the name that an axis is known by → its fragments

    def draw(self, figure):
        """``(viewBox, fragments)`` of a figure."""
        root = render(figure, self.axes)
        return root.get("viewBox"), self.fragments(root)

    def fragments(self, root):
        """The figure as a flat list of SVG fragments, in drawing order."""
        definitions = {e.get("id"): e for defs in root.iter() if _tag(defs) == "defs" for e in defs}
        return [f for child in root for f in self._flatten(child, definitions)]

    def markup(self):
        """All definitions, to stand once in a ``<defs>``."""
        return "".join(re.sub(r"^<\w+", rf'\g<0> id="{name}"', text) for text, name in self.names.items())

    def _flatten(self, element, definitions, ink=True):
        if _tag(element) in ("defs", "metadata"):
            return
        name = element.get("id", "")
        if name.startswith(AGAIN) and len(element):
            self.again[name] = [f for child in element for f in self._flatten(child, definitions, ink)]
        if name in self.again:
            yield from self.again[name]
            return
        # A colored mesh is data: a white cell in the middle of a color map stays white.
        ink = ink and not name.startswith("QuadMesh")
        if _tag(element) == "g" and not set(element.keys()) - {"id"}:
            for child in element:
                yield from self._flatten(child, definitions, ink)
        else:
            yield self._serialize(element, definitions, ink)

    def _define(self, name, definitions):
        if name not in definitions:
            return name
        text = self._serialize(definitions[name], definitions, True, digits=2)
        return self.names.setdefault(text, f"{UID}-{len(self.names)}")

    def _serialize(self, element, definitions, ink, digits=1):
        tag, attributes = _tag(element), []
        for key, value in element.items():
            key = key.rpartition("}")[2]
            if key == "id" or (key == "type" and tag == "g"):
                continue
            if key == "d":
                value = compact_path(value, digits)
            elif key in ("x", "y", "width", "height", "points"):
                value = round_numbers(value, digits)
            elif key == "transform":  # never inside scale(): rounded to nothing, glyphs would vanish
                value = re.sub(r"translate\([^)]*\)", lambda m: round_numbers(m[0], digits), value)
            elif key == "style":
                value = compact_style(value, ink)
            elif key == "href" and value.startswith("#"):
                value = "#" + self._define(value[1:], definitions)
            value = REFERENCE.sub(lambda m: f"url(#{self._define(m[1], definitions)})", value)
            attributes.append(f" {key}={quoteattr(value)}")
        inside = escape((element.text or "").strip())
        for marker, run in groupby((c for c in element if _tag(c) != "defs"), _marker):
            run = list(run)
            if marker and len(run) > 2:
                inside += self._markers(run, definitions, ink)
            else:
                inside += "".join(self._serialize(c, definitions, ink, digits) for c in run)
        return f"<{tag}{''.join(attributes)}" + (f">{inside}</{tag}>" if inside else "/>")

    def _markers(self, uses, definitions, ink):
        """Equal markers as the vertices of one invisible path: browsers are slow with many ``<use>``."""
        key, style = _marker(uses[0])
        shape = self._serialize(definitions[key], definitions, ink, digits=2)
        inner = f'<g style="{compact_style(style, ink)}">{shape}</g>'
        text = f'<marker overflow="visible" markerUnits="userSpaceOnUse">{inner}</marker>'
        name = self.names.setdefault(text, f"{UID}-{len(self.names)}")
        d = compact_path("M" + "L".join(f"{use.get('x')} {use.get('y')}" for use in uses))
        return f'<path d="{d}" style="fill:none;marker:url(#{name})"/>'


def _marker(element):
    """(id, style) of a ``<use>`` that is only moved, else None."""
    names = {key.rpartition("}")[2]: value for key, value in element.items()}
    if _tag(element) == "use" and set(names) == {"href", "x", "y", "style"}:
        return names["href"][1:], names["style"]
    return None


def _tag(element):
    return element.tag.rpartition("}")[2]
