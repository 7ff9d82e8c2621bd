"""`make preview`: a page is shown, made again when its words change, and reloaded; bad input is one line."""

import contextlib
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

from tests import ROOT
from tests.site.trial import small_house, write_notebook
from tools.site import preview

CELL = "import time; print('the run', time.time_ns())"
PORT = 8765


def fetch():
    with urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=30) as answer:
        return answer.read().decode()


def wait_for(words, seconds=120):
    """The page as soon as it has these words."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(urllib.error.URLError):  # it does not listen yet
            if words in (text := fetch()):
                return text
        time.sleep(0.2)
    pytest.fail(f"the page never said {words!r}")


def test_a_change_of_the_prose_is_shown_without_running_the_chapter_again(tmp_path):
    house = small_house(tmp_path)
    write_notebook(house, CELL)
    command = [sys.executable, "-m", "tools.site.preview", "trial", str(PORT)]
    with subprocess.Popen(
        command, cwd=house, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            said = ""
            while "is at http" not in said:
                line = server.stdout.readline()
                assert line, server.stderr.read()
                said += line
            page = wait_for("One notebook.")
            run = re.search(r"the run \d+", page).group()
            assert "livereload" in page, "the page reloads itself"
            (house / "book" / "trial.ipynb").write_text('{"half of a')
            write_notebook(house, CELL, prose="Other words.")
            assert run in wait_for("Other words."), "the outputs are those that were kept"
        finally:
            server.terminate()
    assert not (house / "_build" / "html").exists(), "the site is left alone"


@pytest.mark.parametrize(
    ("chapter", "port", "words"),
    [
        ("chain-rules", "8000", "CHAPTER: no page is called 'chain-rules'; choose from index, chain-rule, "),
        ("", "8000", "CHAPTER: no page is called ''; choose from index, "),
        ("chain-rule", "eighty", "PORT must be a number from 1 to 65535, not 'eighty'"),
    ],
)
def test_bad_input_is_one_line(chapter, port, words):
    with pytest.raises(SystemExit, match=re.escape(words)) as end:
        preview.main(chapter, port)
    assert "\n" not in str(end.value)


def test_every_page_of_the_contents_can_be_previewed():
    for name, file in preview.pages().items():
        assert file.is_file() and file.is_relative_to(ROOT / "book"), name
