"""A small house with a book of one page and one notebook, to be built, changed and broken."""

import json
import shutil
import subprocess
import sys

from tests import ROOT

PARTS = ("_config.yml", "tools", "requirements.txt", "book/_static", "book/_templates", "book/references.bib")
KERNEL = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}


def small_house(folder):
    """The house's own tools, and a book of an index and of one notebook that is not written yet."""
    for name in PARTS:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (folder / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [{file: trial}]\n")
    (folder / "book" / "index.md").write_text("# A book\n\nOf one notebook.\n")
    (folder / "book" / "curves").mkdir()
    (folder / "blowup" / "data").mkdir(parents=True)
    return folder


def write_notebook(folder, *sources, prose="One notebook."):
    """Write trial.ipynb: a cell for each source. A source that begins with ``# test`` is a hidden check."""
    cells = [{"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# Trial\n\n{prose}"}]
    for i, source in enumerate(sources):
        tags = ["remove-cell", "test"] if source.startswith("# test") else []
        cell = {"cell_type": "code", "id": f"c{i}", "metadata": {"tags": tags}, "source": source}
        cells.append(cell | {"outputs": [], "execution_count": None})
    text = json.dumps({"cells": cells, "metadata": KERNEL, "nbformat": 4, "nbformat_minor": 5})
    (folder / "book" / "trial.ipynb").write_text(text)


def build(folder, **options):
    """``make book`` in the small house: the exit code, and all that it said."""
    command = [sys.executable, "-m", "tools.site.build"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **options)
    return result.returncode, result.stdout + result.stderr


def page(folder, name="trial.html"):
    return (folder / "_build" / "html" / name).read_text(encoding="utf-8")
