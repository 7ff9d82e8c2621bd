"""Execute the chapters for the site, one a core at the same time, and keep what comes out (executed.py).

A newcomer is not stopped by luck: a hidden check that does not hold (a cell tagged ``test`` that raises an
AssertionError) and a ``reproduce`` that says no are noted with their values, and execution goes on. Every
other error ends the chapter. What a hidden check says is not kept; in place of a ``reproduce`` that said no
stand its words, without the traceback.
"""

import asyncio
import logging
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellControlSignal, CellExecutionError

from tools import ROOT
from tools.kernels import for_the_site
from tools.site import checks, executed
from tools.upkeep.machine import processor

MOST = 8  # chapters at a time: each holds some 500 MB
COLOR = re.compile(r"\x1b\[[0-9;]*m")


class ChapterFailed(Exception):
    """What ended a chapter: its cell and traceback, as a reader of the terminal wants them."""


def execute_all(reasons, around):
    """Execute the chapters that ``executed.outdated`` gives, which says why each.

    Prints a line a chapter. ChapterFailed with the words of all that failed; the others are kept. OSError
    where nothing can be written. Interrupted, it stops the kernels first.
    """
    for why in dict.fromkeys(reasons.values()):
        say(f"executing {', '.join(name for name in reasons if reasons[name] == why)} ({why})")
    errors, running = [], []
    todo = sorted(
        reasons, key=last_seconds, reverse=True
    )  # the longest first, so that the cores end together
    pool = ThreadPoolExecutor(min(os.cpu_count() or 1, MOST))
    try:
        runs = {pool.submit(execute, name, around, running): name for name in todo}
        for done, future in enumerate(as_completed(runs), 1):
            start = f"  {done}/{len(todo)} {runs[future]} … "
            try:
                about = future.result()
            except ChapterFailed as error:
                errors.append(str(error))
                say(start + "failed")
                continue
            held = len(about["failed"])
            say(f"{start}{about['seconds']:.1f} s" + f" ({held} of its checks did not hold)" * bool(held))
    except BaseException:
        stop(running)
        raise
    finally:
        pool.shutdown(cancel_futures=True)
    if errors:
        raise ChapterFailed("\n\n".join(errors))


def say(line):
    print(line, flush=True)


def last_seconds(name):
    """How long chapter ``name`` took the last time; as if for ever where nobody knows."""
    try:
        return executed.load(name)["metadata"]["executed"]["seconds"]
    except executed.NotExecuted:
        return float("inf")


def execute(name, around, running):
    """Execute one chapter and keep it; returns what is known about the run. ``running`` lists the clients."""
    written = executed.source(name)
    notebook = nbformat.reads((ROOT / "book" / f"{name}.ipynb").read_text(encoding="utf-8"), as_version=4)
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        allow_errors=True,  # so that the kernel goes on; judge() says which errors end the chapter
        resources={"metadata": {"path": str(ROOT / "book")}},
        log=quiet(),
    )
    failed = []
    client.on_cell_error = partial(judge, client, failed)
    running.append(client)
    started = time.perf_counter()
    try:
        asyncio.run(client.async_execute(env=for_the_site()))  # a loop of its own, closed at the end
    except (CellControlSignal, RuntimeError) as error:  # an error in a cell; a time-out, a kernel that died
        raise ChapterFailed(f"book/{name}.ipynb: {COLOR.sub('', str(error)).strip()}") from None
    finally:
        running.remove(client)
    about = {
        "ingredients": executed.ingredients(written, around),
        "failed": failed,
        "seconds": round(time.perf_counter() - started, 1),
        "processor": processor(),
    }
    executed.save(name, without_tracebacks(notebook, failed), about)
    return about


async def judge(client, failed, cell, cell_index, execute_reply):
    """Note a check that does not hold; raise every other error of a cell."""
    if "raises-exception" in cell.metadata.get("tags", []):
        return
    error = execute_reply["content"]
    found = await checks.not_held(client, failed, cell, error)
    if found is None:
        problem = CellExecutionError.from_cell_and_msg(cell, error)
        problem.traceback = f"cell {cell.id}\n{problem.traceback}"
        raise problem
    failed.append(found)


def without_tracebacks(notebook, failed):
    """The notebook as a page shows it: hidden checks silent, a ``reproduce`` that said no in its words."""
    said = {check["cell"]: check["said"] for check in failed}
    for cell in notebook.cells:
        if cell.id in said:
            cell.outputs = [output for output in cell.outputs if output.output_type != "error"]
            if "test" in cell.metadata.get("tags", []):
                cell.outputs = []
            else:
                words = f"does not reproduce here: {said[cell.id]}\n"
                cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=words))
    return notebook


def quiet():
    """A logger for nbclient: what it says of a kernel that died, ChapterFailed says too."""
    logger = logging.getLogger("blowup.site")
    logger.setLevel(logging.CRITICAL)
    return logger


def stop(running):
    """End the kernels of an interrupted build at once: their work is not kept."""
    for client in list(running):
        if client.km is not None and client.km.has_kernel:
            client.km.provisioner.process.kill()
