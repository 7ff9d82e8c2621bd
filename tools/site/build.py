"""Build the site into _build/html, slides included; warnings are errors. `make book`.

1. The chapters are executed (execute.py), except those whose run is still there (executed.py).
2. Jupyter Book makes the pages, all of them: a reference that one page breaks stands on another.
3. The slides are made of the same runs.

Where nothing has changed since the last time, nothing is made. The stamp of that time is removed first and
written last, so that a site whose making was interrupted is not taken for whole. A check that does not hold
on this machine (checks.py) does not stop anybody; the last lines name it.
"""

import errno
import json
import os
import subprocess
import sys
import time

from tools import ROOT
from tools.files import write_whole
from tools.kernels import environment
from tools.site import checks, executed

# Started from ROOT, so that the Sphinx extension is this very house's.
JUPYTER_BOOK = "from jupyter_book.cli.main import main; main()"
FLAGS = ["-q", "-W", "-n", "--keep-going", "--all"]
PLACES = ["--config", ROOT / "_config.yml", "--toc", ROOT / "_toc.yml", "--path-output", ROOT, ROOT / "book"]
MADE_OF = ("book", "course", "tools/site", "tools/handouts")
SITE, STAMP = ROOT / "_build" / "html", ROOT / "_build" / ".built"


class NotBuilt(Exception):
    """What went wrong, in the words for the terminal."""


def main():
    started = time.time()
    try:
        made = build()
    except KeyboardInterrupt:
        sys.exit("\ninterrupted: the site was not built; chapters that had been executed are kept")
    except OSError as error:
        sys.exit(
            f"the site was not built: {error.strerror}: {os.path.relpath(error.filename or '_build', ROOT)}"
        )
    except NotBuilt as error:
        sys.exit(f"{error}\nthe site was not built: what went wrong stands above")
    for line in checks.report(executed.failed()):
        print(line)
    pace = f"{time.time() - started:.0f} s" + ", nothing had changed" * (not made)
    print(f"The site is in _build/html ({pace}).")
    print("Open it with `make serve`, or open _build/html/index.html in a browser: it needs no server.")


def build():
    """Bring the site up to date; returns whether there was anything to do. NotBuilt says what went wrong."""
    bring_up_to_date(executed.chapters())
    sources = made_of()
    if stamp() == {"sources": sources, "site": on_disk()}:
        return False
    STAMP.unlink(missing_ok=True)
    pages()
    from tools.handouts import slides

    slides.main()
    write_whole(STAMP, json.dumps({"sources": sources, "site": on_disk()}))
    return True


def bring_up_to_date(names):
    """Execute those of the chapters whose run is missing, outdated or damaged; NotBuilt where one fails."""
    reasons, around = executed.outdated(names)
    if reasons:
        from tools.site.execute import (
            ChapterFailed,
            execute_all,
        )  # with nbclient, which takes a second to load

        try:
            execute_all(reasons, around)
        except ChapterFailed as error:
            raise NotBuilt(str(error)) from None


def pages():
    """Have Jupyter Book make every page; its words are shown only where it fails."""
    print("making the pages", flush=True)
    command = [sys.executable, "-c", JUPYTER_BOOK, "build", *FLAGS, *PLACES]
    # Its standard output is decoration; warnings and errors come on standard error.
    run = subprocess.run(
        command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    said = run.stderr.decode(errors="replace").strip()
    if run.returncode and os.strerror(errno.ENOSPC) in said:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(SITE))
    if run.returncode:
        raise NotBuilt(said)


def made_of():
    """A hash of everything that the site is made of: sources, tools, packages, the runs of the chapters."""
    files = [executed.tree(ROOT / place) for place in MADE_OF]
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("_config.yml", "_toc.yml")]
    runs = [executed.load(name)["metadata"]["executed"]["digest"] for name in executed.chapters()]
    return executed.digest([files, texts, runs, executed.surroundings()])


def on_disk():
    """Name and size of every file of the site, hashed: to notice what somebody has deleted or cut short."""
    files = sorted(path for path in SITE.rglob("*") if path.is_file())
    return executed.digest([(path.relative_to(SITE).as_posix(), path.stat().st_size) for path in files])


def stamp():
    """What the last build that came to its end has left, or nothing."""
    try:
        return json.loads(STAMP.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


if __name__ == "__main__":
    main()
