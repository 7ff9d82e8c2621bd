"""From outputs to points: nbgrader's own scoring, on a notebook that never was inside the sandbox."""

import ast
import random
import re
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbgrader import preprocessors as steps
from nbgrader.api import Gradebook
from nbgrader.utils import is_grade

from tools.marking.answer_key import resources_for

STUDENT = "student"
SCORING = (steps.LimitOutput, steps.SaveAutoGrades)
METHODS = ("close", "between", "equal", "true")
PASSED = re.compile(r"^✓ (.+?)\s*$", re.MULTILINE)


@dataclass
class Exercise:
    """One graded cell: its points, what a person still has to give, and the line that a student sees."""

    name: str
    score: float
    most: float
    manual: float
    line: str


@dataclass
class Score:
    """All graded cells of one notebook, and notes for a person."""

    exercises: list = field(default_factory=list)
    notes: list = field(default_factory=list)


def database_of(lab, folder):
    """A gradebook of its own for one submission: the lab's, copied."""
    return Path(shutil.copyfile(lab.database, Path(folder, "submission.db")))


def plan(notebook):
    """What to execute: a list of (place of the cell, its source, whether it is a trap).

    After every graded cell come traps: checks of the same name that no answer can pass. One that passes says
    that the checks were tampered with.
    """
    job = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type != "code" or not cell.source.strip():
            continue
        job.append((place, cell.source, False))
        if is_grade(cell):
            job += [(place, source, True) for source in traps(cell.source)]
    return job


def traps(source):
    """Checks that must fail: one for each way in which this cell's source asks, with random numbers."""
    names = exercises_in(source)
    if not names:
        return []
    a, b = (round(random.uniform(1, 9), 4) for _ in range(2))
    asked = {
        "close": f"check.close({a}, {a + b + 1}, 'the value')",
        "between": f"check.between({a}, {a + b}, {a + b + 1}, 'the value')",
        "equal": f"check.equal({round(100 * a)}, {round(100 * a) + 1}, 'the count')",
        "true": f"check.true({a} > {a + b}, 'the value grows')",
    }
    used = [method for method in METHODS if f"check.{method}(" in source] or ["close"]
    return [f"with exercise({names[0]!r}) as check:\n    {asked[method]}" for method in used]


def exercises_in(source):
    """The names in a check cell's ``with exercise("name")``, in order; computed names are left out."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    mine = (c for c in calls if isinstance(c.func, ast.Name) and c.func.id == "exercise" and c.args)
    return [c.args[0].value for c in mine if isinstance(c.args[0], ast.Constant)]


def fill(notebook, job, run, notes):
    """Put a run's outputs into the notebook; graded cells get an error where their result cannot stand."""
    fallen = {}
    for number, (place, _, trap) in enumerate(job):
        cell = notebook.cells[place]
        outputs, was_run = run.cells.get(number, (None, False))
        if not trap:
            cell.outputs = clean(outputs) if outputs else []
            if outputs is None:
                cell.outputs = [failure("NotRun", run.trouble or "the run ended before this cell")]
        elif was_run and any(o.get("ename") == "KernelDied" for o in outputs):
            notes.append(f"the kernel died after {cell.metadata.nbgrader.grade_id}")
        elif was_run and not any(o.get("output_type") == "error" for o in outputs):
            fallen.setdefault(place, cell.metadata.nbgrader.grade_id)
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_grade(cell) and not failed(cell):
            missing = [name for name in exercises_in(cell.source) if name not in passed(cell)]
            if missing:
                notes.append(
                    f"forged? {cell.metadata.nbgrader.grade_id} ended well but never said ✓ {missing[0]}"
                )
                cell.outputs.append(failure("NoResult", "the check did not say that it was passed"))
    for place, name in fallen.items():
        notes.append(f"forged? a check of {name} that nothing can pass was passed")
        notebook.cells[place].outputs.append(
            failure("ChecksChanged", "the checks were changed by the notebook")
        )


def failure(name, words):
    """An error output of the marker's own."""
    return nbformat.v4.new_output("error", ename=name, evalue=words, traceback=[f"{name}: {words}"])


def failed(cell):
    """Whether a cell ended in an error."""
    return any(output.output_type == "error" for output in cell.outputs)


def passed(cell):
    """The names behind the ✓ lines that a cell printed."""
    text = "".join(o.text for o in cell.outputs if o.output_type == "stream" and o.name == "stdout")
    return set(PASSED.findall(text))


def clean(outputs):
    """The outputs that are valid notebook outputs; the sandbox's word is not taken for it."""
    kept = []
    for output in outputs if isinstance(outputs, list) else []:
        try:
            node = nbformat.from_dict(output)
            nbformat.validate(node, ref="output", version=4, version_minor=5)
            kept.append(node)
        except Exception:  # whatever the validator makes of it, it is no output
            kept.append(failure("BrokenOutput", "the kernel sent something that is no output"))
    return kept


def scored(notebook, lab, folder):
    """A :class:`Score`, by nbgrader's preprocessors and a gradebook for this submission, in ``folder``."""
    score = Score()
    database = database_of(lab, folder)
    for cell in notebook.cells:
        if cell.cell_type == "code" and is_grade(cell):
            keep_what_counts(cell, score.notes)
    resources = resources_for(lab.name, database, STUDENT)
    with Gradebook(f"sqlite:///{database}") as gradebook:
        gradebook.update_or_create_student(STUDENT)
        gradebook.update_or_create_submission(lab.name, STUDENT)
    for step in SCORING:
        notebook, resources = step().preprocess(notebook, resources)
    with Gradebook(f"sqlite:///{database}") as gradebook:
        grades = {g.name: g for g in gradebook.find_submission_notebook(lab.name, lab.name, STUDENT).grades}
        for name, cell in lab.cells.items():
            if name not in grades:
                continue
            grade = grades[name]
            manual = grade.max_score if grade.needs_manual_grade else 0.0
            line = line_of(notebook, name, cell.cell_type, manual)
            score.exercises.append(
                Exercise(name, float(grade.auto_score or 0), grade.max_score, manual, line)
            )
    return score


def keep_what_counts(cell, notes):
    """Leave a graded cell what nbgrader's rules should see: errors, and nothing that counts by chance.

    nbgrader gives 0 for a warning on stderr, and takes a displayed number for the points.
    """
    if any(o.output_type == "execute_result" for o in cell.outputs) and not isinstance(last(cell), ast.Expr):
        notes.append(
            f"forged? {cell.metadata.nbgrader.grade_id} shows a result, and its code has none to show"
        )
        cell.outputs.append(failure("ForeignResult", "an output that is not this cell's"))
    cell.outputs = sorted(
        (o for o in cell.outputs if not (o.output_type == "stream" and o.name == "stderr")),
        key=lambda o: o.output_type != "error",  # nbgrader takes the first that decides
    )


def last(cell):
    """The last statement of a cell's code, or None."""
    return (ast.parse(cell.source).body or [None])[-1]


def line_of(notebook, name, kind, manual):
    """What a student is told about one graded cell, in one line that quotes no test."""
    if kind == "markdown":
        return "your teacher reads this one" if manual else "no answer"
    cell = next((c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == name), None)
    errors = [o for o in cell.outputs if o.output_type == "error"] if cell else []
    if not errors:
        return f"✓ {name.removesuffix('_check')}"
    words = " ".join(str(errors[0].evalue).split())[:500]
    return words if words.startswith("✗") else f"✗ {name.removesuffix('_check')}: {errors[0].ename}: {words}"


def workplace():
    """A temporary folder for one submission's gradebook."""
    return tempfile.TemporaryDirectory(prefix="marking-")
