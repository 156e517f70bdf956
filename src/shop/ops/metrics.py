"""What Prometheus reads: counted from signals, a few additions a hop; the rest is worked out when it is asked for."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from amends.pages import Instance
from amends.ports import Runtime
from amends.service import Service
from amends.signals import Field, Signals
from amends.state import ENDED

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

SIZES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

count_moving = "select status, count(*) from sagas where wake_at is not null group by status"
count_stuck = "select count(*) from sagas where status = 'stuck'"


class Buckets:
    """A histogram."""

    __slots__ = ("bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def add(self, value: float) -> None:
        self.counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    def cumulative(self) -> list[tuple[str, float]]:
        """As Prometheus wants them."""
        sum, rows = 0, []
        for bound, count in zip([*map(str, self.bounds), "+Inf"], self.counts, strict=True):
            sum += count
            rows.append((bound, float(sum)))
        return rows


class Meter:
    """Listens to signals and watches coordinators."""

    def __init__(self, services: Sequence[Service], signals: Signals, runtime: Runtime) -> None:
        self.started: Counter[str] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.told: Counter[str] = Counter()
        self.hops: dict[tuple[str, str], Buckets] = {}
        self.durations: dict[str, Buckets] = {}
        self._runtime = runtime
        self._services = [each for each in services if each.coordinator is not None]
        signals.listen(self._hear)
        for service in self._services:
            if service.coordinator is not None:
                service.coordinator.watch.every(self._watch)

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        self.told[name] += 1
        if name == "participant.hop":
            self._hop("participant", fields["participant"], fields["messages"])
        elif name == "sagas.moved":
            self._hop("coordinator", fields["coordinator"], fields["sagas"])

    def _hop(self, kind: str, who: Field, size: Field) -> None:
        buckets = self.hops.get((kind, str(who)))
        if buckets is None:
            buckets = self.hops[kind, str(who)] = Buckets(SIZES)
        buckets.add(size if isinstance(size, int) else 0)

    def _watch(self, moved: Sequence[Instance]) -> None:
        for instance in moved:
            if instance.revision == 1:
                self.started[instance.name] += 1
            if instance.state.status in ENDED:
                self._end(instance)

    def _end(self, instance: Instance) -> None:
        self.ended[instance.name, instance.state.status.value] += 1
        buckets = self.durations.get(instance.name)
        if buckets is None:
            buckets = self.durations[instance.name] = Buckets(SECONDS)
        buckets.add(self._runtime.now() - instance.started_at)

    async def in_flight(self) -> dict[tuple[str, str], int]:
        """How many sagas are in which state, by service."""
        counts: dict[tuple[str, str], int] = {}
        for service in self._services:
            async with service.storage.reading() as reader:
                moving = dict.fromkeys(("running", "compensating"), 0) | dict(await reader.fetch(count_moving))
                [(stuck,)] = await reader.fetch(count_stuck)
            for state, count in (*moving.items(), ("stuck", stuck)):
                counts[service.name, state] = count
        return counts

    def families(self, in_flight: dict[tuple[str, str], int]) -> "Iterable[Metric]":
        from prometheus_client.metrics_core import (  # noqa: PLC0415 - loaded with the first scrape
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
        )

        started = CounterMetricFamily("amends_sagas_started", "Sagas started", labels=["saga"])
        for name, count in sorted(self.started.items()):
            started.add_metric([name], count)
        ended = CounterMetricFamily("amends_sagas_ended", "Sagas that came to an end", labels=["saga", "state"])
        for labels, count in sorted(self.ended.items()):
            ended.add_metric(labels, count)
        now = GaugeMetricFamily("amends_sagas_in_flight", "Sagas that have not ended", labels=["service", "state"])
        for labels, count in sorted(in_flight.items()):
            now.add_metric(labels, count)
        told = CounterMetricFamily("amends_signals", "Signals, by name", labels=["signal"])
        for name, count in sorted(self.told.items()):
            told.add_metric([name], count)
        hops = HistogramMetricFamily("amends_hop_size", "Messages or sagas a hop", labels=["kind", "name"])
        for labels, sizes in sorted(self.hops.items()):
            hops.add_metric(labels, sizes.cumulative(), sizes.total)
        took = HistogramMetricFamily("amends_saga_duration_seconds", "From start to end", labels=["saga"])
        for name, seconds in sorted(self.durations.items()):
            took.add_metric([name], seconds.cumulative(), seconds.total)
        return [started, ended, now, told, hops, took]


class _Once:
    """A collector that gives what it was given."""

    def __init__(self, families: "Iterable[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterable[Metric]":
        return self._families


async def render(meter: Meter) -> bytes:
    """The text format, with the process's own figures."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415

    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    families = meter.families(await meter.in_flight())
    registry.register(_Once(families))
    return generate_latest(registry)


def route(meter: Meter) -> HTTPRouteHandler:
    """`/metrics`, which needs no token."""

    @get("/metrics", media_type="text/plain")
    async def metrics() -> Response[bytes]:
        """Prometheus text."""
        return Response(await render(meter), media_type="text/plain; version=0.0.4; charset=utf-8")

    return metrics
