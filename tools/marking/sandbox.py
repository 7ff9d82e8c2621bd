"""One notebook, executed where it can do no harm: bubblewrap around run_in_sandbox.py.

Nothing of the host is writable in there, and nothing is there but the system's programs and libraries, the
interpreter, the package and the lab's data: no repository, no other submission, no gradebook, no network.
"""

import json
import os
import secrets
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from tools import ROOT

HERE = Path(__file__).resolve().parent
HOME = "/home/student"
INSTALL = (
    "bubblewrap is not installed: `apt-get install bubblewrap` (Debian, Ubuntu) or `dnf install bubblewrap`"
)
SLICE = 0.2  # seconds between two looks at what the sandbox uses
SYSTEM = ("/usr", "/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/fonts")
LINKS = ("/bin", "/sbin", "/lib", "/lib64", "/lib32")


@dataclass
class Run:
    """What came of a run: ``cells`` maps places in the job's sources to (outputs, was the cell run)."""

    cells: dict = field(default_factory=dict)
    notes: list = field(default_factory=list)
    started: bool = False
    trouble: str = ""


def environment(home, library):
    """The whole environment inside: nothing of the marker's own gets in."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": library,
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        "MPLCONFIGDIR": f"{home}/.matplotlib",
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "NBGRADER_EXECUTION": "autograde",
    }


def bubble(limits, files=()):
    """bubblewrap's command line, up to the program to run; ``files`` maps host paths to names in HOME."""
    size = str(int(limits.files * 1e6))
    command = [shutil.which("bwrap") or "bwrap", "--unshare-all", "--die-with-parent", "--new-session"]
    command += ["--cap-drop", "ALL", "--hostname", "sandbox", "--clearenv"]
    for name, value in environment(HOME, "/library").items():
        command += ["--setenv", name, value]
    for place in SYSTEM:
        command += ["--ro-bind-try", place, place]
    for place in LINKS:
        if os.path.islink(place):
            command += ["--symlink", os.readlink(place), place]
        elif os.path.isdir(place):
            command += ["--ro-bind", place, place]
    command += ["--proc", "/proc", "--dev", "/dev"]
    for place in ("/dev/shm", "/tmp", HOME):
        command += ["--size", size, "--tmpfs", place]
    # After the empty folders: an interpreter may lie in one of them.
    for prefix in dict.fromkeys((sys.base_prefix, sys.prefix)):
        if not Path(prefix).is_relative_to("/usr"):
            command += ["--ro-bind", os.path.realpath(prefix), prefix]
    command += ["--ro-bind", str(ROOT / "blowup"), "/library/blowup"]
    command += ["--ro-bind-try", str(ROOT / "book" / "curves"), "/library/book/curves"]
    for name in ("run_in_sandbox.py", "client.py"):
        command += ["--ro-bind", str(HERE / name), f"/marking/{name}"]
    for source, name in files:
        command += ["--ro-bind", str(source), f"{HOME}/{name}"]
    return [*command, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", HOME]


def fonts(folder):
    """matplotlib's list of fonts as files for a sandbox, made once and not by each notebook."""
    command = [sys.executable, "-c", "import matplotlib.font_manager"]
    subprocess.run(command, env=os.environ | {"MPLCONFIGDIR": str(folder)}, check=False, capture_output=True)
    return tuple((file, f".matplotlib/{file.name}") for file in folder.glob("fontlist-*.json"))


def missing():
    """Why no sandbox can be had here, in one line, or "" where one can."""
    if shutil.which("bwrap") is None:
        return INSTALL
    from tools.marking.limits import Limits

    command = [*bubble(Limits()), sys.executable, "-c", "print('in')"]
    tried = subprocess.run(command, capture_output=True, text=True, env={}, timeout=60)
    if tried.returncode == 0 and tried.stdout == "in\n":
        return ""
    said = (tried.stderr.strip().splitlines() or ["it says nothing"])[-1]
    return f"bubblewrap cannot make a sandbox here ({said}); a container needs the right to make namespaces"


def execute(sources, limits, sandboxed=True, files=()):
    """Execute code cells in one kernel in a sandbox of their own; returns a :class:`Run`, never raises."""
    token = secrets.token_hex(16)
    own = {"nproc": tasks_of_user() + limits.processes}
    job = {"sources": sources, "token": token, "limits": asdict(limits) | own}
    with tempfile.TemporaryDirectory(prefix="marking-") as home, tempfile.TemporaryFile() as errors:
        if sandboxed:
            command = [*bubble(limits, files), sys.executable, "/marking/run_in_sandbox.py"]
            env = {}
        else:
            command = [sys.executable, str(HERE / "run_in_sandbox.py")]
            env = environment(home, str(ROOT))
            for source, name in files:
                Path(home, name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, Path(home, name))
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
        with subprocess.Popen(command, **pipes, env=env, cwd=home, start_new_session=True) as process:
            try:
                with suppress(BrokenPipeError):
                    process.stdin.write(json.dumps(job).encode())
                    process.stdin.close()
                data, trouble = watch(process, limits)
            finally:
                end(process)
        run = understand(data, token)
        errors.seek(0)
        run.trouble = trouble or run.trouble
        if not run.started and not run.trouble:
            run.trouble = f"did not start: {errors.read(2000).decode('utf8', 'replace').strip()[-300:]}"
    return run


def tasks_of_user():
    """Processes and threads that this user has already: before Linux 5.14 a sandbox's count begins there."""
    mine = (p.info for p in psutil.process_iter(["uids", "num_threads"]))
    return sum(info["num_threads"] or 1 for info in mine if info["uids"] and info["uids"].real == os.getuid())


def watch(process, limits):
    """Read what the sandbox says until it ends or breaks a limit; returns the bytes and the limit broken."""
    data, deadline, look = [], time.monotonic() + limits.notebook_seconds + limits.start_seconds + 15, 0.0
    size, most = 0, limits.result * 1e6
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while True:
            if selector.select(SLICE):
                block = os.read(process.stdout.fileno(), 1 << 20)
                if not block:
                    return b"".join(data), ""
                data.append(block)
                size += len(block)
            now = time.monotonic()
            if size > most:
                return b"".join(data), f"stopped: more than {limits.result:g} MB of output"
            if now > deadline:
                return b"".join(data), f"stopped: not done after {limits.notebook_seconds:g} s"
            if now - look > SLICE:
                look = now
                if broken := excess(process.pid, limits):
                    return b"".join(data), broken


def excess(pid, limits):
    """The limit on processes or memory that a process and its descendants break, or ""."""
    with suppress(psutil.Error):
        family = psutil.Process(pid).children(recursive=True)
        tasks, bytes_used = 0, 0
        for member in family:
            with suppress(psutil.Error):
                tasks += member.num_threads()
                bytes_used += member.memory_info().rss
        if tasks > limits.processes or len(family) > limits.processes:
            return f"stopped: more than {limits.processes} processes and threads"
        if bytes_used > limits.memory * 2**30 and shared_out(family) > limits.memory * 2**30:
            return f"stopped: more than {limits.memory:g} GiB of memory"
    return ""


def shared_out(family):
    """Bytes of memory of several processes, what they share counted once."""
    total = 0
    for member in family:
        with suppress(psutil.Error, OSError):
            total += member.memory_full_info().pss
    return total


def end(process):
    """Kill a sandbox and everything in it: with bubblewrap's first process its whole namespace dies."""
    family = []
    with suppress(psutil.Error):
        family = psutil.Process(process.pid).children(recursive=True)
    with suppress(ProcessLookupError):
        process.kill()
    for member in family:
        with suppress(psutil.Error):
            member.kill()
    process.stdout.close()
    process.wait()


def understand(data, token):
    """A :class:`Run` from the lines that the token vouches for; any other line is somebody else's."""
    run, done = Run(), False
    foreign = 0
    for line in data.split(b"\n"):
        head, _, body = line.partition(b" ")
        if head != token.encode():
            foreign += bool(line.strip())
            continue
        try:
            words = json.loads(body)
        except ValueError:
            continue  # cut off when the sandbox was stopped
        if "cell" in words:
            run.cells[words["cell"]] = (words["outputs"], words["run"])
        run.started = run.started or "started" in words
        done = done or "done" in words
        run.trouble = words.get("failed", run.trouble)
    if foreign:
        run.notes.append("forged? something else wrote into the channel of the results")
    if run.started and not done and not run.trouble:
        run.trouble = "the run ended before the notebook did: its processes were killed from inside"
    return run
