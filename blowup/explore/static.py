"""The explorer on the static page: every frame drawn now, shipped as one piece of HTML, no kernel needed."""

import gzip
import hashlib
import json
import re
from html import escape
from importlib.resources import files

from blowup.explore.frames import share
from blowup.explore.svg import UID, Library

MAX_STATES = 250
MAX_EXPLORER = 60_000  # bytes, gzip
MAX_PAGE = 150_000
BEGIN, END = "<!-- explorer -->", "<!-- /explorer -->"
ADVICE = "use fewer values, fewer points or markers, or fixed axis limits, so that frames share more"


class Page:
    """What one kernel, which fills one page, has put there: ids must be unique and bytes add up."""

    def __init__(self):
        self.ids, self.bytes = set(), 0

    def add(self, html):
        """``html`` with an id of its own in place of the placeholder; ValueError past the page's budget."""
        base = uid = "explorer-" + hashlib.sha256(html.encode()).hexdigest()[:8]
        while uid in self.ids:
            uid = f"{base}-{len(self.ids)}"
        html = html.replace(UID, uid)
        total = self.bytes + gzip_size(html)
        _check(total, MAX_PAGE, "the explorers of this page")
        self.ids.add(uid)
        self.bytes = total
        return html


PAGE = Page()


def show(explorer):
    """Publish the explorer as one HTML output of the running cell."""
    from IPython.display import publish_display_data

    html, text = build(explorer)
    publish_display_data({"text/html": PAGE.add(html), "text/plain": explorer.line(text)})


def gzip_size(text):
    """Bytes on the wire: gzip at the level that web servers use."""
    return len(gzip.compress(text.encode(), 6, mtime=0))


def check_page(html):
    """The gzip sizes of the explorers in a built page; ValueError when one, or their sum, is past budget."""
    sizes = [gzip_size(m) for m in re.findall(f"{BEGIN}.*?{END}", html, re.DOTALL)]
    for size in sizes:
        _check(size, MAX_EXPLORER, "an explorer of this page")
    _check(sum(sizes), MAX_PAGE, "the explorers of this page")
    return sizes


def build(explorer):
    """``(html, start text)``; the html has the placeholder ``UID`` where its id belongs."""
    if explorer.size > MAX_STATES:
        shape = " × ".join(str(len(p.values)) for p in explorer.parameters)
        raise ValueError(
            f"this explorer has {shape} = {explorer.size} states; at most {MAX_STATES} are allowed"
        )
    library, frames, alts, box = Library(), [], [], None
    for values in explorer.states():
        with explorer.drawn(values) as (figure, text):
            drawn_box, fragments = library.draw(figure)
            box = box or drawn_box
            if drawn_box != box:
                raise ValueError(f"draw must keep one figure size, but {box} became {drawn_box}")
            frames.append(fragments)
            alts.append(text)
    html = _html(explorer, share(frames), library, alts, box)
    _check(gzip_size(html), MAX_EXPLORER, f"this explorer with {explorer.size} states")
    return html, alts[explorer.start_index]


def _check(size, limit, what):
    if size > limit:
        raise ValueError(
            f"past the budget: {what} takes {size / 1000:.0f} kB (gzip), "
            f"at most {limit / 1000:.0f} kB are allowed; {ADVICE}"
        )


def _html(explorer, shared, library, alts, box):
    k = explorer.start_index
    slots = iter(shared.fill(k))
    body = "".join(f"<g data-slot>{next(slots)}</g>" if p is None else p for p in shared.skeleton)
    width = float(box.split()[2]) * 4 / 3  # points to CSS pixels
    data = {
        "texts": [p.texts for p in explorer.parameters],
        "alts": alts,
        "pieces": shared.pieces,
        "frames": shared.frames,
    }
    # "</" would end the script element and "<!--" hide its end; escaped, they mean the same in JSON.
    data = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    data = data.replace("</", r"<\/").replace("<!--", r"<\u0021--")
    controls = "".join(_control(p, f"{UID}-p{n}") for n, p in enumerate(explorer.parameters))
    return (
        f"{BEGIN}<style>{_source('explore.css')}</style>\n"
        f'<div class="blowup-explorer" id="{UID}" role="group" aria-label="Interactive figure">\n'
        f'<svg viewBox="{box}" style="max-width:{width:.0f}px" role="img" aria-label="{escape(alts[k])}">'
        f"<defs>{library.markup()}</defs>{body}</svg>\n"
        f'<div class="blowup-controls">{controls}</div>\n'
        f'<div class="blowup-said" role="status" aria-live="polite"></div>\n'
        f'<script type="application/json" id="{UID}-data">{data}</script>\n'
        f'</div>\n<script>{_source("explore.js")}\nblowupExplorer("{UID}");</script>{END}'
    )


def _control(p, uid):
    """One native control with its label; hidden, but for the value it stands at, until the script runs."""
    value = f'<span class="blowup-value" aria-hidden="true">{escape(p.texts[p.start])}</span>'
    head = f'<label for="{uid}">{escape(p.label)}</label>{value}'
    if not p.is_number:
        options = "".join(
            f"<option{' selected' * (i == p.start)}>{escape(text)}</option>" for i, text in enumerate(p.texts)
        )
        return f'<div>{head}<select id="{uid}" autocomplete="off" hidden>{options}</select></div>'
    low, high, step, now = _grid(p)
    return (
        f'<div>{head}<input type="range" id="{uid}" min="{low}" max="{high}" step="{step}" value="{now}" '
        f'aria-valuetext="{escape(p.texts[p.start])}" autocomplete="off" hidden></div>'
    )


def _grid(p):
    """(min, max, step, value): the real ones on an even rising grid, since Chromium reads them aloud."""
    first, last, gaps = p.values[0], p.values[-1], len(p.values) - 1
    step = (last - first) / gaps if gaps else 0
    even = step > 0 and all(abs(first + i * step - v) < 1e-6 * step for i, v in enumerate(p.values))
    if not even:
        return 0, gaps, 1, p.start
    return tuple(f"{number:.12g}" for number in (first, last, step, p.values[p.start]))


def _source(name):
    """Our script or style as it is shipped: without comments and indentation."""
    text = files("blowup.explore").joinpath(name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
    return "\n".join(filter(None, map(str.strip, text.splitlines())))
