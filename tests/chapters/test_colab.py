"""Chapters and labs opened as Colab would: the notebook alone in an empty folder, with Colab's own packages.

The environment is the one in which tools/upkeep/alone.py runs every chapter and every solution to its end,
with the package installed from its wheel. Here is the rest: how the setup cell fetches the package where it
is missing, what it says where it cannot, and that a lab earns nothing before anybody has written in it. The
package comes from an address on this machine.
"""

import ast
import subprocess
import threading
import urllib.request
import zipfile
from io import BytesIO

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell

from tests import ROOT
from tests.labs.cells import assert_earns_nothing
from tools.site.serve import shows
from tools.upkeep import alone

NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
LABS = sorted((ROOT / "labs").glob("*.ipynb"))
NOWHERE = "http://127.0.0.1:9/blowup-0.1.0-py3-none-any.whl"  # the discard port: nobody answers


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The Python of an environment like Colab's, with no book in it."""
    return alone.stand_in(tmp_path_factory.mktemp("colab"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package's wheel, built from this tree."""
    return alone.wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def address(wheel):
    """An address of this machine that gives the wheel."""
    server = shows(wheel.parent, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{wheel.name}"
    server.shutdown()


@pytest.fixture(scope="module")
def colab_with_the_book(tmp_path_factory, wheel):
    """The same environment after a setup cell has run."""
    python = alone.stand_in(tmp_path_factory.mktemp("ready"))
    alone.install(python, wheel)
    return python


def run_alone(notebook, python, folder, source, monkeypatch, allow_errors=False):
    """Execute a notebook, alone in ``folder``, in a kernel of ``python``; returns it executed."""
    monkeypatch.setenv("JUPYTER_PATH", alone.kernel(folder, python))
    work = folder / "content"
    work.mkdir()
    resources = {"metadata": {"path": str(work)}}
    options = {"timeout": 600, "kernel_name": "colab", "allow_errors": allow_errors, "resources": resources}
    return NotebookClient(notebook, **options).execute(env=alone.surroundings(BLOWUP_SOURCE=source))


def opening(file):
    """The notebook's setup cell, and then every import that its cells make."""
    notebook = nbformat.read(file, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    statements = [node for cell in cells[1:] for node in ast.walk(ast.parse(cell.source))]
    imports = [ast.unparse(node) for node in statements if isinstance(node, ast.Import | ast.ImportFrom)]
    assert cells[0].id == "setup" and any("blowup" in line for line in imports)
    notebook.cells = [cells[0], new_code_cell("\n".join(imports))]
    return notebook


def is_clean(python):
    """Whether the environment has no book yet."""
    command = [python, "-I", "-c", "import importlib.util as u; assert u.find_spec('blowup') is None"]
    return subprocess.run(command, capture_output=True).returncode == 0


def without_the_book(python):
    """Take the book out of the environment again, where an earlier notebook has fetched it."""
    uninstall = [python, "-m", "pip", "uninstall", "-q", "-y", "blowup"]
    subprocess.run(uninstall, check=True, capture_output=True)
    assert is_clean(python)


def test_offline_says_plainly_what_to_do(colab, tmp_path, monkeypatch):
    without_the_book(colab)
    with pytest.raises(CellExecutionError, match=r"could not fetch .*: go online and run this cell again"):
        run_alone(opening(NOTEBOOKS[0]), colab, tmp_path, NOWHERE, monkeypatch)


@pytest.mark.parametrize("file", [NOTEBOOKS[0], LABS[0]], ids=["chapter", "lab"])
def test_the_setup_cell_fetches_the_package_where_it_is_missing(file, colab, address, tmp_path, monkeypatch):
    """Of one chapter and one lab: the setup cell is the same text in all of them (test_shape, test_labs)."""
    without_the_book(colab)
    run_alone(opening(file), colab, tmp_path, address, monkeypatch)
    assert not is_clean(colab), "the setup cell did not install the package"


@pytest.mark.parametrize("file", LABS, ids=lambda path: path.stem)
def test_an_untouched_lab_runs_alone_and_earns_nothing(file, colab_with_the_book, tmp_path, monkeypatch):
    """To its end; the setup cell has nothing to do, so it says nothing of an address where nobody answers."""
    notebook = nbformat.read(file, as_version=4)
    done = run_alone(notebook, colab_with_the_book, tmp_path, NOWHERE, monkeypatch, allow_errors=True)
    assert_earns_nothing(done)


def test_the_wheel_carries_the_published_curves(address):
    """Colab has no book/ beside the notebook."""
    names = zipfile.ZipFile(BytesIO(urllib.request.urlopen(address).read())).namelist()
    published = {
        p.relative_to(ROOT / "book" / "curves").as_posix() for p in (ROOT / "book" / "curves").rglob("*.*")
    }
    assert {f"blowup/published/{name}" for name in published} <= set(names)
    assert [n for n in names if n.startswith("blowup/data/")], "the data sets are missing"
