"""What a deck of slides takes from its chapter: figures, equations, code, printed text, explorers.

The chapter is the notebook that was executed for the site, so nothing runs here. A piece is named by the id
of its cell; a cell that is gone, or does not hold what the deck wants of it, raises :class:`DeckError`.
"""

import ast
import json
import re
from html import escape
from xml.etree import ElementTree

import nbformat
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from tools.site import executed

DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
INLINE = re.compile(r"\$(.+?)\$")
PUNCTUATION = re.compile(r"(\\,)?\s*[.,;]$")  # of the sentence that the equation ends
INK = re.compile("#(000000|444444)")
LONG = re.compile(r"\d+\.\d{3,}")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")


SVG = "{http://www.w3.org/2000/svg}"
ElementTree.register_namespace("", SVG.strip("{}"))
ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")


class DeckError(ValueError):
    """What is wrong with a deck, in one line."""


def chapter(name):
    """The :class:`Chapter` ``name`` as it was executed; DeckError if it was not, or has changed since."""
    try:
        return Chapter(nbformat.reads(json.dumps(executed.merged(name)), as_version=4))
    except executed.NotExecuted as error:
        raise DeckError(str(error)) from None


class Chapter:
    """One executed chapter, to take pieces from as HTML."""

    def __init__(self, notebook):
        self.cells = {cell.id: cell for cell in notebook.cells}

    def piece(self, kind, cell_id, *words):
        """The piece of this ``kind`` in that cell, or its part that ``words`` name; DeckError if missing."""
        if kind not in KINDS:
            raise DeckError(f"no kind of piece is called {kind}: choose from {', '.join(KINDS)}")
        if cell_id not in self.cells:
            raise DeckError(f"the chapter has no cell {cell_id}")
        return KINDS[kind](self.cells[cell_id], *words)

    def numbers(self):
        """Every number that the chapter writes, prints or says in a figure's description."""
        said = []
        for cell in self.cells.values():
            said += [cell.source, str(cell.metadata)]
            for output in cell.get("outputs", []):
                said += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        return set(NUMBER.findall("\n".join(said)))


def figure(cell, title=""):
    """The cell's picture as SVG in the page, with its alternative text and without the slide's ``title``."""
    alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt")
    outputs = [output.get("data", {}) for output in cell.get("outputs", [])]
    pictures = [data["image/svg+xml"] for data in outputs if "image/svg+xml" in data]
    if not pictures:
        raise DeckError(f"cell {cell.id} has no figure")
    if not alt:
        raise DeckError(f"the figure of cell {cell.id} has no alternative text")
    parser = ElementTree.XMLParser(target=ElementTree.TreeBuilder(insert_comments=True))
    root = ElementTree.fromstring(pictures[0], parser)
    untitled = ' class="untitled"' * remove_title(root, title)
    tidy(root)
    follow_scheme(root)
    for name in ("width", "height"):
        root.attrib.pop(name, None)  # the slide says how large it is
    root.attrib.update({"role": "img", "aria-label": alt})
    svg = ElementTree.tostring(root, encoding="unicode")
    # Names are the page's, and two figures may use the same ones.
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{cell.id}-", svg)
    return f"<figure{untitled}>{svg}</figure>"


def remove_title(root, title):
    """Take the text ``title`` out of a figure; returns whether it was there.

    matplotlib says in a comment what a text says. Only the letters drawn are removed: the definitions of
    their shapes stand beside them and serve other texts too.
    """
    groups = [g for g in root.iter() if any(is_comment(child, title) for child in g)]
    for parent in [part for group in groups for part in group.iter()]:
        for letter in parent.findall(f"{SVG}use"):
            parent.remove(letter)
    return bool(groups)


def is_comment(node, text):
    return node.tag is ElementTree.Comment and node.text.strip() == text


def tidy(root):
    """Drop what a page has no use for: comments, metadata, digits that nobody sees, a style for all of it."""
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in (ElementTree.Comment, f"{SVG}metadata", f"{SVG}style"):
                parent.remove(child)
    root.attrib.update({"stroke-linejoin": "round", "stroke-linecap": "butt"})  # what that style said
    for path in root.iter(f"{SVG}path"):
        path.set("d", LONG.sub(lambda m: f"{float(m[0]):.2f}", path.get("d", "")))


def follow_scheme(root):
    """Ink and paper of a figure follow the page, light or dark; all other colors stay."""
    root.set("fill", "currentColor")  # letters have no color of their own
    for group in root.iter(f"{SVG}g"):
        for path in group.findall(f"{SVG}path"):
            if group.get("id", "").startswith("patch_") and path.get("style") == "fill: #ffffff":
                path.set("style", "fill: var(--paper)")
    for node in root.iter():
        if "style" in node.attrib:
            node.set("style", INK.sub("currentColor", node.get("style")))


def equation(cell, *which):
    """A formula of the cell as TeX between MathJax's marks, set on a line of its own.

    ``which`` is nothing for the first display equation, its number, or how a formula in the text begins.
    """
    source = cell.source if cell.cell_type == "markdown" else ""
    found, start = DISPLAY.findall(source), " ".join(which or "1")
    if start.isdecimal():
        if not 1 <= int(start) <= len(found):
            raise DeckError(
                f"cell {cell.id} has {len(found) or 'no'} display equations, so none is number {start}"
            )
        tex = PUNCTUATION.sub("", found[int(start) - 1].strip())
    else:
        inline = [tex for tex in INLINE.findall(DISPLAY.sub("", source)) if tex.startswith(start)]
        if len(inline) != 1:
            raise DeckError(f"cell {cell.id} has {len(inline) or 'no'} formulas that begin with {start}")
        tex = inline[0]
    return f'<div class="equation">\\[{escape(tex, quote=False)}\\]</div>'


def code(cell, *names):
    """The cell's code, or only the statements that define ``names``, colored and without docstrings."""
    if cell.cell_type != "code":
        raise DeckError(f"cell {cell.id} is not code")
    source = without_docstrings(cell.source)
    if names:
        parts = {name: node for node in ast.parse(source).body for name in defines(node)}
        missing = [name for name in names if name not in parts]
        if missing:
            raise DeckError(f"cell {cell.id} does not define {', '.join(missing)}")
        source = "\n\n".join(ast.get_source_segment(source, parts[name]) for name in names)
    return preformatted("code", source, highlight(source, PythonLexer(), HtmlFormatter(nowrap=True)))


def without_docstrings(source):
    """The code without the docstrings of its functions: on a slide the speaker says what they do."""
    lines = source.splitlines()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) and len(node.body) > 1:
            first, last = node.body[0].lineno, node.body[0].end_lineno
            lines[first - 1 : last] = [None] * (last - first + 1)
    return "\n".join(line for line in lines if line is not None)


def preformatted(kind, text, html):
    """Lines that keep their breaks; the style sheet fits their size to how many there are and how long."""
    lines = text.splitlines()
    size = f"--columns: {max(map(len, lines))}; --rows: {len(lines)}"
    return f'<div class="fit"><pre class="{kind}" style="{size}" tabindex="0">{html.rstrip()}</pre></div>'


def defines(node):
    """The names that one statement at the top of a cell binds."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {n.id for target in targets for n in ast.walk(target) if isinstance(n, ast.Name)}


def printed(cell):
    """What the cell printed."""
    texts = [o.text for o in cell.get("outputs", []) if o.output_type == "stream"]
    text = "".join(texts)
    if not text.strip():
        raise DeckError(f"cell {cell.id} prints nothing")
    return preformatted("printed", text.rstrip(), escape(text))


def explorer(cell):
    """The cell's explorer, alive; a swipe on it is not a swipe to the next slide."""
    for output in cell.get("outputs", []):
        html = output.get("data", {}).get("text/html", "")
        if "blowup-explorer" in html:
            return f'<div class="explorer" data-prevent-swipe>{html}</div>'
    raise DeckError(f"cell {cell.id} has no explorer")


KINDS = {"figure": figure, "equation": equation, "code": code, "printed": printed, "explorer": explorer}
