"""What is measured: figures, gathered over several runs."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple


class Scale(NamedTuple):
    """How much of the full size a run has: 1.0 is full, `--quick` is a tenth; counts never fall below `least`."""

    factor: float = 1.0

    def of(self, count: int, least: int = 1) -> int:
        return max(least, round(count * self.factor))


class Figure(NamedTuple):
    """One line of the report. `target` is empty where there is none."""

    key: str
    what: str
    unit: str
    target: str = ""


Values = Mapping[str, float]
Measure = Callable[[Scale], Values]


class Row(NamedTuple):
    """One measurement, and the figures that it gives by their keys; a figure missing from a run is not shown."""

    name: str
    figures: tuple[Figure, ...]
    measure: Measure


class Spread(NamedTuple):
    """Least, median and most of several runs."""

    least: float
    middle: float
    most: float


def spread(values: Sequence[float]) -> Spread:
    return Spread(min(values), median(values), max(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the ordered values don't exceed; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, round(share * len(ordered)) - 1))]


def number(value: float) -> str:
    """As many digits as mean something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
