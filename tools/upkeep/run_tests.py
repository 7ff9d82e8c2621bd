"""Run every test, the quick ones first, and end with one line for each part. `make test` calls this.

1. the package, the notebooks' shape and the house, without the site
2. the site: built again if anything it is made of is newer
3. every chapter and every lab's solution, cell by cell, in a live kernel (nbval)
4. the built site: as files and in a real browser
"""

import subprocess
import sys
import time

from tools import ROOT
from tools.kernels import environment
from tools.labs import derive

PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "auto"]
NBVAL = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600", "--dist", "loadscope"]
PARTS = {
    "package": [*PYTEST, "-m", "not browser", "tests"],
    "site": ["make", "--no-print-directory", "site"],
    "notebooks": [*PYTEST, "-p", "no:cacheprovider", *NBVAL, "book", "_build/labs/solutions"],
    "browser": [*PYTEST, "--dist", "worksteal", "-m", "browser", "tests"],
}


def main(names):
    unknown = set(names) - set(PARTS)
    if unknown:
        sys.exit(f"unknown part {', '.join(sorted(unknown))}: choose from {', '.join(PARTS)}")
    # One worker a core: without this each of them would start one torch thread a core as well.
    crowded = environment(OMP_NUM_THREADS="1")
    outcome = {}
    for name in names or PARTS:
        print(f"\n== {name}", flush=True)
        started = time.perf_counter()
        if name == "notebooks":
            derive.solutions()
        code = subprocess.run(PARTS[name], cwd=ROOT, env=None if name == "site" else crowded).returncode
        outcome[name] = code
        print(f"== {name}: {'passed' if code == 0 else 'FAILED'} in {time.perf_counter() - started:.0f} s")
    failed = [name for name, code in outcome.items() if code]
    sys.exit(f"\nFAILED: {', '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    main(sys.argv[1:])
