"""The build fails loudly, a good book is built for a static page, the server starts."""

import json
import re
import shutil
import socket
import subprocess
import sys
import urllib.request

import pytest

from tests import ROOT
from tools.site import serve


@pytest.fixture
def small_book(tmp_path):
    """The house with a book of one page and one notebook, to be broken."""
    for name in ("_config.yml", "tools", "book/_static", "book/_templates", "book/references.bib"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    (tmp_path / "_toc.yml").write_text("format: jb-book\nroot: index\nchapters: [{file: trial}]\n")
    (tmp_path / "book" / "index.md").write_text("# A book\n\nOf one notebook.\n")

    def write(*sources):
        cells = [
            {"cell_type": "markdown", "id": "title", "metadata": {}, "source": "# Trial\n\nOne notebook."}
        ]
        for i, source in enumerate(sources):
            cell = {
                "cell_type": "code",
                "id": f"c{i}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
            }
            cells.append(cell | {"source": source})
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        text = json.dumps({"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5})
        (tmp_path / "book" / "trial.ipynb").write_text(text)
        command = [sys.executable, "-m", "tools.site.build"]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr

    return write


def test_a_failing_cell_ends_the_build_with_notebook_cell_and_traceback(small_book):
    code, said = small_book("x = 41", "assert x == 42, 'the answer moved'")
    assert code != 0
    assert "trial.ipynb" in said and "assert x == 42" in said
    assert "Traceback" in said and "the answer moved" in said
    assert "The site is in" not in said


def test_a_warning_in_a_chapter_fails_the_build(small_book):
    code, said = small_book("import sys; print('careful', file=sys.stderr)")
    assert code != 0 and "stderr" in said


def write_deck(folder, line):
    """A deck of one slide for the small book's notebook."""
    (folder / "course" / "slides").mkdir(parents=True)
    deck = f"minutes: 1\n---\n# Trial\n\n{line}\n\nNote: 1 min. Read it aloud.\n"
    (folder / "course" / "slides" / "trial.md").write_text(deck)


def test_a_deck_that_asks_for_what_is_not_there_fails_the_build(small_book, tmp_path):
    write_deck(tmp_path, "{figure} c0")
    code, said = small_book("print('no figure')")
    assert code != 0 and "The site is in" not in said
    assert 'course/slides/trial.md: slide "Trial": cell c0 has no figure' in said


def test_a_good_book_is_built_for_a_static_page_and_says_where(small_book, tmp_path):
    write_deck(tmp_path, "{printed} c0")
    code, said = small_book("import os; print('static life', os.environ['BLOWUP_STATIC'])")
    assert code == 0, said
    # The kernel's ZeroMQ now and then writes a line of its own between the two as it ends.
    assert re.search(r"1/1 trial … (?:Assertion failed: .*\n)?\d+\.\d s", said)
    assert "_build/html" in said and "make serve" in said
    for page in ("trial.html", "slides/trial.html"):
        assert "static life 1" in (tmp_path / "_build" / "html" / page).read_text()


def test_serving_moves_on_from_a_busy_port():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with serve.open_port(port) as server:
            assert port < server.server_address[1] < port + 20


@pytest.mark.parametrize("port", ["eighty", "0", "-1", "99999"])
def test_serving_names_a_bad_port(port, site):
    result = subprocess.run(
        [sys.executable, "-m", "tools.site.serve", port], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 1 and "PORT must be a number" in result.stderr


def test_make_serve_shows_the_site(site):
    command = [sys.executable, "-m", "tools.site.serve", "8123"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = re.search(r"http://\S+", server.stdout.readline()).group()
            assert "Exploding Gradients" in urllib.request.urlopen(address, timeout=10).read().decode()
        finally:
            server.terminate()
