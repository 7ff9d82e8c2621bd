"""Runs inside the sandbox, alone with one notebook: execute its cells and say what each gave.

Reads one job as JSON from standard input: ``sources`` (the code cells), ``token``, ``limits``. Writes JSON
lines to standard output, each behind the token that only this process knows; the kernel that runs the
student's code can open the same pipe, but neither knows the token nor may look into this process.
A result is written as soon as its cell has ended, so that no later cell can change it.
"""

import ctypes
import json
import os
import resource
import signal
import sys
import time

DUMPABLE, DEATH_SIGNAL, SUBREAPER = 4, 1, 36  # prctl's numbers
GRACE = 10  # seconds in which a kernel must answer again after its cell was interrupted


def main():
    job = json.loads(sys.stdin.buffer.read())
    limits = job["limits"]
    shut_in(limits)
    pipe = os.fdopen(os.dup(1), "w")
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)

    def say(**words):
        pipe.write(f"{job['token']} {json.dumps(words)}\n")
        pipe.flush()

    try:
        run(job["sources"], limits, say)
        say(done=True)
    except BaseException as error:
        say(failed=f"{type(error).__name__}: {error}"[:500])
        raise


def shut_in(limits):
    """Set the limits that the kernel will inherit, and keep it from looking into this process."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(DUMPABLE, 0, 0, 0, 0)
        libc.prctl(DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
        libc.prctl(SUBREAPER, 1, 0, 0, 0)
    os.nice(10)  # whatever runs in here, the marker's own processes come first
    for name, value in (
        ("RLIMIT_AS", int(limits["memory"] * 2**30)),
        ("RLIMIT_FSIZE", int(limits["files"] * 1e6)),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 1024),
        ("RLIMIT_NPROC", limits["nproc"]),  # root is above this one; the marker counts as well
    ):
        which = getattr(resource, name)
        hard = resource.getrlimit(which)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(which, (value, value))


def error_output(name, words):
    """An output that nbgrader counts as a failed cell."""
    return {"output_type": "error", "ename": name, "evalue": words, "traceback": [f"{name}: {words}"]}


def run(sources, limits, say):
    """Execute the cells in one kernel; ``say`` the outputs of each, by its place in ``sources``."""
    sys.modules.setdefault("rfc3987_syntax", None)  # 2.5 s to import, and of no use here (__init__.py)
    import nbformat
    from client import BoundedClient
    from nbclient.exceptions import DeadKernelError

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    client = BoundedClient(notebook, limits)
    over = None
    with client.setup_kernel():
        say(started=True)
        clock = time.monotonic()
        for place, cell in enumerate(notebook.cells):
            left = limits["notebook_seconds"] - (time.monotonic() - clock)
            if over is None and left <= 0:
                over = ("NotRun", f"the notebook's {limits['notebook_seconds']:g} s were over")
            if over:
                say(cell=place, outputs=[error_output(*over)], run=False)
                continue
            timed_out = False
            try:
                timed_out = client.execute(cell, place, min(limits["cell_seconds"], left))
            except DeadKernelError:
                over = ("NotRun", "the kernel had died before")
                cell.outputs.append(error_output("KernelDied", "the kernel died in this cell"))
            except Exception as error:  # whatever the student's kernel sent, the other cells go on
                cell.outputs.append(error_output(type(error).__name__, str(error)[:300]))
            say(cell=place, outputs=cell.outputs, run=True)
            if timed_out and not client.answers(GRACE):
                over = ("NotRun", "an earlier cell could not be stopped")


if __name__ == "__main__":
    main()
