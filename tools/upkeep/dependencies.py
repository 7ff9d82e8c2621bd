"""Print what the weekly run installs: the oldest or the newest dependencies that pyproject.toml allows.

``python -m tools.upkeep.dependencies oldest`` pins every floor of the package; ``newest`` leaves them open.
What only the tests need comes from requirements.txt, without its pins in the newest run.
"""

import re
import sys
import tomllib

from tools import ROOT

# What tests/package, tests/chapters and tests/labs import, and what these tests start.
TESTING = (
    *("pytest", "pytest-xdist", "nbval", "hypothesis", "nbformat", "nbclient", "ipykernel"),
    *("hatchling", "PyYAML", "jupytext", "nbgrader"),
)


def floors():
    """The package's dependencies, name → oldest version allowed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return dict(re.fullmatch(r"([\w.-]+)>=([\w.]+)", line).groups() for line in project["dependencies"])


def pins():
    """requirements.txt, name → version."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def listed(which):
    """The lines of a requirements file, ``which`` being oldest or newest."""
    if which == "oldest":
        # The oldest release of the floor's series: 2.2 means 2.2.*, whatever its last digit.
        package = [f"{name}=={version}.*" for name, version in floors().items()]
        return package + [f"{name}=={pins()[name]}" for name in TESTING]
    if which == "newest":
        return [*floors(), *TESTING]
    raise ValueError(f"dependencies must be oldest or newest, not {which!r}")


if __name__ == "__main__":
    print("\n".join(listed(sys.argv[1] if len(sys.argv) == 2 else "")))
