"""Counters, histograms and gauges by their labels, as they are kept and as Prometheus wants them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

Labels = tuple[str, ...]
Read = Callable[[], Awaitable[Mapping[Labels, float]]]


class Counted(Protocol):
    """Can be shown."""

    def family(self) -> "Metric": ...


class Counts(Counter[Labels]):
    """A counter: `+= 1` and `update` by labels."""

    def __init__(self, name: str, help: str, labels: Labels) -> None:
        super().__init__()
        self._described = name, help, labels

    def family(self) -> "Metric":
        from prometheus_client.metrics_core import CounterMetricFamily  # noqa: PLC0415 - with the first scrape

        name, help, labels = self._described
        family = CounterMetricFamily(name, help, labels=labels)
        for values, count in sorted(self.items()):
            family.add_metric(values, count)
        return family


class Histogram:
    """How values spread, by labels."""

    def __init__(self, name: str, help: str, labels: Labels, bounds: Sequence[float]) -> None:
        self._described = name, help, labels
        self._bounds = bounds
        self._counts: dict[Labels, list[int]] = {}
        self._sums: dict[Labels, float] = {}

    def add(self, labels: Labels, value: float, times: int = 1) -> None:
        counts = self._counts.get(labels)
        if counts is None:
            counts = self._counts[labels] = [0] * (len(self._bounds) + 1)
            self._sums[labels] = 0.0
        counts[bisect_left(self._bounds, value)] += times
        self._sums[labels] += value * times

    def family(self) -> "Metric":
        from prometheus_client.metrics_core import HistogramMetricFamily  # noqa: PLC0415

        name, help, labels = self._described
        family = HistogramMetricFamily(name, help, labels=labels)
        for values, counts in sorted(self._counts.items()):
            family.add_metric(values, self._cumulative(counts), self._sums[values])
        return family

    def _cumulative(self, counts: Sequence[int]) -> list[tuple[str, float]]:
        sum, rows = 0, []
        for bound, count in zip([*map(str, self._bounds), "+Inf"], counts, strict=True):
            sum += count
            rows.append((bound, float(sum)))
        return rows


class Gauge(NamedTuple):
    """What is looked up with each scrape."""

    name: str
    help: str
    labels: Labels
    read: Read

    def family(self, found: Mapping[Labels, float]) -> "Metric":
        from prometheus_client.metrics_core import GaugeMetricFamily  # noqa: PLC0415

        family = GaugeMetricFamily(self.name, self.help, labels=self.labels)
        for values, value in sorted(found.items()):
            family.add_metric(values, value)
        return family
