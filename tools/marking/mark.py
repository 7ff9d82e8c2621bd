"""Mark one submission, from the file to its result and its feedback page."""

import hashlib
import json
import time
from dataclasses import asdict
from pathlib import Path

import nbformat

from tools.files import write_whole
from tools.marking import feedback, restore, results, sandbox, scan, score

VERSION = "1"  # another number makes a second run mark everything again


def basis(submission, lab, limits, sandboxed):
    """A digest of all that a result depends on."""
    told = [VERSION, submission.sha, submission.refused, submission.older, lab.sha, asdict(limits), sandboxed]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def mark(submission, lab, limits, sandboxed, out):
    """Mark one submission and write all that belongs to it below ``out``; returns its Result.

    ``result.json`` comes last: a submission that was interrupted is marked again.
    """
    began = time.monotonic()
    result = results.Result(submission.key, basis(submission, lab, limits, sandboxed), "marked")
    result.most = sum(c.metadata.nbgrader.points for c in lab.cells.values() if c.metadata.nbgrader.grade)
    if submission.older:
        result.status = "older copy"
    elif submission.refused:
        result.status = "refused"
        result.notes.append(submission.refused)
    else:
        try:
            judge(submission, lab, limits, sandboxed, out, result)
        except restore.Unreadable as error:
            result.status = "unreadable"
            result.notes.append(str(error))
        except restore.WrongLab as error:
            result.status = "wrong lab"
            result.notes.append(str(error))
    result.seconds = round(time.monotonic() - began, 1)
    results.save(out, result)
    return result


def judge(submission, lab, limits, sandboxed, out, result):
    """Restore, execute, score; fill in ``result`` and write the feedback page and the marked notebook."""
    data = submission.file.read_bytes()
    if hashlib.sha256(data).hexdigest() != submission.sha:
        raise restore.Unreadable("the file changed while it was marked: run again")
    notebook, notes = restore.read(data)
    with score.workplace() as folder:
        notebook, more = restore.restore(notebook, lab, score.database_of(lab, folder))
        notes += more + scan.scan(notebook, lab)
        job = score.plan(notebook)
        run = sandbox.execute([source for _, source, _ in job], limits, sandboxed, lab.files)
        notes += run.notes
        if run.trouble:
            notes.append(f"run: {run.trouble}")
        score.fill(notebook, job, run, notes)
        whole = nbformat.writes(notebook)
        points = score.scored(nbformat.reads(whole, as_version=4), lab, folder)
    notes += points.notes + deaths(notebook)
    result.score = sum(e.score for e in points.exercises)
    result.manual = sum(e.manual for e in points.exercises)
    result.exercises = [asdict(e) for e in points.exercises]
    if not run.started:
        result.status = "not run"
    write_whole(results.place(out, submission.key) / f"{lab.name}.ipynb", whole)
    page, leak = feedback.page(nbformat.reads(whole, as_version=4), lab, submission, result)
    if leak:
        notes.append(f"outputs show the hidden tests (left out of the feedback): {', '.join(leak)}")
    write_whole(Path(out, "feedback", f"{submission.key}.html"), page)
    result.notes = list(dict.fromkeys(notes))


def deaths(notebook):
    """Notes on cells in which the kernel died or that had to be stopped."""
    ends = {"KernelDied": "the kernel died in", "CellTimeoutError": "stopped after its time was over:"}
    found = []
    for number, cell in enumerate(notebook.cells, 1):
        for output in cell.get("outputs", []):
            if output.output_type == "error" and output.ename in ends:
                name = cell.metadata.get("nbgrader", {}).get("grade_id", f"cell {number}")
                found.append(f"{ends[output.ename]} {name}")
    return found
