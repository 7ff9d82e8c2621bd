"""What marking leaves behind: one result a submission, written whole or not at all, and two tables."""

import csv
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools.files import write_whole

GRADES = (
    "student",
    "id",
    "file",
    "lab",
    "score",
    "max",
    "to_grade_by_hand",
    "status",
    "look",
    "feedback",
    "sha256",
)
LOOK = ("student", "file", "reason")
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass
class Result:
    """The outcome for one file; ``basis`` says what it was made from, so that a second run can keep it."""

    key: str
    basis: str
    status: str
    score: float = 0.0
    most: float = 0.0
    manual: float = 0.0
    notes: list = field(default_factory=list)
    exercises: list = field(default_factory=list)
    seconds: float = 0.0


def place(out, key):
    """The folder of one submission's result."""
    return Path(out, "submissions", key)


def save(out, result):
    """Keep one result."""
    write_whole(
        place(out, result.key) / "result.json", json.dumps(asdict(result), indent=1, ensure_ascii=False)
    )


def load(out, key, basis):
    """The :class:`Result` of an earlier run if it was made from the same, else None."""
    try:
        result = Result(**json.loads((place(out, key) / "result.json").read_text(encoding="utf8")))
    except (OSError, ValueError, TypeError):
        return None
    kept = result.basis == basis and result.key == key and result.status != "not run"
    return result if kept else None


def tables(out, lab, submissions, results, other_files):
    """Write grades.csv and look-at.csv for what has a result; returns how many files a person should see."""
    grades, look = [], []
    for submission in sorted(submissions, key=lambda s: (s.student.casefold(), s.path)):
        result = results.get(submission.key)
        if result is None:
            continue
        notes = [*result.notes, *submission.notes]
        feedback = f"feedback/{submission.key}.html" if result.status == "marked" else ""
        row = (
            submission.student,
            submission.id,
            submission.path,
            lab,
            f"{result.score:g}",
            f"{result.most:g}",
        )
        row += (f"{result.manual:g}", result.status, "yes" if notes else "", feedback, submission.sha)
        grades.append(row)
        look += [(submission.student, submission.path, note) for note in notes]
    look += [("", path, "not a notebook by its name: left alone") for path in other_files]
    write_table(Path(out, "grades.csv"), GRADES, grades)
    write_table(Path(out, "look-at.csv"), LOOK, look)
    return len({path for _, path, _ in look})


def write_table(path, head, rows):
    """A table that a spreadsheet opens with its letters whole, and without running what a name might hold."""

    def harmless(value):
        value = " ".join(str(value).split())
        return f"'{value}" if value.startswith(FORMULA) else value

    class Lines(list):
        write = list.append

    lines = Lines()
    table = csv.writer(lines)
    table.writerow(head)
    table.writerows([harmless(value) for value in row] for row in rows)
    write_whole(path, "\ufeff" + "".join(lines))
