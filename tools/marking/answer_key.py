"""The teacher's side of a lab: nbgrader's source made into what a submission is held against."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import nbformat
from nbgrader import preprocessors as steps
from nbgrader.api import Base, Gradebook
from sqlalchemy import create_engine

from tools.labs.derive import stubs

MASTER = (
    steps.LockCells,
    steps.ClearSolutions,
    steps.ClearOutput,
    steps.CheckCellMetadata,
    steps.ComputeChecksums,
    steps.SaveCells,
)
RELEASE = (steps.ClearHiddenTests, steps.ClearMarkScheme, steps.ComputeChecksums)


class NoSuchLab(ValueError):
    """There is no source notebook for the lab that was asked for."""


@dataclass(frozen=True)
class AnswerKey:
    """A lab ready for marking. It travels to other processes, so it holds texts, not notebooks.

    ``master_text`` is the notebook with hidden tests and without solutions, ``release_text`` what students
    got; ``database`` is an nbgrader gradebook that knows the lab and no student: copy it, do not write to it.
    ``others`` maps the other labs' names to their grade ids; ``files`` are what else it needs, as pairs (path
    here, name in the student's home): the data that lie beside the notebook.
    """

    name: str
    sha: str
    database: Path
    master_text: str
    release_text: str
    others: dict
    files: tuple = ()

    @cached_property
    def master(self):
        """The notebook with hidden tests and without solutions."""
        return nbformat.reads(self.master_text, as_version=4)

    @cached_property
    def release(self):
        """The notebook that students got."""
        return nbformat.reads(self.release_text, as_version=4)

    @cached_property
    def cells(self):
        """The teacher's cells that nbgrader knows, by grade id and in order."""
        return cells_of(self.master)

    @cached_property
    def secrets(self):
        """The lines of the hidden tests: what no student may find in feedback."""
        shown = {line.strip() for cell in self.release.cells for line in cell.source.splitlines()}
        lines = {line.strip() for cell in self.cells.values() for line in cell.source.splitlines()}
        return {line for line in lines - shown if len(line) >= 12 and not line.startswith("### ")}


def cells_of(notebook):
    """Maps grade ids to the cells of a notebook that carry nbgrader's metadata."""
    named = ((cell.metadata.get("nbgrader"), cell) for cell in notebook.cells)
    return {meta["grade_id"]: cell for meta, cell in named if isinstance(meta, dict) and meta.get("grade_id")}


def source_of(name, sources):
    """The source notebook of a lab; raises NoSuchLab with the labs that there are."""
    path = sources / name / f"{name}.ipynb"
    if name and path.parent.parent == sources and path.is_file():
        return path
    there = sorted(file.stem for file in sources.glob("*/*.ipynb") if file.stem == file.parent.name)
    raise NoSuchLab(
        f"LAB must be one of {', '.join(there)}, not {name!r}" if there else f"there are no labs in {sources}"
    )


def grade_ids(path):
    """The grade ids in a source notebook, read as data."""
    found = (cell.get("metadata", {}).get("nbgrader", {}) for cell in json.loads(path.read_text())["cells"])
    return sorted(meta["grade_id"] for meta in found if meta.get("grade_id"))


def prepare(name, sources, folder):
    """The :class:`AnswerKey` of lab ``name`` from nbgrader's ``sources``; its gradebook goes into ``folder``.

    Raises NoSuchLab. What nbgrader says about a faulty source notebook passes through.
    """
    path = source_of(name, sources)
    beside = tuple(sorted(p for p in path.parent.rglob("*") if p.is_file() and p.suffix != ".ipynb"))
    notebook = nbformat.read(path, as_version=4)
    database = folder / "lab.db"
    # With its tables there, nbgrader does not start alembic to ask for their version, which takes seconds.
    Base.metadata.create_all(create_engine(f"sqlite:///{database}"))
    with Gradebook(f"sqlite:///{database}") as gradebook:
        gradebook.update_or_create_assignment(name)
    resources = resources_for(name, database)
    master = apply(MASTER, notebook, resources)
    master_text = nbformat.writes(master)
    release = apply(RELEASE, nbformat.reads(master_text, as_version=4), resources)
    digest = hashlib.sha256(path.read_bytes())
    for file in beside:
        digest.update(file.read_bytes())
    data = tuple((file, str(file.relative_to(path.parent))) for file in beside)
    files = sorted(sources.glob("*/*.ipynb"))
    others = {p.stem: grade_ids(p) for p in files if p != path and p.stem == p.parent.name}
    return AnswerKey(name, digest.hexdigest(), database, master_text, nbformat.writes(release), others, data)


def resources_for(name, database, student=""):
    """What nbgrader's preprocessors want to be told."""
    told = {"notebook": name, "assignment": name, "student": student, "db_url": f"sqlite:///{database}"}
    return {"nbgrader": told, "metadata": {}, "unique_key": name}


def apply(classes, notebook, resources):
    """Run nbgrader's preprocessors over a notebook, one after the other, with the labs' own stubs."""
    for made in classes:
        notebook, resources = made(config=stubs()).preprocess(notebook, resources)
    return notebook
