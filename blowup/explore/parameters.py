"""What both lives of an explorer share: its parameters, its states, its figures and their descriptions."""

import inspect
import math
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from numbers import Real

import matplotlib.pyplot as plt
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Parameter:
    """One control: a name, its values, how they are shown, and the index of the value it starts at."""

    name: str
    values: tuple
    texts: tuple
    start: int

    @property
    def label(self):
        return self.name.replace("_", " ")

    @property
    def is_number(self):
        return is_number(self.values[0])


def is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)


def show_value(value):
    """A value as a reader sees it: ``0.01``, ``1e-05``, ``2.5``, ``yes``."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def parse(parameters, start=None):
    """The keywords of ``explore`` as a tuple of Parameters; ValueError says which one is wrong and why."""
    if not parameters:
        raise ValueError("explore needs at least one parameter with its values, such as gain=[1, 2, 3]")
    if start is not None and not isinstance(start, dict):
        raise ValueError(f"start must be a dict {{name: value}}, not {type(start).__name__}")
    start = start or {}
    unknown = [name for name in start if name not in parameters]
    if unknown:
        raise ValueError(f"start names unknown parameters {unknown}; known: {list(parameters)}")
    return tuple(_parameter(name, values, start) for name, values in parameters.items())


def _parameter(name, values, start):
    values = _plain_list(name, values)
    if not values:
        raise ValueError(f"parameter {name!r} has no values; give it at least one")
    kinds = {"number" if is_number(v) else type(v).__name__ for v in values}
    if len(kinds) > 1 or not kinds <= {"number", "str", "bool"}:
        raise ValueError(
            f"parameter {name!r} has values of kind {sorted(kinds)}; "
            "give it only numbers, only strings or only booleans"
        )
    if kinds == {"number"} and not all(map(math.isfinite, values)):
        raise ValueError(f"parameter {name!r} has values that are not finite: {values}")
    if len(set(values)) < len(values):
        raise ValueError(f"parameter {name!r} has duplicate values: {values}")
    if "" in values:
        raise ValueError(f"parameter {name!r} has an empty string among its values: {values}")
    texts = tuple(map(show_value, values))
    if len(set(texts)) < len(texts):  # six digits cannot tell them apart
        texts = tuple(map(repr, values))
    default = len(values) // 2 if kinds == {"number"} else 0
    index = _index(name, values, start[name]) if name in start else default
    return Parameter(name, tuple(values), texts, index)


def _plain_list(name, values):
    """A list of plain Python values; arrays and tensors are welcome, a bare string or number is a mistake."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(values, str | bytes | dict) or not hasattr(values, "__iter__"):
        raise ValueError(f"parameter {name!r} must be a list of values, got {values!r}")
    return [v.item() if hasattr(v, "item") else v for v in values]


def _index(name, values, wanted):
    for index, value in enumerate(values):
        both_numbers = is_number(value) and is_number(wanted)
        # np.linspace says 0.30000000000000004 where an author says 0.3
        if math.isclose(value, wanted, rel_tol=1e-9) if both_numbers else value is wanted or value == wanted:
            return index
    raise ValueError(f"start[{name!r}] is {wanted!r}, which is not among its values {values}")


@dataclass(frozen=True)
class Explorer:
    """A function that draws, the text that describes what it drew, and the parameters of both."""

    draw: object
    alt: object
    parameters: tuple

    def __post_init__(self):
        if not callable(self.draw):
            raise ValueError(f"draw must be a function that returns a Figure, got {self.draw!r}")
        if not (self.alt is None or callable(self.alt) or (isinstance(self.alt, str) and self.alt.strip())):
            raise ValueError(f"alt must be a text, or a function that returns one, got {self.alt!r}")
        functions = {"draw": self.draw} | ({"alt": self.alt} if callable(self.alt) else {})
        for role, function in functions.items():
            try:
                inspect.signature(function).bind(**self.start)
            except TypeError as error:
                names = [p.name for p in self.parameters]
                raise ValueError(f"{role} cannot be called with the parameters {names}: {error}") from None

    @property
    def start(self):
        return {p.name: p.values[p.start] for p in self.parameters}

    @property
    def size(self):
        """The number of states: the product of the numbers of values."""
        return math.prod(len(p.values) for p in self.parameters)

    @property
    def start_index(self):
        """Where the start comes in ``states()``."""
        index = 0
        for p in self.parameters:
            index = index * len(p.values) + p.start
        return index

    def states(self):
        """Every combination as ``{name: value}``, the last parameter running fastest."""
        names = [p.name for p in self.parameters]
        return [dict(zip(names, v, strict=True)) for v in product(*(p.values for p in self.parameters))]

    def state_text(self, values):
        """``gain = 2.5, activation = relu``."""
        pairs = ((p.label, p.texts[p.values.index(values[p.name])]) for p in self.parameters)
        return ", ".join(f"{label} = {text}" for label, text in pairs)

    def line(self, description):
        """The stable one-line text for front ends that can show nothing else."""
        ranges = "; ".join(f"{p.label}: {p.texts[0]} to {p.texts[-1]}" if p.is_number
                           else f"{p.label}: {', '.join(p.texts)}" for p in self.parameters)  # fmt: skip
        return f"Explorer ({ranges}). {description}"

    def describe(self, values, figure):
        """The text of the figure in one state."""
        if callable(self.alt):
            text = self.alt(**values)
            if not isinstance(text, str) or not text.strip():
                raise ValueError(f"alt must return a text, got {text!r}")
            return " ".join(text.split())
        axes = [ax.get_title() for ax in figure.axes]
        text = self.alt or ". ".join(filter(None, [figure.get_suptitle(), *axes])).replace("$", "")
        return f"{' '.join(text.split()).rstrip('.') or 'Figure'}. {self.state_text(values)}."

    @contextmanager
    def drawn(self, values):
        """``with explorer.drawn(values) as (figure, text)``: drawn, described, and closed afterwards."""
        before = set(plt.get_fignums())
        try:
            # Interactive pyplot would keep a reference to each figure until the cell ends.
            with plt.ioff():
                figure = self.draw(**values)
                if not isinstance(figure, Figure):
                    raise ValueError(f"draw must return a matplotlib Figure, got {type(figure).__name__}")
                yield figure, self.describe(values, figure)
        except Exception as error:
            error.add_note(f"This happened in explore, at {self.state_text(values)}.")
            raise
        finally:
            for number in set(plt.get_fignums()) - before:
                plt.close(number)
