"""A student's page: the score, one line an exercise, and the student's own code with what it gave.

One file that needs no other host. The source of the tests is not in it, nor any output that repeats it, nor
anything that could run in a browser: of the outputs only text and pictures are shown.
"""

import base64
from functools import cache
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter

TEXT, PICTURE = 20_000, 1_500_000  # characters of one output that the page takes
PICTURES = ("image/svg+xml", "image/png", "image/jpeg")
HIDDEN = "[left out: this output repeats hidden tests]"
PYGMENTS = "friendly"


@cache
def template():
    """The page around the pieces."""
    loader = FileSystemLoader(Path(__file__).resolve().parent)
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.get_template("feedback.html.j2")


def page(notebook, lab, submission, result):
    """The page as text, and where outputs that repeat the hidden tests were left out (a list of names)."""
    given = {cell.source.strip() for known in (lab.release, lab.master) for cell in known.cells}
    graded = {exercise["name"]: exercise for exercise in result.exercises}
    pieces, leaks = [], []
    for number, cell in enumerate(notebook.cells, 1):
        meta = cell.metadata.get("nbgrader", {})
        name = meta.get("grade_id", f"cell {number}")
        if name in graded and not meta.solution:
            pieces.append({"result": graded[name]})
            continue
        if hide_secrets(cell, lab.secrets):
            leaks.append(name)
        outputs = cell.get("outputs", [])
        own = meta.get("solution") or cell.source.strip() not in given
        if own or any(o.output_type == "error" or "data" in o for o in outputs):
            shown = {"source": source(cell), "outputs": [output(o) for o in outputs]}
            pieces.append(shown | {"result": graded.get(name)})
    style = HtmlFormatter(style=PYGMENTS).get_style_defs(".highlight")
    words = {"student": submission.student, "file": submission.path, "lab": title(lab), "result": result}
    return template().render(**words, pieces=pieces, style=Markup(style)), leaks


def title(lab):
    """The lab's first heading, or its name."""
    first = next((c.source for c in lab.release.cells if c.source.startswith("# ")), f"# {lab.name}")
    return first.splitlines()[0].lstrip("# ")


def source(cell):
    """A cell's text as HTML: code in colors, Markdown set, HTML in it shown as it is written."""
    if cell.cell_type == "code":
        return Markup(Highlight2HTML(pygments_lexer="ipython3")(cell.source))
    if cell.cell_type == "markdown":
        return Markup(MarkdownWithMath(renderer=IPythonRenderer(escape=True)).render(cell.source))
    return Markup("<pre>{}</pre>").format(cell.source)


def output(node):
    """One output as HTML: a picture if it is one, else its text."""
    if node.output_type == "stream":
        return text(node.text)
    if node.output_type == "error":
        return text("\n".join(node.traceback) or f"{node.ename}: {node.evalue}")
    for kind in PICTURES:
        if kind in node.data:
            return picture(kind, str(node.data[kind]))
    return text(str(node.data.get("text/plain", "[an output that is neither text nor a picture]")))


def text(words):
    """Printed text as HTML, with the terminal's colors; the middle of what is too long is left out."""
    if len(words) > TEXT:
        gone = f"\n\n[… {len(words) - TEXT:,} characters left out …]\n\n"
        words = words[: TEXT // 2] + gone + words[-TEXT // 2 :]
    return Markup("<pre>{}</pre>").format(Markup(ansi2html(words)))


def picture(kind, data):
    """A picture as an image with its data inside: there, a script in an SVG file does not run."""
    if len(data) > PICTURE:
        return text(f"[a picture of {len(data) / 1e6:.1f} MB left out]")
    if kind == "image/svg+xml":
        data = base64.b64encode(data.encode()).decode()
    return Markup('<img alt="A figure that this cell drew" src="data:{};base64,{}">').format(
        kind, escape("".join(data.split()))
    )


def hide_secrets(cell, secrets):
    """Replace a cell's outputs that hold lines of the hidden tests; True if there were any."""
    found = False
    for place, node in enumerate(cell.get("outputs", [])):
        texts = [node.get("text", ""), node.get("evalue", ""), *node.get("traceback", [])]
        texts += [str(value) for value in node.get("data", {}).values()]
        joined = "\n".join(map(str, texts))
        # As it stands, and as repr() writes it, with quotes behind a backslash.
        if any(line in joined or repr(line)[1:-1] in joined for line in secrets):
            cell.outputs[place] = nbformat.v4.new_output("stream", text=HIDDEN)
            found = True
    return found
