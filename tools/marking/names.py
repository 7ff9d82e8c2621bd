"""Who handed a file in, read from the names that learning platforms give to files."""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

# Moodle: a folder a student, or the same words before the file's own name.
MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_(?:file|onlinetext)_?(?P<file>.*)")
# Canvas: one folder for all; a file handed in again gets -1, -2, … before its suffix.
CANVAS = re.compile(r"(?P<name>[^_]+)_(?:LATE_)?(?P<id>\d+)_(?P<file>\d+_.+)")
COPY = re.compile(r"\s*\((\d{1,4})\)$")  # what browsers and file managers add to a name that is taken
AGAIN = re.compile(r"-(\d{1,4})$")


@dataclass(frozen=True)
class Name:
    """``student`` to be read, ``id`` the platform's number or "", ``copy`` counts later copies from 1."""

    student: str
    id: str = ""
    copy: int = 0
    sure: bool = True


def read(path, lab):
    """The :class:`Name` behind a path relative to the folder of submissions.

    ``sure`` is False where the path names no student and the file's own name stands in.
    """
    parts = PurePosixPath(path).parts
    stem, copy = without_copy(PurePosixPath(parts[-1]).stem)
    for folder in reversed(parts[:-1]):
        if found := MOODLE.fullmatch(folder):
            return Name(tidy(found["name"]), found["id"], copy)
    if found := MOODLE.fullmatch(stem):
        return Name(tidy(found["name"]), found["id"], copy)
    if found := CANVAS.fullmatch(stem):
        again = AGAIN.search(found["file"])
        return Name(tidy(found["name"]), found["id"], int(again[1]) if again else copy)
    rest = without_lab(stem, lab)
    if rest is not None and (name := tidy(rest)):
        return Name(name, "", copy)
    if len(parts) > 1:
        return Name(tidy(parts[-2]) or parts[-2], "", copy)
    return Name(tidy(stem) or stem, "", copy, sure=False)


def without_copy(stem):
    """A stem without its "(1)", and the number that stood there or 0."""
    found = COPY.search(stem)
    return (stem[: found.start()], int(found[1])) if found else (stem, 0)


def without_lab(stem, lab):
    """What is left of a stem beside the lab's name, or None where the lab is not named."""
    found = re.search(re.sub(r"[\W_]+", r"[\\W_]+", lab), stem, re.IGNORECASE)
    return stem[: found.start()] + " " + stem[found.end() :] if found else None


def tidy(text):
    """A name as people write it: underscores are spaces, nothing else is changed."""
    return " ".join(re.sub(r"[_\s]+", " ", text).strip(" -.,").split())
