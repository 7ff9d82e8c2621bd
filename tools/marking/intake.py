"""What was handed in: find the notebooks, say whose they are, and which of several copies counts."""

import hashlib
import os
import re
import stat
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from tools.marking import names

HIDDEN = (".", "__MACOSX")


class BadInput(ValueError):
    """The folder of submissions cannot be used; the message says why in one line."""


@dataclass
class Submission:
    """One file. ``key`` is unique among all files, safe in a path, and stays the same from run to run."""

    path: str
    file: Path
    student: str
    id: str
    key: str
    sha: str = ""
    refused: str = ""
    older: bool = False
    notes: list = field(default_factory=list)
    copy: int = 0


def collect(folder, lab, megabytes):
    """Every notebook below ``folder`` as a :class:`Submission`, and the paths of the files that are none.

    Raises BadInput when there is nothing to mark.
    """
    if not folder.is_dir():
        raise BadInput(f"IN must be a folder of notebooks: there is no folder {folder}")
    found, other_files = [], []
    for path in walk(folder):
        (found if path.suffix.lower() == ".ipynb" else other_files).append(path)
    if not found:
        kept = f"; it holds {len(other_files)} other files" if other_files else ", it is empty"
        raise BadInput(f"IN must hold notebooks (.ipynb), and {folder} has none{kept}")
    submissions = [one(path, folder, lab, megabytes) for path in found]
    choose_copies(submissions)
    note_twins(submissions)
    return submissions, [str(path.relative_to(folder)) for path in other_files]


def walk(folder):
    """The files below a folder in a fixed order, links to folders not followed, hidden ones left out."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith(HIDDEN))
        yield from (Path(place, name) for name in sorted(files) if not name.startswith(HIDDEN))


def one(file, folder, lab, megabytes):
    """Read what a path and a file's state tell; nothing of the notebook's content is looked at."""
    path = os.fsencode(file.relative_to(folder)).decode("utf-8", "replace")
    name = names.read(path, lab)
    submission = Submission(path, file, name.student, name.id, key_of(name.student, path), copy=name.copy)
    if not name.sure:
        submission.notes.append("no student's name: the file's own name stands in")
    state = file.lstat()
    if not stat.S_ISREG(state.st_mode):
        submission.refused = "not a plain file: a link or a device is not followed"
    elif state.st_size > megabytes * 1e6:
        submission.refused = f"too large: {state.st_size / 1e6:.0f} MB, allowed are {megabytes:g} MB"
    else:
        try:
            submission.sha = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            submission.refused = f"cannot be read: {error.strerror}"
    return submission


def key_of(student, path):
    """The student's name in plain letters, and eight letters that the path alone decides."""
    plain = unicodedata.normalize("NFKD", student).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40] or "student"
    return f"{slug}-{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def choose_copies(submissions):
    """Where a student handed in several files, let the newest count if their numbers tell which it is."""
    groups = defaultdict(list)
    for submission in submissions:
        groups[submission.student.casefold(), submission.id].append(submission)
    for group in groups.values():
        if len(group) < 2:
            continue
        others = ", ".join(s.path for s in group)
        if len({s.copy for s in group}) == len(group):
            newest = max(group, key=lambda s: s.copy)
            newest.notes.append(f"handed in {len(group)} times, the newest by number is marked: {others}")
            for submission in group:
                submission.older = submission is not newest
        else:
            for submission in group:
                submission.notes.append(f"handed in {len(group)} times, each is marked: {others}")


def note_twins(submissions):
    """Tell of files of different students that are the same to the last byte."""
    same = defaultdict(list)
    for submission in submissions:
        if submission.sha:
            same[submission.sha].append(submission)
    for group in same.values():
        for submission in group:
            twins = [s.path for s in group if (s.student, s.id) != (submission.student, submission.id)]
            if twins:
                submission.notes.append(f"the same file as {', '.join(twins[:3])}")
