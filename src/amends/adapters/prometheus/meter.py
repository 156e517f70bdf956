"""The meter: counts a hop at a time what is told, looks the rest up when it is asked for."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from amends.adapters.prometheus import looks
from amends.adapters.prometheus.looks import Look
from amends.adapters.prometheus.steps import SECONDS, Steps
from amends.adapters.prometheus.values import Counted, Counts, Gauge, Histogram, Labels, Read
from amends.hops import Handled, Moved
from amends.ports import Runtime
from amends.service import Service
from amends.signals import Field, Signals

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SIZES = (1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0)


class Meter:
    """Counts for every service of these `signals`; looks into the databases of `services`. An `Observer`."""

    def __init__(self, services: Collection[Service], signals: Signals, runtime: Runtime) -> None:
        self._services = services
        self._runtime = runtime
        self._started = Counts("amends_sagas_started", "Sagas started", ("saga",))
        self._ended = Counts("amends_sagas_ended", "Sagas that came to an end", ("saga", "state"))
        self._took = Histogram("amends_saga_duration_seconds", "From start to end", ("saga",), SECONDS)
        self._sizes = Histogram("amends_hop_size", "Messages or sagas a hop", ("kind", "name"), SIZES)
        self._told = Counts("amends_signals", "Signals, by name", ("signal",))
        self._unread = Counts("amends_gauge_errors", "Times that a gauge could not be read", ("gauge",))
        self._steps = Steps()
        self._gauges: list[Gauge] = []
        self._look()
        signals.listen(self._hear)
        signals.observe(self)

    def gauge(self, name: str, help: str, labels: Sequence[str], read: Read) -> None:
        """Adds a gauge of an adapter's, or of yours: with each scrape `read` gives its values by their labels."""
        self._gauges.append(Gauge(name, help, tuple(labels), read))

    async def render(self) -> bytes:
        """The text format, with the process's own figures. What can't be read is left out and counted."""
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest  # noqa: PLC0415

        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Once(await self._families()))
        return generate_latest(registry)

    def moved(self, hop: Moved) -> None:
        if hop.fresh:
            self._started.update([(change.after.name,) for change in hop.changes.values()])
        self._steps.moved(hop)
        now = self._runtime.now()
        for saga in hop.ended:
            self._ended[saga.name, saga.state.status] += 1
            self._took.add((saga.name,), now - saga.started_at)

    def handled(self, hop: Handled) -> None:
        """A participant's part is counted with the steps, by who has asked."""

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        self._told[name,] += 1
        if name == "participant.hop":
            self._size("participant", fields["participant"], fields["messages"])
        elif name == "sagas.moved":
            self._size("coordinator", fields["coordinator"], fields["sagas"])

    def _size(self, kind: str, who: Field, size: Field) -> None:
        self._sizes.add((kind, str(who)), size if isinstance(size, int) else 0)

    async def _families(self) -> "list[Metric]":
        looked_up = [await self._read(gauge) for gauge in self._gauges]
        sagas: list[Counted] = [self._started, self._ended, self._took]
        counted = [*sagas, *self._steps.values, self._sizes, self._told, self._unread]
        return [*[each.family() for each in counted], *looked_up]

    async def _read(self, gauge: Gauge) -> "Metric":
        found: Mapping[Labels, float] = {}
        try:
            found = await gauge.read()
        except Exception:  # whatever keeps it from being read: all others are still told
            self._unread[gauge.name,] += 1
        return gauge.family(found)

    def _look(self) -> None:
        of_service = ("service",)
        self._look_up("amends_sagas_in_flight", "Sagas that have not ended", ("service", "state"), looks.in_flight)
        self._look_up("amends_outbox_rows", "Rows that are left in the outbox", of_service, looks.outbox_rows)
        self._look_up("amends_outbox_oldest_seconds", "Age of the oldest of them", of_service, looks.outbox_age)
        self._look_up("amends_messages_parked", "Messages that need a person", of_service, looks.parked)
        self._look_up("amends_messages_deferred", "Messages set aside for another try", of_service, looks.deferred)
        self._look_up("amends_participant_away", "1: it does not answer", ("service", "participant"), looks.away)

    def _look_up(self, name: str, help: str, labels: Labels, look: Look) -> None:
        """A gauge of every service; one whose database is away does not hide the others."""

        async def read() -> dict[Labels, float]:
            values: dict[Labels, float] = {}
            for service in self._services:
                try:
                    async with service.storage.reading() as reader:
                        found = await look(service, reader)
                except Exception:  # whatever the database says
                    self._unread[name,] += 1
                else:
                    values |= {(service.name, *more): value for more, value in found.items()}
            return values

        self.gauge(name, help, labels, read)


class _Once:
    """A collector that gives what it was given."""

    def __init__(self, families: "Iterable[Metric]") -> None:
        self._families = families

    def collect(self) -> "Iterable[Metric]":
        return self._families
