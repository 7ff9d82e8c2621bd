"""Build the site into _build/html, slides included: every notebook runs, warnings are errors. `make book`."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tools import ROOT
from tools.handouts import slides
from tools.kernels import environment

FLAGS = ["-q", "-W", "-n", "--keep-going", "--all"]
PLACES = ["--config", ROOT / "_config.yml", "--toc", ROOT / "_toc.yml", "--path-output", ROOT, ROOT / "book"]


def main():
    started = time.time()
    stamp = ROOT / "_build" / ".built"
    stamp.unlink(missing_ok=True)
    print("executing the notebooks and building the site", flush=True)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", *FLAGS, *PLACES]
    # Its standard output is decoration; progress, warnings and errors come on standard error.
    if subprocess.run(command, cwd=ROOT, env=environment(), stdout=subprocess.DEVNULL).returncode:
        sys.exit("the site was not built: what went wrong stands above")
    slides.main()
    stamp.touch()
    os.utime(stamp, (started, started))  # a page changed during the build is newer than the site
    print(f"The site is in _build/html ({time.time() - started:.0f} s). Open it with `make serve`,")
    print("or open _build/html/index.html in a browser: it needs no server.")


if __name__ == "__main__":
    main()
