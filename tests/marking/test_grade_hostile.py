"""Marking hostile notebooks: none gets a point it did not earn unseen, and none reaches anything outside."""

import json
import os

import nbformat
import pytest

from tests.marking.tiny_lab import (
    LAB,
    RIGHT,
    SECRET,
    answered,
    by_id,
    grade,
    nbgrader,
    outcome,
    student_notebook,
    write_sources,
)

LIMITS = {"cell": 20, "notebook": 60, "memory": 4, "processes": 80, "files": 20}
# Two of them, "deaf" and "endless", do nothing until their time is over. Their names are early in the
# alphabet, and two workers more than cores wait for them while the others are marked.
JOBS = (os.cpu_count() or 1) + 2
# Nothing is answered: what such a notebook earns, it took.
NOTHING = {"add": None, "scale": None, "norm": None, "why": None}

LOOK_AROUND = """
import glob, os, sqlite3
OURS = ("site-packages", "/share/", "/lib/", "/curves/")
tops = ("/home", "/tmp", "/work", "/root", "/marking", "/library", os.path.expanduser("~"), {place!r})
found = [p for top in tops for p in glob.glob(top + "/**/*", recursive=True)]
hits = [p for p in found if p.endswith((".ipynb", ".db", ".csv", "result.json")) or "submissions" in p]
print("FOUND", [h for h in hits if not any(s in h for s in OURS)])
print("SYSTEM", [p for p in ("/etc/passwd", "/etc/shadow", "/var", "/sys", {place!r}) if os.path.exists(p)])
print("ENVIRON", b"PATH" in open("/proc/1/environ", "rb").read(), "MARKER" in os.environ)
"""
WRITE = """
import os
place = {place!r}
for path in (place + "/out/grades.csv", place + "/in/pwned", "/usr/pwned", "/pwned", "/marking/inside.py"):
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").write("pwned")
        print("WROTE", path)
    except OSError as error:
        print("refused", error.errno)
for n in range(100):
    with open(f"/tmp/{{n}}", "wb") as file:
        file.write(bytes(1_000_000))
"""
PASS_ALL = """
from contextlib import contextmanager
@contextmanager
def exercise(name):
    class Yes:
        def __getattr__(self, _): return lambda *a, **k: None
    try: yield Yes()
    except BaseException: pass
    print("✓", name)
"""
PATCH_CHECKS = """
import tiny_checks as c
for name in ("close", "between", "equal", "true"):
    setattr(c.Check, name, lambda self, *a, **k: None)
add = scale = norm = lambda *a: 0
"""
PATCH_SHELL = """
ip = get_ipython()
ip.showtraceback = lambda *a, **k: print("✓ add\\n✓ add, hidden\\n✓ scale\\n✓ scale, hidden")
ip.showsyntaxerror = ip.showtraceback
"""
PATCH_RUN = """
import re
kernel = get_ipython()
run = type(kernel).run_cell_async
async def forged(self, code, *args, **kwargs):
    names = re.findall(r'exercise.."([^"]+)"', code) or re.findall(r'exercise\\("([^"]+)"', code)
    for n in names: print("✓", n)
    return await run(self, "None", *args, **kwargs)
type(kernel).run_cell_async = forged
"""
ALWAYS = """
class Yes:
    def __sub__(self, other): return 0.0
    def __eq__(self, other): return True
def add(a, b): return Yes()
"""
CHANNEL = """
import glob, json, os
for fd in glob.glob("/proc/[0-9]*/fd/*"):
    try:
        with open(fd, "w") as pipe: pipe.write("0" * 32 + json.dumps({"cell": 3, "outputs": []}) + "\\n")
    except OSError: pass
for memory in glob.glob("/proc/[0-9]*/mem"):
    pid = memory.split("/")[2]
    if pid not in ("1", str(os.getpid())):
        try: open(memory, "rb"); print("MEMORY", pid)
        except OSError: pass
"""
THREAD = """
import threading, time, sys
def shout():
    while True:
        print("✓ add\\n✓ add, hidden\\n✓ norm\\n✓ norm, hidden"); time.sleep(0.05)
threading.Thread(target=shout, daemon=True).start()
"""
MEMORY = """
import os, signal, time
signal.signal(signal.SIGINT, signal.SIG_IGN)  # where a busy machine needs longer than a cell may take
for _ in range(6):
    if os.fork() == 0:
        block = bytearray(b"x") * 900_000_000; time.sleep(60); os._exit(0)
time.sleep(60)
"""
NETWORK = """
import socket
for host in ("127.0.0.1", "1.1.1.1", "example.org"):
    try: socket.create_connection((host, 80), 2); print("REACHED", host)
    except OSError as error: print("no network")
"""
OUTPUT = "from IPython.display import display\nfor n in range(40):\n    print('x' * 1_000_000)\n    "
OUTPUT += "display({'text/plain': 'y' * 1_000_000}, raw=True)\n"
FORKS = "import os\nwhile True: os.fork()"
LEAVE = "import os; os._exit(0)"
KILL_PARENT = "import os\nos.kill(os.getppid(), 9)"
STUBBORN = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
KILL_ALL = "import os, signal\nos.kill(-1, signal.SIGKILL)"
DAEMON = "import subprocess\nsubprocess.Popen(['setsid', 'sleep', '{seconds}'], start_new_session=True)"


def body(code):
    """An answer to ``add`` that does this first and then answers right."""
    lines = "\n".join(f"    {line}" for line in code.splitlines())
    return f"def add(a, b):\n{lines}\n    return a + b"


def forged_cell(notebook):
    """Graded cells of the student's own making, worth a hundred points, and the real ones gone."""
    for name in ("add_check", "scale_check"):
        notebook.cells.remove(by_id(notebook)[name])
    for name in ("extra", "bonus"):
        cell = nbformat.v4.new_code_cell("print('✓ add')", metadata=nbgrader(name, grade=True, points=100))
        notebook.cells.append(cell)
    return notebook


def forged_metadata(notebook):
    """A check worth a hundred points that calls itself a solution."""
    meta = by_id(notebook)["add_check"].metadata.nbgrader
    meta.update(points=100, solution=True, locked=False)
    by_id(notebook)["add_check"].source = "100"
    return notebook


def hostile(release, place):
    """Maps names to (notebook, the points that it may have, a reason that must be given)."""
    look, write = LOOK_AROUND.format(place=str(place)), WRITE.format(place=str(place))
    cases = {
        "endless": (answered(release, add=body("while True: pass")), 4, "time was over: add_check"),
        "tensor": (answered(release, add=body("import torch\ntorch.zeros(8_000_000_000)")), 4, ""),
        "memory": (answered(release, first=MEMORY, **NOTHING), 0, "GiB of memory"),
        "forks": (answered(release, first=FORKS, **NOTHING), 0, "more than 80 processes"),
        "output": (answered(release, first=OUTPUT), 6, "IPython"),
        "look": (answered(release, first=look), 6, "reaches outside"),
        "write": (answered(release, first=write), 6, "reaches outside"),
        "network": (answered(release, first=NETWORK), 6, "socket"),
        "input": (answered(release, add=body("input('?')")), 4, "input"),
        "exit": (answered(release, first="exit()"), 0, "kernel died in cell 3"),
        "sys-exit": (answered(release, add=body("import sys; sys.exit(0)")), 4, "sys.exit"),
        "os-exit": (answered(release, scale=body(LEAVE).replace("add", "scale")), 2, "kernel died"),
        "kill-parent": (answered(release, first=KILL_PARENT), 0, "killed from inside"),
        "kill-all": (answered(release, first=KILL_ALL, **NOTHING), 0, "os.kill"),
        "pass-all": (answered(release, first=PASS_ALL, **NOTHING), 0, "forged? a check of add_check"),
        "patch-checks": (answered(release, first=PATCH_CHECKS, **NOTHING), 0, "tiny_checks"),
        "patch-shell": (answered(release, first=PATCH_SHELL, **NOTHING), 0, "showtraceback"),
        "patch-run": (answered(release, first=PATCH_RUN, **NOTHING), 0, "get_ipython"),
        "always": (answered(release, add=ALWAYS, scale=None, norm=None, why=None), 2, "__sub__"),
        "channel": (answered(release, first=CHANNEL, **NOTHING), 0, "reaches outside"),
        "thread": (answered(release, first=THREAD, **NOTHING), 0, "threading"),
        "tests": (answered(release, scale="print(In)\n" + RIGHT["scale"]), 6, "show the hidden tests"),
        "cells": (forged_cell(answered(release, **NOTHING)), 0, "that the lab does not have: 'extra'"),
        "metadata": (forged_metadata(answered(release, **NOTHING)), 0, "metadata changed: add_check"),
        "daemon": (answered(release, first=DAEMON.format(seconds=98765)), 6, "subprocess"),
        "deaf": (answered(release, add=body(STUBBORN)), 0, "time was over: add_check"),
    }  # fmt: skip
    return cases


@pytest.fixture(scope="module")
def attacked(tmp_path_factory, sandbox):
    """All of them marked once: (the cases, the outcome, the place)."""
    place = tmp_path_factory.mktemp("attack")
    (place / "in").mkdir()
    sources = write_sources(place / "sources")
    cases = hostile(student_notebook(), place)
    for name, (notebook, *_) in cases.items():
        (place / "in" / f"{LAB} {name}.ipynb").write_text(nbformat.writes(notebook))
    options = [word for name in LIMITS for word in option(name)]
    options += ["--jobs", str(JOBS)]
    run = grade(place / "in", place / "out", sources, *options, *sandbox, timeout=1500)
    assert run.returncode == 0, run.stderr
    return cases, outcome(place / "out"), place


def option(name):
    """A limit as it is written on the command line."""
    return f"--{name}-seconds" if name in ("cell", "notebook") else f"--{name}", str(LIMITS[name])


def notebook_of(attacked, name):
    """What the sandbox gave for one case, as text."""
    row = attacked[1][f"{LAB} {name}.ipynb"]
    key = row["feedback"].removeprefix("feedback/").removesuffix(".html")
    return (attacked[2] / "out" / "submissions" / key / f"{LAB}.ipynb").read_text()


def printed(attacked, name):
    """What the cells of one case printed."""
    cells = json.loads(notebook_of(attacked, name))["cells"]
    outputs = [o for cell in cells for o in cell.get("outputs", []) if "text" in o]
    return "".join("".join(o["text"]) for o in outputs)


def test_nobody_gets_points_that_were_not_earned(attacked):
    cases, rows, _ = attacked
    for name, (_, points, reason) in cases.items():
        row = rows[f"{LAB} {name}.ipynb"]
        assert (row["status"], float(row["score"])) == ("marked", points), (name, row)
        assert reason in row["reasons"] and bool(reason) == bool(row["reasons"]), (name, row["reasons"])


def test_nothing_of_the_host_is_seen_or_reached(attacked):
    seen = printed(attacked, "look")
    assert "FOUND []" in seen and "SYSTEM []" in seen and "ENVIRON False False" in seen, seen
    assert "REACHED" not in printed(attacked, "network") and "no network" in printed(attacked, "network")
    assert "MEMORY" not in printed(attacked, "channel"), "a student's code looked into the client"


def test_nothing_is_written_outside(attacked):
    said, place = printed(attacked, "write"), attacked[2]
    assert said.count("refused") == 3, said  # what it wrote below /tmp is in a /tmp of its own
    assert "No space left on device" in notebook_of(attacked, "write")
    assert sorted(p.name for p in place.iterdir()) == ["in", "out", "sources"]
    assert not (place / "in" / "pwned").exists()
    assert (place / "out" / "grades.csv").read_text(encoding="utf-8-sig").startswith("student,")


def test_outputs_are_bounded_and_the_pages_stay_small(attacked):
    assert len(notebook_of(attacked, "output")) < 1_500_000
    pages = list((attacked[2] / "out" / "feedback").iterdir())
    assert len(pages) == len(attacked[0]) and all(p.stat().st_size < 2_000_000 for p in pages)
    assert all(SECRET not in p.read_text() for p in pages)


def test_nothing_is_left_running(attacked):
    import psutil

    lines = [" ".join(p.info["cmdline"] or []) for p in psutil.process_iter(["cmdline"])]
    assert not [line for line in lines if "sleep 98765" in line or str(attacked[2]) in line]
