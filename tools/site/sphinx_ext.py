"""The book's Sphinx extension: what is left to do for a site that needs no other host.

- a chapter's page is made of its present prose and of the outputs that were kept when it was executed;
- MathJax comes from a pinned Python package, the parts that the pages use and no more;
- every page says in one sentence what it is about, for search engines and link previews;
- scripts and fonts that no page asks for are left out of the site.
"""

import html
import json
from importlib.metadata import distribution
from pathlib import Path
from shutil import copy2

from docutils import nodes
from sphinx.util import logging

from tools.site import executed

LOGGER = logging.getLogger(__name__)
MATHJAX = ("tex-mml-chtml.js", "output/chtml/fonts/woff-v2/*.woff", "input/tex/extensions/*.js")
UNUSED = ("scripts/fontawesome.js*", "scripts/*.map", "styles/*.map", "vendor/fontawesome/webfonts/*.ttf")


def setup(app):
    app.add_config_value("comments_config", {}, "html")  # Jupyter Book sets it; its reader is not loaded
    app.connect("source-read", bring_outputs)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", mend_markup)
    app.connect("build-finished", bring_mathjax)
    app.connect("build-finished", leave_out_unused)
    return {"parallel_read_safe": False, "parallel_write_safe": True}


def bring_outputs(app, docname, source):
    """Give a chapter, as it is read, the outputs of its run; a warning where there is none of these cells."""
    if docname in executed.chapters():
        try:
            source[0] = json.dumps(executed.merged(docname, json.loads(source[0])))
        except executed.NotExecuted as error:
            LOGGER.warning(str(error))
        app.env.note_dependency(str(executed.folder() / f"{docname}.ipynb"))


def describe(app, pagename, templatename, context, doctree):
    """Give the page a description: its first paragraph, cut at a word."""
    if doctree is None:
        return
    paragraphs = (p.astext() for p in doctree.findall(nodes.paragraph))
    text = " ".join(next(filter(None, paragraphs), app.config.html_title).split())
    if len(text) > 160:
        text = text[:159].rsplit(" ", 1)[0].rstrip(" ,;:.") + "…"
    context["metatags"] += f'\n<meta name="description" content="{html.escape(text)}" />'


MENDED = (
    # Bibliography entries are items of a list; the role that docutils gives them is out of use.
    ('role="doc-biblioentry"', 'role="listitem"'),
    # A folded cell says "Show the code"; its label for screen readers said something else.
    (' aria-label="Toggle hidden content"', ""),
    # sphinx-exercise gives the same id to every exercise and to every solution of a page.
    (' id="exercise-content"', ' class="exercise-content"'),
    (' id="solution-content"', ' class="solution-content"'),
)


def mend_markup(app, pagename, templatename, context, doctree):
    """Mend what the extensions write and the accessibility checks reject."""
    for wrong, right in MENDED:
        context["body"] = context.get("body", "").replace(wrong, right)


def bring_mathjax(app, exception):
    """Copy MathJax's combined component, its fonts and its on-demand TeX extensions (1.8 MB)."""
    if exception is not None or app.builder.format != "html":
        return
    source = Path(distribution("sphinx-mathjax-offline").locate_file("sphinx-mathjax-offline/static/mathjax"))
    target = Path(app.outdir, "_static", "mathjax")
    for pattern in MATHJAX:
        files = [f for f in source.glob(pattern) if f.name != "all-packages.js"]
        if not files:
            raise FileNotFoundError(f"MathJax has no {pattern} in {source}")
        for file in files:
            copy = target / file.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy2(file, copy)


def leave_out_unused(app, exception):
    """Remove what book/_templates/static/webpack-macros.html no longer loads, and source maps."""
    static = Path(app.outdir, "_static")
    for pattern in UNUSED:
        for file in static.glob(pattern):
            file.unlink()
