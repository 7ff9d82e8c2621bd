"""Chapters and labs opened as Colab would: the notebook alone in an empty folder, with Colab's own packages.

The environment holds torch, numpy, matplotlib, ipywidgets, a kernel and pip, and nothing else: links to the
installed packages, so that nothing is downloaded. The book's package comes from an address on this machine.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from packaging.requirements import Requirement

from tests import ROOT
from tests.labs.cells import assert_earns_nothing
from tools.site.serve import shows

COLAB_HAS = ("torch", "numpy", "matplotlib", "ipywidgets", "ipykernel", "pip")
NOTEBOOKS = sorted((ROOT / "book").glob("*.ipynb"))
LABS = sorted((ROOT / "labs").glob("*.ipynb"))


def closure(names):
    """The distributions that the named ones need, by name."""
    found, todo = {}, list(names)
    while todo:
        name = re.sub(r"[-_.]+", "-", todo.pop()).lower()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another system: its marker is told below only for direct requirements
        wanted = map(Requirement, found[name].requires or [])
        todo += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """The Python of an environment like Colab's, with no book in it."""
    folder = tmp_path_factory.mktemp("colab")
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for found in closure(COLAB_HAS).values():
        for top in {file.parts[0] for file in found.files if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(found.locate_file(top)).resolve())
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The package's wheel, built from this tree without its build folders, at an address of this machine."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        ROOT,
    ]
    subprocess.run(command, check=True, capture_output=True)
    server = shows(folder, 0)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{next(folder.glob('*.whl')).name}"
    server.shutdown()


def run_alone(notebook, python, folder, source, allow_errors=False):
    """Run a copy of the notebook, alone in ``folder``, in a kernel of ``python``; returns it executed."""
    kernel = folder / "jupyter" / "kernels" / "colab"
    kernel.mkdir(parents=True)
    arguments = f'["{python}", "-m", "ipykernel_launcher", "-f", "{{connection_file}}"]'
    (kernel / "kernel.json").write_text(
        f'{{"argv": {arguments}, "display_name": "Colab", "language": "python"}}'
    )
    work = folder / "content"
    work.mkdir()
    copy = nbformat.read(shutil.copy(notebook, work), as_version=4)
    away = ("BLOWUP_STATIC", "PYTHONPATH", "VIRTUAL_ENV")
    environment = {k: v for k, v in os.environ.items() if k not in away}
    environment |= {"BLOWUP_SOURCE": source, "PIP_NO_INDEX": "1", "OMP_NUM_THREADS": "1"}
    os.environ["JUPYTER_PATH"] = str(folder / "jupyter")
    try:
        client = NotebookClient(
            copy,
            timeout=600,
            kernel_name="colab",
            allow_errors=allow_errors,
            resources={"metadata": {"path": str(work)}},
        )
        return client.execute(env=environment)
    finally:
        del os.environ["JUPYTER_PATH"]


def is_clean(python):
    """Whether the environment has no book yet."""
    command = [python, "-I", "-c", "import importlib.util as u; assert u.find_spec('blowup') is None"]
    return subprocess.run(command, capture_output=True).returncode == 0


def without_the_book(python):
    """Take the book out of the environment again, where an earlier notebook has fetched it."""
    uninstall = [python, "-m", "pip", "uninstall", "-q", "-y", "blowup"]
    subprocess.run(uninstall, check=True, capture_output=True)
    assert is_clean(python)


def test_offline_says_plainly_what_to_do(colab, tmp_path):
    assert is_clean(colab)
    nowhere = "http://127.0.0.1:9/blowup-0.1.0-py3-none-any.whl"  # the discard port: nobody answers
    with pytest.raises(CellExecutionError, match=r"could not fetch .*: go online and run this cell again"):
        run_alone(NOTEBOOKS[0], colab, tmp_path, nowhere)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_chapter_runs_alone(notebook, colab, wheel, tmp_path):
    without_the_book(colab)
    run_alone(notebook, colab, tmp_path, wheel)
    assert not is_clean(colab), "the setup cell did not install the package"


@pytest.mark.parametrize("notebook", LABS, ids=lambda path: path.stem)
def test_an_untouched_lab_runs_alone_and_earns_nothing(notebook, colab, wheel, tmp_path):
    without_the_book(colab)
    assert_earns_nothing(run_alone(notebook, colab, tmp_path, wheel, allow_errors=True))


def test_the_wheel_carries_the_published_curves(wheel):
    """Colab has no book/ beside the notebook."""
    import io
    import urllib.request
    import zipfile

    names = zipfile.ZipFile(io.BytesIO(urllib.request.urlopen(wheel).read())).namelist()
    published = {
        p.relative_to(ROOT / "book" / "curves").as_posix() for p in (ROOT / "book" / "curves").rglob("*.*")
    }
    assert {f"blowup/published/{name}" for name in published} <= set(names)
    assert [n for n in names if n.startswith("blowup/data/")], "the data sets are missing"
