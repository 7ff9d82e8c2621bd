"""The build fails loudly, a good book is built for a static page, the server starts."""

import re
import socket
import subprocess
import sys
import urllib.request

import pytest

from tests import ROOT
from tests.site.trial import build, page, small_house, write_notebook
from tools.site import serve


@pytest.fixture
def house(tmp_path):
    return small_house(tmp_path)


def test_a_failing_cell_ends_the_build_with_notebook_cell_and_traceback(house):
    write_notebook(house, "x = 41", "assert x == 42, 'the answer moved'")
    code, said = build(house)
    assert code == 1
    assert "trial.ipynb" in said and "assert x == 42" in said
    assert "Traceback" in said and "the answer moved" in said
    assert "The site is in" not in said


def test_a_warning_in_a_chapter_fails_the_build_every_time(house):
    write_notebook(house, "import sys; print('careful', file=sys.stderr)")
    for _ in range(2):
        code, said = build(house)
        assert code == 1 and "stderr" in said and "the site was not built" in said


def write_deck(folder, line):
    """A deck of one slide for the small book's notebook."""
    (folder / "course" / "slides").mkdir(parents=True)
    deck = f"minutes: 1\n---\n# Trial\n\n{line}\n\nNote: 1 min. Read it aloud.\n"
    (folder / "course" / "slides" / "trial.md").write_text(deck)


def test_a_deck_that_asks_for_what_is_not_there_fails_the_build(house):
    write_deck(house, "{figure} c0")
    write_notebook(house, "print('no figure')")
    code, said = build(house)
    assert code != 0 and "The site is in" not in said
    assert 'course/slides/trial.md: slide "Trial": cell c0 has no figure' in said


def test_a_good_book_is_built_once_and_its_prose_without_running_it_again(house):
    write_deck(house, "{printed} c0")
    cell = "import os, time; print('static life', os.environ['BLOWUP_STATIC'], time.time_ns())"
    write_notebook(house, cell)
    code, said = build(house)
    assert code == 0, said
    assert re.search(r"1/1 trial … \d+\.\d s", said) and "_build/html" in said and "make serve" in said
    run = re.search(r"static life 1 \d+", page(house)).group()
    assert run in page(house, "slides/trial.html")
    assert page(house, "_sources/trial.ipynb") == (house / "book" / "trial.ipynb").read_text(), "no outputs"

    code, said = build(house)
    assert code == 0 and "nothing had changed" in said and "executing" not in said

    write_notebook(house, cell, prose="Other words.")
    code, said = build(house)
    assert code == 0 and "executing" not in said and "nothing had changed" not in said
    assert "Other words." in page(house) and run in page(house)

    (house / "_build" / "html" / "trial.html").unlink()
    code, said = build(house)
    assert code == 0 and "executing" not in said and run in page(house)


def test_a_check_that_does_not_hold_is_named_and_the_site_is_built(house):
    write_notebook(house, "x = 41", "# test\nassert x == 42, 'the answer moved'", "print('to the end', x)")
    for _ in range(2):
        code, said = build(house)
        assert code == 0 and "The site is in" in said
        assert "trial, cell c1, line 2: assert x == 42, 'the answer moved'" in said
        assert "may not match this run" in said
    assert "to the end 41" in page(house) and "the answer moved" not in page(house)


def test_a_site_whose_making_was_interrupted_is_not_shown(house):
    write_notebook(house, "print('whole')")
    assert build(house)[0] == 0
    (house / "_build" / ".built").unlink()
    command = [sys.executable, "-m", "tools.site.serve", "8123"]
    result = subprocess.run(command, cwd=house, capture_output=True, text=True, timeout=60)
    assert result.returncode == 1 and "run `make book`" in result.stderr


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
