"""Learning curves of an ensemble of seeds: hold, band, save and load them as small text files."""

import os
import re
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import torch

from blowup.agreement import LEAST_SEEDS, differences, outcomes
from blowup.settings import curves_folder

FORMAT = "# blowup learning curves, format 1"
SAVED = ("loss", "accuracy", "grad_norm", "update_norms")  # a file's rows, in this order


class DoesNotReproduce(AssertionError):
    """A fresh run differs from the published one by more than the luck of its seeds."""


@dataclass(frozen=True, eq=False, repr=False)
class Curves:
    """What a training run records, of an ensemble with one member a seed.

    steps (steps,): updates made before the record. seeds (members,).
    loss (members, steps): mean cross-entropy of the batch at hand.
    accuracy (members, steps): share right, 0 to 1.
    grad_norms (members, steps, layers): norm of the gradient of each layer's weight and bias, unclipped.
    update_norms (members, steps): norm of the change of all parameters that followed.
    first_nonfinite (members,): the first step at which the loss, a gradient or a parameter was inf or nan;
    −1 if none was. layers: their names.
    ValueError names the field whose shape does not fit.
    """

    steps: np.ndarray
    seeds: np.ndarray
    loss: np.ndarray
    accuracy: np.ndarray
    grad_norms: np.ndarray
    update_norms: np.ndarray
    first_nonfinite: np.ndarray
    layers: tuple = ("all layers",)

    def __post_init__(self):
        for name in ("steps", "seeds", "first_nonfinite"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.int64))
        for name in ("loss", "accuracy", "grad_norms", "update_norms"):
            object.__setattr__(self, name, np.asarray(getattr(self, name), dtype=np.float64))
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.steps.ndim != 1 or not len(self.steps) or (np.diff(self.steps) <= 0).any():
            raise ValueError(f"steps: expected rising numbers, at least one, got {self.steps}")
        if self.seeds.ndim != 1 or not len(self.seeds):
            raise ValueError("seeds: expected at least one seed")
        members, records = len(self.seeds), len(self.steps)
        shapes = {
            "loss": (members, records),
            "accuracy": (members, records),
            "grad_norms": (members, records, len(self.layers)),
            "update_norms": (members, records),
            "first_nonfinite": (members,),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f"{name}: expected shape {shape} for {members} seeds and {records} steps, "
                                 f"got {getattr(self, name).shape}")  # fmt: skip

    def __repr__(self):
        return f"Curves({len(self.seeds)} seeds, steps 0 to {self.steps[-1]}: {tally(self)})"

    @property
    def grad_norm(self):
        """Norm of the gradient of all parameters together, (members, steps)."""
        largest = self.grad_norms.max(axis=2, keepdims=True)
        scale = np.where(np.isfinite(largest) & (largest > 0), largest, 1.0)
        return scale[..., 0] * np.sqrt(np.square(self.grad_norms / scale).sum(axis=2))


def tally(curves):
    """What became of the seeds, counted: "14 learned, 2 non-finite" (:func:`blowup.agreement.outcomes`)."""
    return ", ".join(f"{n} {kind}" for kind, n in sorted(Counter(outcomes(curves)).items()))


def band(values, low=0.1, high=0.9):
    """The ``low`` quantile, the median and the ``high`` quantile over seeds, each (steps,).

    ``values`` are (members, steps). Between two seeds a quantile lies on a straight line, so the median of an
    even number is the mean of the middle two, as numpy says. A nan counts as inf, the worst loss, so that a
    seed that overflowed is never quietly left out; between a number and inf lies inf.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2 or not values.shape[0]:
        raise ValueError(f"values: expected (members, steps) with at least one seed, got {values.shape}")
    ordered = np.sort(np.where(np.isnan(values), np.inf, values), axis=0)

    def quantile(share):
        place = share * (len(ordered) - 1)
        below, above = ordered[int(np.floor(place))], ordered[int(np.ceil(place))]
        weight = place - np.floor(place)
        with np.errstate(invalid="ignore"):  # inf − inf where both neighbors are inf: they are equal
            return np.where(below == above, below, below + weight * (above - below))

    return quantile(low), np.median(ordered, axis=0), quantile(high)


def save(curves, path):
    """Write curves to a small text file, whole or not at all.

    A header (torch, date, seeds), then one line of comma-separated values for each quantity and seed, to
    5 significant digits, then a last line with the number of rows and a checksum. Of the gradient norms
    only that of all layers together is kept.
    """
    path = Path(path)
    lines = [
        FORMAT,
        f"# torch: {torch.__version__}",
        f"# date: {date.today().isoformat()}",
        f"# seeds: {' '.join(map(str, curves.seeds))}",
        f"# first non-finite step: {' '.join(map(str, curves.first_nonfinite))}",
        ",".join(["quantity", "seed", *map(str, curves.steps)]),
    ]
    for quantity in SAVED:
        for seed, row in zip(curves.seeds, getattr(curves, quantity), strict=True):
            lines.append(",".join([quantity, str(seed), *(f"{value:.5g}" for value in row)]))
    lines.append(last_line(lines))
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write("\n".join(lines) + "\n")
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def last_line(lines):
    rows = sum(not line.startswith("#") for line in lines) - 1
    return f"# end: {rows} rows, checksum {zlib.crc32(chr(10).join(lines).encode()):08x}"


def load(path):
    """The Curves of a file that ``save`` wrote; gradient norms come back as one layer, "all layers".

    ValueError where the file is missing, cut short, changed or not such a file.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"path: cannot read {path.name}: {error}") from None
    if lines[0] != FORMAT:
        raise ValueError(f"path: {path.name} holds no learning curves (its first line is not {FORMAT!r})")
    if not lines[-1].startswith("# end: "):
        raise ValueError(f"path: {path.name} is cut short (its last line is not '# end: …'); restore it")
    if lines[-1] != last_line(lines[:-1]):
        raise ValueError(f"path: {path.name} was changed since it was saved (checksum); restore it")
    fields = dict(re.fullmatch(r"# ([^:]+): (.*)", line).groups() for line in lines[1:5])
    seeds = [int(seed) for seed in fields["seeds"].split()]
    rows = [line.split(",") for line in lines[6:-1]]
    values = {q: np.array([row[2:] for row in rows if row[0] == q], dtype=np.float64) for q in SAVED}
    values["grad_norms"] = values.pop("grad_norm")[..., None]
    first = [int(step) for step in fields["first non-finite step"].split()]
    return Curves(
        steps=[int(s) for s in lines[5].split(",")[2:]], seeds=seeds, first_nonfinite=first, **values
    )


def published_folder():
    """Where the published curves lie: $BLOWUP_CURVES, the installed package, or book/curves beside it."""
    if folder := curves_folder():
        return folder
    package = Path(__file__).resolve().parent
    installed = package / "published"
    return installed if installed.is_dir() else package.parent / "book" / "curves"


def reproduce(name, curves):
    """Hold a fresh run to the published curves ``name``: prints one line, or raises DoesNotReproduce.

    The two may be one experiment as far as a permutation test over the seeds can tell
    (:mod:`blowup.agreement`): other rounding, other threads and other random numbers pass.

    ValueError: an unknown name (lists the known ones), a damaged file, fewer than 8 seeds, or other steps
    or another number of seeds than published.
    """
    check_experiment(name, curves)
    path = published_folder() / f"{name}.csv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in path.parent.glob("*.csv"))) or "none yet"
        raise ValueError(f"name: no published curves called {name!r}; known are {known}")
    compare(name, curves, load(path))
    print(f"reproduced: {name} ({len(curves.seeds)} seeds, loss, accuracy, gradients and updates agree)")


def publish(name, curves, folder):
    """Save a run as the curves ``name`` that later runs are held to: ``make curves`` calls this.

    ValueError: a bad name, fewer than 8 seeds, or a name that ``folder`` has already.
    """
    check_experiment(name, curves)
    path = Path(folder) / f"{name}.csv"
    if path.exists():
        raise ValueError(f"name: {name!r} is published twice in one run; give each experiment its own name")
    save(curves, path)
    print(f"recorded: {name} ({len(curves.seeds)} seeds)")


def check_experiment(name, curves):
    """ValueError unless ``name`` can name a file and ``curves`` have seeds enough to be compared."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", str(name)):
        raise ValueError(f"name: expected lower-case words joined by hyphens, got {name!r}")
    if len(curves.seeds) < LEAST_SEEDS:
        raise ValueError(f"curves: needs at least {LEAST_SEEDS} seeds to tell, got {len(curves.seeds)}")


def compare(name, fresh, published):
    """Raise DoesNotReproduce, saying what differs and by how much, unless the two runs agree."""
    for what, ours, theirs in (
        ("number of seeds", len(fresh.seeds), len(published.seeds)),
        ("recorded steps", list(fresh.steps), list(published.steps)),
    ):
        if ours != theirs:
            raise ValueError(f"curves: {name} has {theirs} as its published {what}, the fresh run has {ours}")
    found = differences(fresh, published)
    if not found:
        return
    lines = [f"{name}: the fresh run differs from the published one by more than the luck of its seeds."]
    for quantity in SAVED:
        if steps := [(step, z) for q, step, z in found if q == quantity]:
            step, z = steps[0]
            k = list(fresh.steps).index(step)
            ours = band(getattr(fresh, quantity))[1][k]
            low, middle, high = (values[k] for values in band(getattr(published, quantity)))
            lines.append(
                f"  {quantity}: at step {step} the median is {ours:.4g}, published {middle:.4g} "
                f"(band {low:.4g} to {high:.4g}), {abs(z):.1f} standard errors "
                f"{'above' if z > 0 else 'below'} in rank; so at {len(steps)} of {len(fresh.steps)} steps"
            )
    lines.append(f"  outcomes: {tally(fresh)}; published: {tally(published)}")
    raise DoesNotReproduce("\n".join(lines))
