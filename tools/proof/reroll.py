"""Run chapters, solutions and questions with every seed shifted and count which checks fail: `make reroll`.

A sentence that holds for our seeds only is an anecdote: see ``blowup.evidence``. Hidden checks must hold for
every shift; ``reproduce`` may say no as often as ``blowup.agreement`` promises, and is counted apart.
"""

import argparse
import os
import sys
import time
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from tools import ROOT
from tools.labs.derive import nbgrader_sources
from tools.proof.cells import read, session
from tools.proof.shift import SHIFTS, shifted


def chapters():
    """{name: path} of the chapters."""
    return {path.stem: path for path in sorted((ROOT / "book").glob("*.ipynb"))}


def labs():
    """{``lab-NAME``: path} of the labs, solved and with their hidden tests."""
    return {f"lab-{path.stem}": path for path in sorted(nbgrader_sources().glob("*/*.ipynb"))}


def questions():
    """{``questions-NAME``: path} of the exam questions, a file a chapter."""
    return {f"questions-{path.stem}": path for path in sorted((ROOT / "course" / "questions").glob("*.py"))}


def run(path, shift):
    """Execute one notebook with one shift: (failures, reproduced, what stopped it or "", seconds)."""
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    start, stopped = time.perf_counter(), ""
    with session(path.parent) as state, shifted(shift):
        try:
            for cell in read(path):
                state.run(cell)
        except Exception as error:
            stopped = f"cell {cell.id}: {type(error).__name__}: {' '.join(str(error).split())}"
    return state.failures, state.reproduced, stopped, time.perf_counter() - start


def reroll(chosen, shifts):
    """Run every notebook of ``chosen`` {name: path} with every shift, on all cores; returns what was found.

    {name: [(shift, failures, reproduced, stopped)]}. Prints a line as each run ends.
    """
    jobs = [(name, shift) for shift in shifts for name in chosen]
    found, cores = defaultdict(list), len(os.sched_getaffinity(0))
    # Forked, so that torch is imported once; this process has started no thread of its own.
    with ProcessPoolExecutor(min(cores, len(jobs)), mp_context=get_context("fork")) as pool:
        waiting = {pool.submit(run, chosen[name], shift): (name, shift) for name, shift in jobs}
        try:
            for k, job in enumerate(as_completed(waiting), 1):
                name, shift = waiting[job]
                failures, reproduced, stopped, seconds = job.result()
                found[name].append((shift, failures, reproduced, stopped))
                word = f"stopped: {stopped}" if stopped else f"{len(failures)} failed" if failures else "held"
                print(f"  {k}/{len(jobs)} {name}, shift {shift}: {word} ({seconds:.0f} s)", flush=True)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return found


def report(found):
    """Print how often each check failed, with its line and values; returns whether all is as promised."""
    from scipy.stats import binom

    from blowup.agreement import FALSE_ALARMS

    good, asked, refused = True, 0, 0
    for name, runs in sorted(found.items()):
        checks = defaultdict(list)
        for shift, failures, reproduced, stopped in sorted(runs, key=lambda entry: entry[0]):
            asked += len(reproduced)
            refused += sum(not agreed for _, agreed in reproduced)
            if stopped:
                checks["stopped", 0, ""].append((shift, stopped))
                good = False
            for f in failures:
                checks[f.cell, f.line, f.text].append((shift, f.message))
                good &= f.reproduces
        for (cell, line, text), cases in checks.items():
            place = f"cell {cell}, line {line}: {text}" if line else f"{cell} {text}"
            print(f"{name}: {place.strip()}\n  failed in {len({s for s, _ in cases})} of {len(runs)} shifts")
            for shift, message in cases[:5]:
                print(f"    shift {shift}: {message[:300]}")
    if asked:
        allowed = int(binom.isf(1e-6, asked, FALSE_ALARMS))
        good &= refused <= allowed
        print(f"reproduce said no {refused} times of {asked}; at {FALSE_ALARMS:g} each {allowed} may be luck")
    return bool(good)


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="make reroll", description=__doc__.split("\n")[0])
    parser.add_argument("--chapter", default="", help="names, separated by spaces; all when empty")
    parser.add_argument("--times", default="5", help="how many shifts")
    parser.add_argument("--first", default="1", help="the first shift; 0 is the published seeds")
    options = parser.parse_args(arguments)
    known = chapters() | labs() | questions()
    wanted = options.chapter.split() or list(known)
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"CHAPTER: unknown {', '.join(unknown)}: choose from {', '.join(known)}")
    first = _whole("FIRST", options.first, least=0)
    times = _whole("TIMES", options.times, least=1)
    if first + times > SHIFTS:
        sys.exit(f"FIRST + TIMES: shifts are whole numbers below {SHIFTS:,}")
    start = time.perf_counter()
    try:
        found = reroll({name: known[name] for name in wanted}, range(first, first + times))
    except KeyboardInterrupt:
        sys.exit("\nstopped: nothing was changed")
    except BrokenProcessPool:
        sys.exit("a run was killed from outside (out of memory?): nothing was changed")
    good = report(found)
    words = "every check held" if good else "FAILED: the checks above did not hold"
    last, seconds = first + times - 1, time.perf_counter() - start
    print(f"{words}: {len(wanted)} files, shifts {first} to {last}, {seconds:.0f} s")
    sys.exit(0 if good else 1)


def _whole(name, text, least):
    """``text`` as a whole number of at least ``least``; ends the command in one line otherwise."""
    if not text.strip().isdecimal() or int(text) < least:
        sys.exit(f"{name}: expected a whole number of at least {least}, got {text!r}")
    return int(text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # By its own name: cells may put another module in the place of __main__, where the pool would look.
    from tools.proof import reroll as this

    this.main()
