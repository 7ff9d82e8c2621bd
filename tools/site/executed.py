"""The executed chapters, kept in _build/executed until something that they depend on changes.

``NAME.ipynb`` there is chapter NAME with its outputs. Its metadata hold, under ``executed``: a hash of each
thing that the outputs depend on (:func:`ingredients`), the checks that did not hold, the seconds that it
took, the processor, and a digest of all of it, so that a damaged file is not taken for whole. The site and
the slides are made of these files and of the chapters' present prose.

The processor is not among the ingredients. What another one computed is still a run of this very book, to be
shown as what it is, and a check that did not hold there is still named. How the chapters fare on the
processor at hand is what ``make test`` finds out: it runs each of them anew, where a reader would. Variables
that steer the arithmetic, such as ``ATEN_CPU_CAPABILITY``, are among them: who sets one wants to see it.
"""

import hashlib
import json
import platform
from importlib.metadata import PackageNotFoundError, version

from tools import ROOT
from tools.files import write_whole
from tools.kernels import for_the_site

STEERING = ("ATEN_", "BLOWUP_", "DNNL_", "KMP_", "MKL_", "MPL", "OMP_", "ONEDNN_", "TORCH_")


class NotExecuted(Exception):
    """Why there is no run of a chapter to be shown, in one line."""


class Damaged(NotExecuted):
    """A file of _build/executed is not what was written there."""


def folder():
    return ROOT / "_build" / "executed"


def digest(thing):
    """A hash of something that JSON can hold."""
    return hashlib.sha256(json.dumps(thing, sort_keys=True).encode()).hexdigest()


def tree(place):
    """A hash of every file below a folder: names and bytes, without what Python and editors leave there."""
    hashes = {}
    for path in sorted(place.rglob("*")):
        parts = path.relative_to(place).parts
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in parts):
            hashes["/".join(parts)] = hashlib.sha256(path.read_bytes()).hexdigest()
    return digest(hashes)


def surroundings():
    """What the outputs of every chapter depend on, beside its own cells: a hash or a word for each."""
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    how = [ROOT / "tools" / name for name in ("kernels.py", "site/execute.py", "site/checks.py")]
    return {
        "blowup": tree(ROOT / "blowup"),  # with the data sets
        "book/curves": tree(ROOT / "book" / "curves"),
        "requirements.txt": digest([(pin, installed(pin.partition("==")[0])) for pin in pins if "==" in pin]),
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "how chapters are executed": digest([path.read_text(encoding="utf-8") for path in how]),
        "environment": digest({k: v for k, v in for_the_site().items() if k.startswith(STEERING)}),
    }


def installed(name):
    """The version of a package that is there, whatever its pin says; None without one."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def code(notebook):
    """What is executed of a notebook: id, source and tags of its code cells, and the kernel's name."""
    cells = [
        (cell.get("id"), "".join(cell["source"]), sorted(cell["metadata"].get("tags", [])))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]
    return [cells, notebook["metadata"].get("kernelspec", {}).get("name")]


def ingredients(notebook, around):
    """A hash of everything that the outputs of ``notebook`` depend on, by name."""
    return {"its code": digest(code(notebook)), **around}


def source(name):
    """Chapter ``name`` as it is written: its JSON."""
    return json.loads((ROOT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"))


def load(name):
    """The executed chapter as it was kept; NotExecuted without one, Damaged if it is not whole."""
    path = folder() / f"{name}.ipynb"
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        about = kept["metadata"]["executed"]
        said = about.pop("digest")
        whole = said == digest(kept)
    except FileNotFoundError:
        raise NotExecuted(f"chapter {name} has not been executed yet: run `make book`") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise Damaged(f"{path.relative_to(ROOT)} is damaged")
    about["digest"] = said
    return kept


def save(name, notebook, about):
    """Keep an executed chapter, whole or not at all; OSError where it cannot be written."""
    notebook["metadata"]["executed"] = dict(about)
    notebook["metadata"]["executed"]["digest"] = digest(notebook)
    write_whole(folder() / f"{name}.ipynb", json.dumps(notebook))


def stale(name, around):
    """Why chapter ``name`` must be executed again, in words; "" if what is kept is its run."""
    wanted = ingredients(source(name), around)
    try:
        had = load(name)["metadata"]["executed"]["ingredients"]
    except Damaged as damage:
        return str(damage)
    except NotExecuted:
        return "not executed yet"
    changed = [what for what, value in wanted.items() if had.get(what) != value]
    return f"changed: {', '.join(changed)}" if changed else ""


def outdated(names):
    """Why chapters must be executed again, by name, and the :func:`surroundings` that they will have."""
    around = surroundings()
    return {name: why for name in names if (why := stale(name, around))}, around


def merged(name, written=None):
    """Chapter ``name`` with its present prose and the kept outputs of its cells, as a dictionary.

    ``written``: the chapter as it is written now, if it has been read already. NotExecuted where no run of
    these very cells is kept.
    """
    kept = load(name)
    written = source(name) if written is None else written
    if code(kept) != code(written):
        raise NotExecuted(f"chapter {name} has changed since it was executed: run `make book`")
    runs = {cell["id"]: cell for cell in kept["cells"] if cell["cell_type"] == "code"}
    cells = [
        cell | outputs(runs[cell["id"]]) if cell["cell_type"] == "code" else cell for cell in written["cells"]
    ]
    language = {k: v for k, v in kept["metadata"].items() if k == "language_info"}
    return written | {"cells": cells, "metadata": written["metadata"] | language}


def outputs(cell):
    """What a run adds to a cell."""
    return {"outputs": cell["outputs"], "execution_count": cell["execution_count"]}


def chapters():
    """The notebooks of the table of contents, by name, in its order."""
    from sphinx_external_toc.parsing import parse_toc_yaml

    names = parse_toc_yaml(ROOT / "_toc.yml")
    return [name for name in names if (ROOT / "book" / f"{name}.ipynb").is_file()]


def failed():
    """The checks that did not hold when the chapters were executed: dictionaries, the chapter in each."""
    return [
        {"chapter": name, **check}
        for name in chapters()
        for check in load(name)["metadata"]["executed"]["failed"]
    ]
