"""Build the slides of every chapter into _build/html/slides, one file each that needs no other.

``make slides`` calls this, and so does ``make book`` after the site. A deck is ``course/slides/NAME.md``: its
length (``minutes: 50``), then slides, each after a line of ``---``. A slide is Markdown, its formulas between
dollars. It has a title that states its finding, ``Note: 3 min.`` before what the speaker reads, and lines
that take pieces from the executed chapter by the id of a cell:

    {figure} ID               its picture, without a title that the slide already has
    {equation} ID [NUMBER]    its display equation; or, by how it begins, a formula in its text
    {code} ID [NAME …]        its code, or only what defines these names, without docstrings
    {printed} ID              what it printed
    {explorer} ID             its explorer, alive
    {side}                    on a line of its own: pieces on the left, words on the right

A title that ends with a question mark makes a slide that asks, unless it shows a figure. Every number on a
slide must stand in the chapter. What is wrong stops the build with one line that names the slide.
"""

import re
import sys
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import yaml
from jinja2 import Environment, FileSystemLoader
from pygments.formatters import HtmlFormatter

from tools import ROOT
from tools.handouts.one_file import markdown, mathjax, package, script
from tools.handouts.pieces import NUMBER, DeckError, chapter

SOURCES = ROOT / "course" / "slides"
TARGET = ROOT / "_build" / "html" / "slides"
TAKE = re.compile(r"^\{(\w+)\}\s*(.*)$")
NOTE = re.compile(r"^Note: (\d+) min\. *(.*)", re.DOTALL | re.MULTILINE)
LICENSES = "reveal.js: MIT license. MathJax: Apache License 2.0. Text and figures: CC BY 4.0."


@dataclass
class Slide:
    """One slide as it is written: its title, its lines, the minutes it takes and what the speaker reads."""

    title: str
    level: int
    body: list[str]
    minutes: int
    note: str
    taken: list[tuple[str, ...]] = field(default_factory=list)  # (kind, cell id, words …)


def parse(text):
    """``(minutes, slides)`` of a deck's source; DeckError where it does not have the form of one."""
    head, *parts = re.split(r"^---\n", text.removeprefix("---\n"), flags=re.MULTILINE)
    about = yaml.safe_load(head)
    if not isinstance(about, dict) or not isinstance(about.get("minutes"), int):
        raise DeckError("a deck begins with its length, as in: minutes: 50")
    slides = [parse_slide(part) for part in parts]
    total = sum(slide.minutes for slide in slides)
    if total != about["minutes"]:
        raise DeckError(f"the slides take {total} minutes together, but the deck says {about['minutes']}")
    return about["minutes"], slides


def parse_slide(text):
    """One :class:`Slide` from its text."""
    title = re.match(r"\s*(##?) (.+)\n", text)
    if title is None:
        raise DeckError(f"a slide begins with its title after # or ##, not with {text.strip()[:40]!r}")
    note = NOTE.search(text)
    if note is None:
        raise DeckError(f'slide "{title[2]}" has no note that begins like: Note: 3 min.')
    if "$" in note[2]:
        raise DeckError(f'slide "{title[2]}": the speaker view sets no formulas, so write its note without $')
    body = text[title.end() : note.start()].strip().splitlines()
    taken = [(m[1], *m[2].split()) for m in map(TAKE.match, body) if m]
    return Slide(title[2].strip(), len(title[1]), body, int(note[1]), note[2].strip(), taken)


MD = markdown(typographer=True)


def section(slide, chapter):
    """The slide as HTML, with the pieces that it takes from ``chapter``."""
    pieces, prose, order = [], [], []
    for take, lines in blocks(slide.body):
        if take and take[0] == "side":
            continue
        if take:
            more = [slide.title] * (take[0] == "figure")
            html = chapter.piece(*take, *more)
        else:
            html = f'<div class="prose">{MD.render(lines)}</div>'
        (pieces if take else prose).append(html)
        order.append(html)
    asks = slide.title.endswith("?") and not {"figure", "explorer"} & {take[0] for take in slide.taken}
    kind = "title" if slide.level == 1 else "ask" if asks else "finding"
    background = ' data-background-color="var(--tint)"' if kind == "ask" else ""
    if ("side",) in slide.taken:
        kind += " side"
        order = [f'<div class="pieces">{"".join(pieces)}</div>', *prose]
    heading = f"h{slide.level}"
    note = MD.render(f"**{slide.minutes} min.** {slide.note}")
    return (
        f'<section class="{kind}"{background}><{heading}>{MD.renderInline(slide.title)}</{heading}>\n'
        f'<div class="body">{"".join(order)}</div>\n<aside class="notes">{note}</aside></section>\n'
    )


def blocks(lines):
    """Runs of prose and lines that take a piece, in order: pairs of which one is None."""
    prose = []
    for line in [*lines, "{end}"]:
        take = TAKE.match(line)
        if take is None:
            prose.append(line)
            continue
        if "".join(prose).strip():
            yield None, "\n".join(prose)
        prose = []
        if take[1] != "end":
            yield (take[1], *take[2].split()), None


def check_numbers(slide, known):
    """A number on a slide stands in its chapter; DeckError names the first that does not."""
    shown = "\n".join([slide.title, *(line for line in slide.body if not TAKE.match(line))])
    for number in NUMBER.findall(shown):
        if number not in known:
            raise DeckError(f"the number {number} stands nowhere in the chapter")


def sections(text, chapter):
    """``(title, minutes, HTML of each slide)`` of a deck's source; DeckError names the wrong slide."""
    minutes, deck = parse(text)
    known, found = chapter.numbers(), []
    for slide in deck:
        try:
            check_numbers(slide, known)
            found.append(section(slide, chapter))
        except DeckError as error:
            raise DeckError(f'slide "{slide.title}": {error}') from None
    return deck[0].title, minutes, found


def page(title, minutes, slides):
    """The whole file: reveal.js, MathJax and our own style inside it."""
    reveal = package("sphinx-revealjs", "sphinx_revealjs/_static/revealjs")
    here = Path(__file__).parent
    template = Environment(loader=FileSystemLoader(here)).get_template("deck.html")
    return template.render(
        title=escape(title),
        minutes=minutes,
        licenses=LICENSES,
        slides="".join(slides),
        styles="\n".join([read(reveal / "dist/reveal.css"), read(here / "deck.css"), code_colors()]),
        mathjax=mathjax("tex-svg-full"),
        reveal=script(reveal / "dist/reveal.js") + "\n" + script(reveal / "plugin/notes/notes.js"),
        start=script(here / "deck.js"),
    )


def code_colors():
    """The site's colors of code, light and dark."""
    light, dark = (
        HtmlFormatter(style=f"a11y-high-contrast-{scheme}").get_style_defs(".code")
        for scheme in ("light", "dark")
    )
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{ {dark} }}"


def read(path):
    return path.read_text(encoding="utf-8")


def main():
    """Build every deck; stop at the first that is wrong, with one line that says what."""
    TARGET.mkdir(parents=True, exist_ok=True)
    decks = sorted(SOURCES.glob("*.md"))
    for deck in decks:
        try:
            html = page(*sections(read(deck), chapter(deck.stem)))
        except DeckError as error:
            sys.exit(f"{deck.relative_to(ROOT)}: {error}")
        (TARGET / f"{deck.stem}.html").write_text(html, encoding="utf-8")
    print(f"The slides of {len(decks)} chapters are in _build/html/slides.")


if __name__ == "__main__":
    main()
