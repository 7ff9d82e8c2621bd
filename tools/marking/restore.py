"""A submission read as data: the teacher's cells put back, and everything odd noted for a person."""

import json

import nbformat
from nbgrader import preprocessors as steps

from tools.marking.answer_key import apply, cells_of, resources_for

SANITIZE = (
    steps.ClearOutput,
    steps.DeduplicateIds,
    steps.OverwriteKernelspec,
    steps.OverwriteCells,
    steps.CheckCellMetadata,
)
KEPT = ("deletable", "editable", "slideshow")


class Unreadable(ValueError):
    """The file is no notebook that could be marked; the message says why."""


class WrongLab(ValueError):
    """The notebook belongs to another lab."""


def read(data):
    """A notebook of any age, given as bytes, as nbformat 4; and notes on it. Raises Unreadable."""
    for magic, kind in ((b"PK\x03\x04", "a ZIP archive"), (b"\x89PNG", "a PNG picture"), (b"%PDF", "a PDF")):
        if data.startswith(magic):
            raise Unreadable(f"not a notebook: {kind} under a notebook's name")
    try:
        raw = json.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"not a notebook: {type(error).__name__}") from None
    except ValueError as error:
        raise Unreadable(f"broken JSON: {error}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get("nbformat"), int):
        raise Unreadable("not a notebook: JSON of another kind")
    notes = []
    if raw["nbformat"] < 4:
        notes.append(f"an old notebook (nbformat {raw['nbformat']}), converted")
    kernel = raw.get("metadata", {}) if isinstance(raw.get("metadata"), dict) else {}
    if not isinstance(kernel.get("kernelspec"), dict) or not kernel["kernelspec"].get("name"):
        notes.append("no kernel named in the notebook: the lab's own is used")
    try:
        notebook = nbformat.reads(json.dumps(raw), as_version=4)
        _, notebook = nbformat.validator.normalize(notebook)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises whatever its converters meet in a mangled file
        reason = str(error).strip().splitlines()
        raise Unreadable(f"broken notebook: {reason[0][:200] if reason else type(error).__name__}") from None
    return notebook, notes


def restore(notebook, lab, database):
    """The notebook to execute: the student's cells with the teacher's own put back; and the notes.

    ``database`` is this submission's own copy of the lab's gradebook. Raises WrongLab.
    """
    notes = []
    refuse_other_labs(notebook, lab)
    name_cells(notebook, lab, notes)
    for grade_id in doubled(notebook):
        notes.append(f"cell twice: {grade_id} (the last one counts)")
    keep_last(notebook)
    put_back(notebook, lab, notes)
    note_edits(notebook, lab, notes)
    note_given(notebook, lab, notes)
    notebook = apply(SANITIZE, notebook, resources_for(lab.name, database))
    present = cells_of(notebook)
    for grade_id, teachers in lab.cells.items():  # nbgrader's word is not taken for it
        mine = present.get(grade_id)
        if teachers.metadata.nbgrader.locked and (mine is None or mine.source != teachers.source):
            raise RuntimeError(f"the locked cell {grade_id} was not put back")
    return notebook, notes


def refuse_other_labs(notebook, lab):
    """Raise WrongLab for a notebook that names cells of another lab and none of this one."""
    ids = set(cells_of(notebook))
    if ids & set(lab.cells):
        return
    for other, theirs in lab.others.items():
        if ids & set(theirs):
            raise WrongLab(f"wrong lab: the cells are those of {other}")


def name_cells(notebook, lab, notes):
    """Give each of the teacher's cells the teacher's metadata again; no other cell keeps any."""
    by_id = {cell.id: name for name, cell in lab.cells.items() if "id" in cell}
    by_source = {cell.source: name for name, cell in cells_of(lab.release).items() if cell.source.strip()}
    named = set(cells_of(notebook))
    lost = []
    for cell in notebook.cells:
        meta = cell.metadata.pop("nbgrader", None)
        name = meta.get("grade_id") if isinstance(meta, dict) else None
        if name in lab.cells:
            teachers = lab.cells[name]
            if changed(meta, cells_of(lab.release)[name].metadata.nbgrader):
                notes.append(f"metadata changed: {name}")
        elif name:
            notes.append(f"a graded cell that the lab does not have: {str(name)[:60]!r}")
            continue
        else:
            name = by_id.get(cell.get("id")) or by_source.get(cell.source)
            if name is None or name in named:
                continue
            teachers = lab.cells[name]
            lost.append(name)
            named.add(name)
        retype(cell, teachers.cell_type, name, notes)
        cell.metadata.nbgrader = nbformat.from_dict(dict(teachers.metadata.nbgrader))
        if not teachers.metadata.nbgrader.solution or teachers.cell_type == "markdown":
            cell.metadata.update({key: teachers.metadata[key] for key in KEPT if key in teachers.metadata})
    if lost:
        notes.append(f"metadata lost and given back: {', '.join(lost)}")


def changed(meta, teachers):
    """Whether a cell's metadata say anything that the lab's do not."""
    keys = ("grade", "solution", "locked", "points", "task")
    return any(meta.get(key, False) != teachers.get(key, False) for key in keys)


def retype(cell, kind, name, notes):
    """Make a cell the kind that the teacher's is."""
    if cell.cell_type == kind:
        return
    notes.append(f"cell turned into {cell.cell_type}: {name}")
    cell.cell_type = kind
    cell.pop("attachments", None)
    if kind == "code":
        cell.update(outputs=[], execution_count=None)
    else:
        cell.pop("outputs", None)
        cell.pop("execution_count", None)


def doubled(notebook):
    """The grade ids that more than one cell carries, in order."""
    seen, twice = set(), []
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name and name in seen and name not in twice:
            twice.append(name)
        seen.add(name)
    return twice


def keep_last(notebook):
    """Leave the last of several cells of one grade id its metadata, as nbgrader does."""
    last = {id(cell) for cell in cells_of(notebook).values()}
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata and id(cell) not in last:
            del cell.metadata["nbgrader"]


def put_back(notebook, lab, notes):
    """Insert the teacher's cells that are missing, each as late as the lab's order allows.

    A student's missing solution cell has nothing in it to put back, unless a person reads it (a paragraph).
    """
    order, missing = list(lab.cells), []
    for position, name in enumerate(order):
        present = cells_of(notebook)
        if name in present:
            continue
        missing.append(name)
        teachers = lab.cells[name]
        if teachers.metadata.nbgrader.solution and not teachers.metadata.nbgrader.grade:
            continue
        after = {id(present[later]) for later in order[position + 1 :] if later in present}
        places = (i for i, cell in enumerate(notebook.cells) if id(cell) in after)
        place = next(places, len(notebook.cells))
        notebook.cells.insert(place, nbformat.from_dict(json.loads(json.dumps(teachers))))
    if missing:
        notes.append(f"cells missing: {', '.join(missing)}")


def note_edits(notebook, lab, notes):
    """Tell which of the teacher's cells the student changed (their text is replaced in any case)."""
    given = cells_of(lab.release)
    for name, cell in cells_of(notebook).items():
        teachers = lab.cells[name]
        if not teachers.metadata.nbgrader.locked or cell.source == teachers.source:
            continue
        if cell.source.strip() != given[name].source.strip():
            graded = teachers.metadata.nbgrader.grade
            notes.append(f"{'test' if graded else 'locked cell'} edited: {name}")


def note_given(notebook, lab, notes):
    """Tell which code cells that the lab gives, free to be changed, were changed or left out."""
    kept = {cell.source.strip() for cell in notebook.cells}
    given = (c for c in lab.release.cells if c.cell_type == "code" and "nbgrader" not in c.metadata)
    changed_cells = [
        c.source.strip().splitlines()[0][:50] for c in given if c.source.strip() not in {*kept, ""}
    ]
    if changed_cells:
        notes.append(f"given cells changed or missing, those that begin: {'; '.join(changed_cells)}")
