"""Make the published learning curves anew (``make curves``) and show what changed.

Runs every notebook that calls ``reproduce``, in a kernel where that name means ``publish``: the curves go to
a staging folder. Only when all of them have run are the curves compared with the published ones and moved
into place: a failure or an interruption leaves book/curves as it was. A curve that no notebook makes any more
is named, not deleted.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from blowup.curves import DoesNotReproduce, compare, load
from tools import ROOT

BOOK = ROOT / "book"
COLOR = re.compile(r"\x1b\[[0-9;]*m")
CALL = re.compile(r"^[^#\n]*\breproduce\(", re.MULTILINE)


def makers(book):
    """The notebooks under ``book`` with a cell that calls ``reproduce``."""
    found = []
    for path in sorted(book.rglob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        if any(cell.cell_type == "code" and CALL.search(cell.source) for cell in cells):
            found.append(path)
    return found


RECORD = """\
import functools, blowup.curves
blowup.curves.reproduce = functools.partial(blowup.curves.publish, folder={folder!r})
"""


def run(path, staging):
    """Run one notebook from its own folder; what its cells would compare is published to ``staging``."""
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(RECORD.format(folder=str(staging))))
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=1200, kernel_name="python3", resources=resources).execute()


def numbers(path):
    """The rows of a curve file, without the versions and dates of its header."""
    return [
        line for line in path.read_text().splitlines() if not line.startswith(("# torch", "# date", "# end"))
    ]


def change(name, fresh, published):
    """What became of curve ``name``, in words."""
    if not published.exists():
        return "new"
    if numbers(fresh) == numbers(published):
        return "unchanged"
    try:
        compare(name, load(fresh), load(published))
    except DoesNotReproduce as difference:
        return "changed\n" + "\n".join(str(difference).split("\n")[1:])
    except ValueError as error:
        return f"changed: {error}"
    return "the same experiment, other digits"


def install(staging, published):
    """Move every fresh curve into place, each at once, and let no signal come between them."""
    waiting = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        for path in sorted(staging.glob("*.csv")):
            if not (published / path.name).exists() or numbers(path) != numbers(published / path.name):
                os.replace(path, published / path.name)
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, waiting)


def main(book):
    published = book / "curves"
    published.mkdir(exist_ok=True)
    notebooks = makers(book)
    # On the same file system: os.replace is atomic.
    staging = Path(tempfile.mkdtemp(prefix=".curves-", dir=book))
    try:
        for path in notebooks:
            start = time.monotonic()
            print(f"{path.relative_to(book)} …", end=" ", flush=True)
            run(path, staging)
            print(f"{time.monotonic() - start:.1f} s", flush=True)
        fresh = {path.stem: path for path in sorted(staging.glob("*.csv"))}
        for name, path in fresh.items():
            print(f"{name}: {change(name, path, published / path.name)}")
        for path in sorted(published.glob("*.csv")):
            if path.stem not in fresh:
                print(f"{path.stem}: no notebook makes it any more; delete {path.name} if it is to go")
        install(staging, published)
        print(f"{len(fresh)} curves from {len(notebooks)} notebooks")
        return 0
    except BaseException as error:
        why = (
            "interrupted"
            if isinstance(error, KeyboardInterrupt | SystemExit)
            else f"failed:\n{COLOR.sub('', str(error))}"
        )
        print(f"\n{why}\nThe published curves are as they were.", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(staging, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--book", type=Path, default=BOOK, help="the folder of notebooks (default: book/)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sys.exit(main(parser.parse_args().book.resolve()))
