"""Mark a class's notebooks: `make grade LAB=gradient-clipping IN=folder OUT=folder` calls this.

course/marking.md says what comes out, which limits there are, and what a sandbox cannot keep from happening.
"""

import argparse
import ctypes
import json
import os
import signal
import sys
import tempfile
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

from tqdm import tqdm

DEATH_SIGNAL = 1  # prctl's number: what a worker gets when the main process dies, however it died
WARNING = (
    "warning: NO SANDBOX. Every notebook runs with your rights: it can read, change and delete your files, "
    "see other submissions and the tests, and use the network."
)


class Refused(Exception):
    """What was asked for cannot be done; the message is the one line that says why."""


def parse(arguments):
    """The options of one run, an argparse namespace."""
    from tools.marking import limits

    parser = argparse.ArgumentParser(
        prog="grade", description="Mark a class's notebooks with nbgrader's rules."
    )
    parser.add_argument("--lab", required=True, help="the lab's name, as in labs/")
    parser.add_argument(
        "--in", dest="folder", required=True, help="the folder of notebooks as the LMS gave it"
    )
    parser.add_argument("--out", required=True, help="where marks, feedback and notes go")
    parser.add_argument(
        "--no-sandbox", action="store_true", help="go on where bubblewrap cannot work: see the docs"
    )
    parser.add_argument("--sources", help="nbgrader's source folder (for labs of your own)")
    parser.add_argument(
        "--jobs", type=int, default=cores(), metavar="N", help="notebooks at a time (all cores)"
    )
    limits.add_options(parser)
    return parser.parse_args(arguments)


def cores():
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def places(options):
    """The folders IN and OUT, resolved; raises Refused where they get in each other's way."""
    if not options.lab or not options.folder or not options.out:
        raise Refused("usage: make grade LAB=gradient-clipping IN=folder OUT=folder")
    folder, out = Path(options.folder).resolve(), Path(options.out).resolve()
    if out == folder or folder in out.parents:
        raise Refused(f"OUT must not lie in IN: {out} is in {folder}")
    if out in folder.parents:
        raise Refused(f"IN must not lie in OUT: {folder} is in {out}")
    if out.exists() and not out.is_dir():
        raise Refused(f"OUT must be a folder: {out} is a file")
    return folder, out


def claim(out, lab):
    """Make OUT this lab's; raises Refused if it holds another lab's marks."""
    from tools.files import write_whole

    about = out / "lab.json"
    if about.exists() and (held := json.loads(about.read_text())["lab"]) != lab:
        raise Refused(f"OUT holds the marks of {held}: choose another folder for {lab}")
    try:
        write_whole(about, json.dumps({"lab": lab}))
    except OSError as error:
        raise Refused(f"OUT cannot be written: {out}: {error.strerror}") from None


def run(options):
    """Mark what is not marked yet and write the tables; returns the line that sums it up."""
    from tools.labs import derive
    from tools.marking import answer_key, intake, mark, results, sandbox
    from tools.marking.limits import from_options

    try:
        limits = from_options(options)
        if options.jobs < 1:
            raise ValueError(f"--jobs must be at least 1, not {options.jobs}")
        folder, out = places(options)
        sources = Path(options.sources or derive.nbgrader_sources()).resolve()
        answer_key.source_of(options.lab, sources)
        submissions, other_files = intake.collect(folder, options.lab, limits.submission)
    except ValueError as error:
        raise Refused(str(error)) from None
    sandboxed = not options.no_sandbox
    if not sandboxed:
        print(WARNING, file=sys.stderr)
    elif why := sandbox.missing():
        raise Refused(f"{why}; or add NOSANDBOX=1 to run them without protection (see course/marking.md)")
    claim(out, options.lab)
    with tempfile.TemporaryDirectory(prefix="marking-") as work:
        lab = answer_key.prepare(options.lab, sources, Path(work))
        lab = replace(lab, files=(*lab.files, *sandbox.fonts(Path(work))))
        done = {}
        for submission in submissions:
            kept = results.load(out, submission.key, mark.basis(submission, lab, limits, sandboxed))
            if kept:
                done[submission.key] = kept
        todo = [s for s in submissions if s.key not in done]
        if done:
            print(f"{len(done)} of {len(submissions)} were marked before and are kept", file=sys.stderr)
        try:
            mark_all(todo, lab, limits, sandboxed, out, options.jobs, done)
        finally:
            looks = results.tables(out, lab.name, submissions, done, other_files)
    marked = sum(result.status == "marked" for result in done.values())
    return f"{marked} of {len(submissions)} notebooks marked, {looks} to look at: {out / 'grades.csv'}"


def mark_all(todo, lab, limits, sandboxed, out, jobs, done):
    """Mark submissions on several cores and put each Result into ``done`` as it comes; shows progress."""
    from tools.marking import mark

    if not todo:
        return
    pool = ProcessPoolExecutor(min(jobs, len(todo)), get_context("spawn"), initializer=heed_the_main_process)
    try:
        waiting = {pool.submit(mark.mark, s, lab, limits, sandboxed, out): s for s in todo}
        for future in tqdm(as_completed(waiting), total=len(waiting), unit="notebook", file=sys.stderr):
            done[waiting[future].key] = future.result()
        pool.shutdown()
    except BaseException:
        workers = list((pool._processes or {}).values())
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in workers:
            worker.terminate()  # its sandbox dies with it
        for worker in workers:
            worker.join(5)
            worker.kill()  # nothing happens to one that has ended
        raise


def heed_the_main_process():
    """A worker leaves Ctrl-C to the main process, which ends it; nbgrader's talk of sessions is not shown."""
    warnings.filterwarnings("ignore", message="Object of type")
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main(arguments=None):
    options = parse(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to be killed is to be stopped
    try:
        print(run(options))
    except Refused as error:
        print(error, file=sys.stderr)
        return 2
    except BrokenProcessPool:
        print("a marking process was killed: run the same command again, it goes on", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped: run the same command again, it goes on with what is missing", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if code == 130:
        os._exit(code)  # the pool's thread may wait forever for workers that were stopped in mid-word
    sys.exit(code)
