"""nbgrader itself with the labs' sources and settings, as course/marking.md says, formgrader included."""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

from tests.marking.tiny_lab import LAB, answered, read_table, student_notebook, write_sources
from tools.labs import derive

SCRIPTS = Path(sys.executable).parent
ENVIRONMENT = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A folder with the labs' settings for nbgrader, the tiny lab in it and one submission."""
    course = tmp_path_factory.mktemp("nbgrader") / "course"
    course.mkdir()
    shutil.copy(derive.SETTINGS, course)
    write_sources(course / "source")
    place = course / "submitted" / "jane" / LAB
    place.mkdir(parents=True)
    wrong = "def scale(x, factor):\n    return x * factor"
    loud = "def add(a, b):\n    import warnings\n    warnings.warn('careful')\n    return a + b"
    nbformat.write(answered(student_notebook(), scale=wrong, add=loud), place / f"{LAB}.ipynb")
    return course


def nbgrader(course, *words):
    """Run one nbgrader command in the course's folder."""
    command = [sys.executable, "-m", "nbgrader", *words]
    run = subprocess.run(command, cwd=course, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    return run


@pytest.fixture(scope="module")
def autograded(course):
    """The course after generate_assignment and autograde."""
    nbgrader(course, "generate_assignment", LAB)
    nbgrader(course, "autograde", LAB)
    return course


def test_nbgrader_gives_the_same_points(autograded):
    released = nbformat.read(autograded / "release" / LAB / f"{LAB}.ipynb", as_version=4)
    ours = student_notebook()
    assert [cell.source for cell in released.cells] == [cell.source for cell in ours.cells]
    nbgrader(autograded, "generate_feedback", LAB)
    nbgrader(autograded, "export")
    (row,) = read_table(autograded / "grades.csv")
    assert (row["student_id"], float(row["score"]), float(row["max_score"])) == ("jane", 3, 8)
    assert "✗ scale" in (autograded / "feedback" / "jane" / LAB / f"{LAB}.html").read_text()


def test_the_formgrader_lists_the_lab(autograded, open_page):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}/formgrader"
    options = [f"--port={port}", "--no-browser", "--allow-root", "--IdentityProvider.token=open"]
    command = [sys.executable, "-m", "jupyterlab", *options, "--ServerApp.ip=127.0.0.1"]
    with (autograded / "server.log").open("w") as log:
        server = subprocess.Popen(command, cwd=autograded, env=ENVIRONMENT, stdout=log, stderr=log)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/api/assignments?token=open", timeout=5).read()
                break
            except OSError:
                assert server.poll() is None, (autograded / "server.log").read_text()
                time.sleep(0.5)
        page = open_page(f"{address}?token=open")
        page.get_by_role("link", name=LAB, exact=True).first.wait_for(timeout=30_000)
        assert not page.refused, page.refused
    finally:
        server.terminate()
        server.wait(30)
