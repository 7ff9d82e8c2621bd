"""The limits that one submission runs under, and what each is called on the command line."""

from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Limits:
    """Every number must be above zero; ValueError says which is not."""

    cell_seconds: float = 120
    notebook_seconds: float = 900
    start_seconds: float = 60
    memory: float = 8
    processes: int = 200
    output: float = 1
    result: float = 64
    files: float = 200
    submission: float = 20

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not 0 < value < 1e9:
                raise ValueError(f"--{name.replace('_', '-')} must be above 0, not {value:g}")


HELP = {
    "cell_seconds": "seconds for one cell",
    "notebook_seconds": "seconds for one notebook",
    "start_seconds": "seconds for the kernel to start",
    "memory": "GiB of memory, for one process as address space and for all together",
    "processes": "processes and threads at a time",
    "output": "MB of output that are kept of a cell",
    "result": "MB of output of a whole notebook, beyond which it is stopped",
    "files": "MB that the notebook may write: in its home, in /tmp, in shared memory, in one file",
    "submission": "MB of a notebook as it was handed in",
}


def add_options(parser):
    """Give an argparse parser one option for each limit."""
    for field in fields(Limits):
        option = f"--{field.name.replace('_', '-')}"
        words = f"{HELP[field.name]} ({field.default})"
        parser.add_argument(option, type=type(field.default), default=field.default, metavar="N", help=words)


def from_options(options):
    """The :class:`Limits` that an argparse namespace holds."""
    return Limits(**{field.name: getattr(options, field.name) for field in fields(Limits)})
