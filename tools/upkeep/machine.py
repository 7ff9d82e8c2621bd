"""What a build or a test runs on, in one line: ``python -m tools.upkeep.machine``."""

import os
import platform
from pathlib import Path


def processor():
    """The processor's model, as the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    except OSError:
        names = []
    return (names or [platform.processor() or platform.machine()])[0]


def main():
    import torch

    facts = [
        f"{processor()}, {os.cpu_count()} cores",
        f"vector capability {torch.backends.cpu.get_cpu_capability()}",
        f"torch {torch.__version__}",
        f"Python {platform.python_version()} on {platform.system()}",
    ]
    print(f"running on {'; '.join(facts)}", flush=True)


if __name__ == "__main__":
    main()
