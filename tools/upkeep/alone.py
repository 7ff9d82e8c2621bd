"""Run every chapter and every lab's solution where a reader would, cell by cell: each once, with nbval.

The kernel is one as in Colab: an environment with torch, numpy, scipy, matplotlib, ipywidgets, a kernel and
pip, and nothing else (links to the installed packages, so that nothing is downloaded), with the book's
package from its wheel. Each notebook lies alone in a folder of its own, outside the repository. Explorers are
alive.

    python -m tools.upkeep.alone [NAME …]
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tools import ROOT
from tools.kernels import environment
from tools.labs import derive

COLAB_HAS = ("torch", "numpy", "scipy", "matplotlib", "ipywidgets", "ipykernel", "pip")
FROM_HERE = ("BLOWUP_STATIC", "PYTHONPATH", "VIRTUAL_ENV")  # what a reader's kernel does not have
NBVAL = ["--nbval-lax", "--nbval-kernel-name=colab", "--nbval-cell-timeout=600", "--dist", "loadscope"]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "auto", "-p", "no:cacheprovider"]
PIP = ["-m", "pip", "-q", "--disable-pip-version-check"]


def plain(name):
    """A distribution's name in the one form in which two of them can be compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(names):
    """The distributions that the named ones need, by name."""
    found, todo = {}, list(names)
    while todo:
        name = plain(todo.pop())
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue  # for another system: its marker is told below only for direct requirements
        wanted = map(Requirement, found[name].requires or [])
        todo += [r.name for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]
    return found


def stand_in(folder):
    """Make an environment like Colab's in ``folder``, with no book in it; returns its Python."""
    venv.create(folder, symlinks=True)
    packages = next(folder.glob("lib/python*/site-packages"))
    for found in closure(COLAB_HAS).values():
        for top in {file.parts[0] for file in found.files if file.parts[0] not in ("..", "__pycache__")}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(found.locate_file(top)).resolve())
    return folder / "bin" / "python"


def wheel(folder):
    """Build the package's wheel from this tree, without its build folders; returns its path."""
    command = [sys.executable, *PIP, "wheel", "--no-deps", "--no-build-isolation", "-w", folder, ROOT]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install(python, package):
    """Install the wheel into the environment of ``python``."""
    command = [python, *PIP, "install", "--no-deps", "--no-index", package]
    subprocess.run(command, check=True, capture_output=True)


def kernel(folder, python):
    """Write a kernel called colab, of ``python``, below ``folder``; returns the JUPYTER_PATH for it."""
    place = folder / "jupyter" / "kernels" / "colab"
    place.mkdir(parents=True)
    start = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": start, "display_name": "Colab", "language": "python"}
    (place / "kernel.json").write_text(json.dumps(spec))
    return str(folder / "jupyter")


def surroundings(**more):
    """The environment of a reader's kernel: nothing of this repository's, one thread beside its neighbors."""
    away = {k: v for k, v in environment(OMP_NUM_THREADS="1").items() if k not in FROM_HERE}
    return away | {"PIP_NO_INDEX": "1"} | more


def notebooks():
    """Every chapter and every solution, by a name that says which."""
    chapters = {file.stem: file for file in sorted((ROOT / "book").glob("*.ipynb"))}
    return chapters | {f"solution-{file.stem}": file for file in sorted(derive.solutions().glob("*.ipynb"))}


def main(names):
    known = notebooks()
    if unknown := set(names) - set(known):
        sys.exit(f"no notebook is called {', '.join(sorted(unknown))}: choose from {', '.join(known)}")
    sys.exit(run({name: known[name] for name in names or known}).returncode)


def run(files, **options):
    """Run notebooks, a dictionary of paths by name, with pytest; returns the finished process."""
    with tempfile.TemporaryDirectory(prefix="alone-") as place:
        folder = Path(place)
        python = stand_in(folder / "colab")
        install(python, wheel(folder / "wheel"))
        for name, file in files.items():
            (folder / "content" / name).mkdir(parents=True)
            shutil.copy(file, folder / "content" / name / f"{name}.ipynb")
        around = surroundings(JUPYTER_PATH=kernel(folder, python))
        return subprocess.run([*PYTEST, *NBVAL, "content"], cwd=folder, env=around, **options)


if __name__ == "__main__":
    main(sys.argv[1:])
