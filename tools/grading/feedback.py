"""A student's page: the score, one line an exercise, and the student's own code with what it gave.

One file that needs no other host. The source of the tests is not in it, nor any output that repeats it.
"""

import html
from functools import cache
from pathlib import Path

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from nbconvert import HTMLExporter
from pygments.formatters import HtmlFormatter

PICTURE = 1_500_000  # characters of an output's data that a page takes, a picture among them
HIDDEN = "[left out: this output repeats hidden tests]"


@cache
def exporter():
    """nbconvert's plain pieces, with whatever could run in a browser taken out."""
    return HTMLExporter(
        template_name="basic",
        sanitize_html=True,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
        exclude_anchor_links=True,
    )


@cache
def template():
    """The page around the pieces."""
    loader = FileSystemLoader(Path(__file__).resolve().parent)
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(
        "feedback.html.j2"
    )


def page(notebook, lab, submission, result):
    """The page as text, and where outputs that repeat the hidden tests were left out (a list of names)."""
    given = {cell.source.strip() for known in (lab.release, lab.master) for cell in known.cells}
    graded = {exercise["name"]: exercise for exercise in result.exercises}
    pieces, leaks = [], []
    for number, cell in enumerate(notebook.cells, 1):
        name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {number}")
        if name in graded and cell.cell_type == "code" and not cell.metadata.nbgrader.solution:
            pieces.append({"result": graded[name]})
            continue
        own = cell.source.strip() not in given or cell.metadata.get("nbgrader", {}).get("solution")
        if hide_secrets(cell, lab.secrets):
            leaks.append(name)
        if own or (name not in graded and any(o.output_type == "error" for o in cell.get("outputs", []))):
            pieces.append({"html": piece(cell), "result": graded.get(name)})
    style = HtmlFormatter(style="default").get_style_defs(".highlight")
    words = {"student": submission.student, "file": submission.path, "lab": title(lab), "result": result}
    return template().render(**words, pieces=pieces, style=style), leaks


def title(lab):
    """The lab's first heading, or its name."""
    first = next((c.source for c in lab.release.cells if c.source.startswith("# ")), f"# {lab.name}")
    return first.splitlines()[0].lstrip("# ")


def piece(cell):
    """One cell as HTML."""
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        for kind in [kind for kind in data if len(str(data[kind])) > PICTURE]:
            data[kind] = "[too large for this page]" if kind.startswith("text/") else ""
    alone = nbformat.v4.new_notebook(cells=[cell])
    try:
        return exporter().from_notebook_node(alone)[0]
    except Exception as error:  # an output that the exporter cannot show must not cost the student the page
        return f"<pre>{html.escape(cell.source)}</pre><p>Not shown: {html.escape(type(error).__name__)}.</p>"


def hide_secrets(cell, secrets):
    """Replace a cell's outputs that hold lines of the hidden tests; True if there were any."""
    found = False
    for place, output in enumerate(cell.get("outputs", [])):
        texts = [output.get("text", ""), output.get("evalue", ""), *output.get("traceback", [])]
        texts += [str(value) for value in output.get("data", {}).values()]
        text = "\n".join(map(str, texts))
        # As it stands, and as repr() writes it: lines joined by \n, quotes with a backslash.
        if any(line in text or repr(line)[1:-1] in text for line in secrets):
            cell.outputs[place] = nbformat.v4.new_output("stream", text=HIDDEN)
            found = True
    return found
