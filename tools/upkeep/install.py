"""Create the virtual environment and install requirements.txt and the package: `make` calls this.

Runs on the machine's own Python with the standard library only, and prints nothing but what it is
doing, unless something fails. On Linux without an NVIDIA GPU, torch comes from PyTorch's index of CPU
wheels (a CUDA build is several gigabytes); where that index cannot be reached within a few seconds,
pip takes what the registry or the machine offers.
"""

import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

from tools import ROOT

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PATIENCE = 5.0  # seconds that the index of CPU wheels is waited for
VENV_HELP = """could not create {venv}.
On Debian and Ubuntu the venv module is a package of its own: apt-get install python3-venv"""


def main(venv):
    if not (venv / "bin" / "python").exists() or not works(venv, "import pip"):
        print(f"creating {venv} (Python {platform.python_version()})", flush=True)
        if subprocess.run([sys.executable, "-m", "venv", "--clear", venv]).returncode:
            sys.exit(VENV_HELP.format(venv=venv))
    if not works(venv, "import jupyter_book, torch"):
        print("installing requirements.txt (the first time this takes a few minutes)", flush=True)
    if not works(venv, "import torch") and prefers_cpu() and reachable(f"{CPU_INDEX}/torch/"):
        pip(venv, "--no-deps", "--index-url", CPU_INDEX, torch_pin(), may_fail=True)
    pip(venv, "-r", ROOT / "requirements.txt")
    pip(venv, "--no-deps", "--no-build-isolation", "-e", ROOT)


def works(venv, code):
    """Whether a line of Python runs in the environment."""
    return subprocess.run([venv / "bin" / "python", "-c", code], capture_output=True).returncode == 0


def pip(venv, *arguments, may_fail=False):
    """Run pip; show what it says only when it fails."""
    command = [venv / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode and not may_fail:
        sys.exit(f"{result.stdout}\npip could not install {arguments[-1]} (its words are above)")


def torch_pin():
    """The line of requirements.txt that pins torch."""
    return re.search(r"^torch==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE).group()


def prefers_cpu():
    """True on Linux without an NVIDIA GPU; elsewhere the registry's torch is already the right one."""
    has_gpu = Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi")
    return platform.system() == "Linux" and not has_gpu and "PIP_NO_INDEX" not in os.environ


def reachable(address):
    """Whether an address answers within PATIENCE, name lookup included (which has no time-out of its own)."""
    answered = []

    def ask():
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
                answered.append(answer.status == 200)
        except OSError:
            pass  # unreachable, refused or not found: pip takes what the registry offers

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return any(answered)


if __name__ == "__main__":
    if sys.version_info < (3, 11):  # noqa: UP036  (this file is what finds out)
        sys.exit(
            f"Python 3.11 or later is needed; {sys.executable} is {platform.python_version()}.\n"
            "Install a newer one, or name it: make book PYTHON=python3.12"
        )
    main(Path(sys.argv[1]).absolute())
