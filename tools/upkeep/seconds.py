"""How long the long commands take: noted as they run, shown by ``make bench`` beside what was published.

A command that came to its end adds a line to ``_build/seconds.json``, an object of its name and its seconds;
the last line of a name counts. ``python -m tools.upkeep.seconds publish`` writes what was noted here, with
the machine, to ``tools/upkeep/published_seconds.json``, to be committed: run it on an idle machine.
"""

import json
import math
import sys
from datetime import date

from tools import ROOT
from tools.files import write_whole

NOTED, PUBLISHED = ROOT / "_build" / "seconds.json", ROOT / "tools" / "upkeep" / "published_seconds.json"
BUDGETS = {
    "make book, fresh": (180, 360),
    "make book, nothing changed": (15, 15),
    "make book, one chapter changed": (60, 60),
    "make test, after make book": (720, 1200),
    ".ci/run": (1200, 2100),
}
"""Seconds that a command may take on an idle machine of two cores, with seven chapters and with fourteen."""


def record(part, seconds):
    """Note that ``part`` took ``seconds``; where nothing can be written, the work is done nevertheless."""
    try:
        NOTED.parent.mkdir(exist_ok=True)
        with NOTED.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"part": part, "seconds": round(seconds, 1)}) + "\n")
    except OSError:
        pass


def read(path=None):
    """What was noted, {part: seconds}; of a damaged file, the lines that are whole."""
    noted = {}
    try:
        lines = (path or NOTED).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    for line in lines:
        try:
            entry = json.loads(line)
            part, seconds = entry["part"], float(entry["seconds"])
        except (ValueError, TypeError, KeyError):
            continue
        if isinstance(part, str) and math.isfinite(seconds):
            noted[part] = seconds
    return noted


def published():
    """What was published last: {"machine": …, "date": …, "seconds": {part: seconds}}."""
    return json.loads(PUBLISHED.read_text(encoding="utf-8"))


def publish():
    """Write what was noted here to the file that is committed; returns the line that says so."""
    from tools.upkeep.machine import facts

    noted = {part: seconds for part, seconds in read().items() if part in BUDGETS}
    if not noted:
        sys.exit(f"nothing was published: none of {', '.join(BUDGETS)} has been measured here yet")
    entry = {"machine": facts(), "date": date.today().isoformat(), "seconds": noted}
    write_whole(PUBLISHED, json.dumps(entry, indent=2, ensure_ascii=False) + "\n")
    return f"The seconds of {len(noted)} commands are in {PUBLISHED.relative_to(ROOT)}: commit it."


def budget(part, chapters):
    """Seconds that ``part`` may take with that many chapters, on the line through seven and fourteen."""
    seven, fourteen = BUDGETS[part]
    return seven + (fourteen - seven) * (chapters - 7) / 7


def table(noted, last, chapters):
    """The lines that compare what was noted here with what was published and with the budgets."""
    when = f"{last['date']}, {last['machine']}" if last["date"] else "never"
    lines = [f"published last: {when}", f"{'':32s}{'here':>20s}{'published':>12s}{'budget':>9s}"]
    others = [part for part in noted if part not in BUDGETS]
    for part in [*BUDGETS, *others]:
        here = f"{noted[part]:.0f} s" if part in noted else "not measured yet"
        then = f"{last['seconds'][part]:.0f} s" if part in last["seconds"] else "–"
        most = f"{budget(part, chapters):.0f} s" if part in BUDGETS else "–"
        lines.append(f"{part:32s}{here:>20s}{then:>12s}{most:>9s}")
    return lines


def main(arguments):
    if arguments == ["publish"]:
        print(publish())
    elif len(arguments) == 2 and arguments[0] in BUDGETS and arguments[1].isdecimal():
        record(arguments[0], int(arguments[1]))
    else:
        sys.exit(f"seconds: expected publish, or a command and whole seconds, got {' '.join(arguments)!r}")


if __name__ == "__main__":
    main(sys.argv[1:])
