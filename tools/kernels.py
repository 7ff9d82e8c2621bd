"""How the kernels that execute the notebooks start: the same on every machine, and quietly."""

import os

from tools import ROOT

CONFIG = """\
c = get_config()
c.IPKernelApp.log_level = 40  # errors only
c.HistoryManager.enabled = False
"""


def environment(**more):
    """The environment for kernels: no start-up files of the user's own, no notes on the terminal.

    torch's threads wait passively: by default they spin, and a busy machine then runs ten times slower.
    """
    folder = ROOT / "_build" / "ipython"
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text(CONFIG)
    return (
        os.environ
        | {"IPYTHONDIR": str(folder), "PYDEVD_DISABLE_FILE_VALIDATION": "1", "OMP_WAIT_POLICY": "passive"}
        | more
    )


def for_the_site():
    """The environment of a chapter that draws for the static page, beside others that do."""
    return environment(BLOWUP_STATIC="1", OMP_NUM_THREADS="1")
