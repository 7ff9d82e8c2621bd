"""Break the experiment behind a law and see its check fail. `make mutants` runs all, the tests run a few.

A check that holds whatever the experiment does proves nothing. Each mutant (``tests/mutants``) changes one
cell of a notebook: a factor dropped, a rate doubled, two arms swapped, a norm missing. The notebook runs
once, unchanged; where a changed cell stands a copy of the process (fork) runs the change and the cells after
it, up to the check that must notice.
"""

import argparse
import ast
import importlib.util
import os
import signal
import sys
import time
from dataclasses import dataclass
from multiprocessing import get_context

from blowup.evidence import LAWS
from tools.proof.cells import Cell, read, session
from tools.proof.reroll import chapters

PATIENCE = 300  # seconds of processor time for a mutant: a broken experiment may never end


@dataclass(frozen=True)
class Mutant:
    """A change of one cell that a law must notice.

    cell: id of the cell that changes; old, new: the text that is replaced, once. check: id of the cell with
    the law; law: a piece of the line where that law's call begins, which tells it from the others of its cell
    ("reproduce NAME" for a published curve). also: more changes, (cell, old, new) each, where one idea stands
    in two cells.
    """

    cell: str
    old: str
    new: str
    check: str
    law: str
    also: tuple = ()
    quick: bool = False
    """Whether `make test` runs it."""

    def changes(self):
        return ((self.cell, self.old, self.new), *self.also)


def mutants_of(name):
    """The mutants of a notebook: ``MUTANTS`` of tests/mutants/<name>.py (hyphens as underscores), or none."""
    module = f"tests.mutants.{name.replace('-', '_')}"
    if importlib.util.find_spec(module) is None:
        return []
    return importlib.import_module(module).MUTANTS


def laws(cells):
    """Every law of a notebook, [(cell id, first line, last line, text)]: the calls of a law's helper."""
    found = []
    for cell in cells:
        lines = cell.source.split("\n")
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in (*LAWS, "reproduce"):
                found.append((cell.id, node.lineno, node.end_lineno, lines[node.lineno - 1].strip()))
    return found


def changed(cells, mutant):
    """The cells with the mutant's changes; ValueError where a text to replace is not there exactly once."""
    by_id = {cell.id: cell for cell in cells}
    for cell_id, old, new in mutant.changes():
        cell = by_id.get(cell_id)
        if cell is None or cell.source.count(old) != 1:
            why = (
                "there is no such cell" if cell is None else f"it stands there {cell.source.count(old)} times"
            )
            raise ValueError(f"mutant of cell {cell_id}, {old!r}: {why}")
        by_id[cell_id] = Cell(cell.id, cell.source.replace(old, new), cell.is_test, cell.may_raise)
    if mutant.check not in by_id:
        raise ValueError(f"mutant of cell {mutant.cell}: there is no check cell {mutant.check}")
    return [by_id[cell.id] for cell in cells]


def alive(state, cells, check, channel):
    """In a fork: run ``cells`` up to ``check`` and send which of its checks failed, [(line, message)]."""
    signal.setitimer(signal.ITIMER_PROF, PATIENCE)
    state.failures.clear()
    try:
        for cell in cells:
            state.run(cell)
            if cell.id == check:
                break
        found = [(f.cell, f.line, f.text, f.message) for f in state.failures]
    except Exception as error:  # a broken experiment may stop: that is noticed, but by no law
        found = [("stopped", 0, cell.id, f"{type(error).__name__}: {error}")]
    channel.send(found)
    channel.close()
    os._exit(0)


def survey(name, mutants):
    """Run every mutant of one notebook; returns [(mutant, failures)], in order."""
    path = chapters()[name]
    cells = read(path)
    places = {cell.id: k for k, cell in enumerate(cells)}
    variants = [(mutant, changed(cells, mutant)) for mutant in mutants]
    first = [min(places[cell] for cell, _, _ in m.changes()) for m in mutants]
    cores, running, results = len(os.sched_getaffinity(0)), [], {}
    fork = get_context("fork")

    def collect(most):
        while len(running) > most:
            k, process, channel = running.pop(0)
            try:
                results[k] = channel.recv()
            except EOFError:
                results[k] = [("stopped", 0, "", f"ended without a word, or after {PATIENCE} s of work")]
            process.join()

    with session(path.parent) as state:
        for place, cell in enumerate(cells):
            for k, (mutant, variant) in enumerate(variants):
                if first[k] == place:
                    collect(cores - 1)
                    here, there = fork.Pipe(duplex=False)
                    job = (state, variant[place:], mutant.check, there)
                    process = fork.Process(target=alive, args=job)
                    process.start()
                    there.close()
                    running.append((k, process, here))
            if place >= max((places[m.check] for m in mutants), default=-1):
                break
            state.run(cell)
        collect(0)
    return [(mutant, results[k]) for k, mutant in enumerate(mutants)]


def caught(mutant, failures):
    """The failures that are the named law's own: in its cell, on a line (or of a name) with its text."""
    return [f for f in failures if f[0] == mutant.check and mutant.law in f[2]]


def report(name, results, cells):
    """Print what escaped and which laws no mutant tries; returns (laws caught, laws, mutants escaped)."""
    escaped, proved = 0, set()
    for mutant, failures in results:
        found = caught(mutant, failures)
        if not found:
            escaped += 1
            print(f"  ESCAPED {name}: {mutant.cell}: {mutant.old!r} → {mutant.new!r}, law {mutant.law!r}")
            for failure in failures[:3]:
                print(f"    instead: {' '.join(map(str, failure))[:200]}")
        for cell, line, _, _ in found:
            proved |= {law for law in laws(cells) if law[0] == cell and law[1] <= line <= law[2]}
    every = laws(cells)
    for law in every:
        if law not in proved:
            cell, line, _, text = law
            print(f"  no mutant: {name} {cell}, line {line}: {text[:110]}")
    return len(proved), len(every), escaped


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__.split("\n")[0])
    parser.add_argument("--chapter", default="", help="names, separated by spaces; all when empty")
    options = parser.parse_args(arguments)
    known = chapters()
    wanted = options.chapter.split() or list(known)
    if unknown := [name for name in wanted if name not in known]:
        sys.exit(f"CHAPTER: unknown {', '.join(unknown)}: choose from {', '.join(known)}")
    start, totals = time.perf_counter(), [0, 0, 0]
    try:
        for name in wanted:
            mutants = mutants_of(name)
            print(f"{name}: {len(mutants)} mutants …", flush=True)
            proved, every, escaped = report(name, survey(name, mutants), read(known[name]))
            print(f"{name}: {proved} of {every} laws caught a mutant, {escaped} escaped", flush=True)
            totals = [totals[0] + proved, totals[1] + every, totals[2] + escaped]
    except ValueError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("\nstopped: nothing was changed")
    share = totals[0] / max(totals[1], 1)
    seconds = time.perf_counter() - start
    print(
        f"{totals[0]} of {totals[1]} laws caught a mutant ({share:.0%}); {totals[2]} escaped; {seconds:.0f} s"
    )
    sys.exit(1 if totals[2] else 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
