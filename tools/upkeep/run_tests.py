"""Run every test, the quick ones first, and end with one line for each part. `make test` calls this.

1. the package, the notebooks' shape and the house, without the site
2. the site: built, as far as it is not there; what `make book` has executed is not executed again
3. every chapter and every lab's solution, cell by cell, where a reader would run them (nbval)
4. the built site: that every check held when it was made, as files, and in a real browser
"""

import subprocess
import sys
import time

from tools import ROOT
from tools.kernels import environment

PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "auto"]
PARTS = {
    "package": [*PYTEST, "-m", "not browser", "tests"],
    "site": [sys.executable, "-m", "tools.site.build"],
    "notebooks": [sys.executable, "-m", "tools.upkeep.alone"],
    "browser": [*PYTEST, "--dist", "worksteal", "-m", "browser", "tests"],
}


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    # One worker a core: without this each of them would start one torch thread a core as well.
    crowded = environment(OMP_NUM_THREADS="1")
    lines, failed = [], []
    for name in names or PARTS:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        code = subprocess.run(PARTS[name], cwd=ROOT, env=crowded).returncode
        failed += [name] * (code != 0)
        lines.append(f"== {name}: {'FAILED' if code else 'passed'} in {time.perf_counter() - started:.0f} s")
        print(lines[-1], flush=True)
    print("\n" + "\n".join(lines))
    sys.exit(f"\nFAILED: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except KeyboardInterrupt:
        sys.exit("\ninterrupted")
