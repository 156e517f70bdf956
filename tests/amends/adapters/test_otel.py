"""One trace from what starts a saga to its last participant and back, also when something fails on the way."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from amends import Command, Done, Participant, Saga, Tx, retriable
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.embedded import Embedded
from amends.adapters.otel import Collector, Tracing
from amends.adapters.otel.collector import BATCH
from amends.adapters.otel.spans import digest
from amends.hops import Handled
from amends.messages import Envelope, Kind, MessageId
from amends.signals import Field, Signals
from amends.state import Status
from amends.traces import Span
from tests.amends.trips import Agency, BookFlight, BookHotel, Full, Trip, fail, refuse
from tests.otlp import Received, receiving, tree

TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{ABOVE}-01"
UNSAMPLED = f"00-{TRACE}-{ABOVE}-00"


class Traced(Agency):
    """An agency whose spans are kept here, also over a crash."""

    def __init__(self, folder: Path, ratio: float = 1.0) -> None:
        super().__init__(folder)
        self.spans: list[Received] = []
        self.tracing = Tracing(lambda span: self.spans.append(received(span)), self.runtime.now, ratio)
        self.tracer = self.tracing
        self.observers.append(self.tracing)
        self.failures = Signals()
        self.tracing.watch(self.failures)

    def tell_failures(self) -> None:
        """Every room of this agency has signals of its own."""
        for name, fields in self.signals:
            self.failures.emit(name, **fields)


def received(span: ReadableSpan) -> Received:
    context, parent = span.context, span.parent
    assert context is not None
    assert span.start_time is not None
    assert span.end_time is not None
    return Received(
        str(span.resource.attributes["service.name"]),
        span.name,
        span.kind.name.lower(),
        f"{context.trace_id:032x}",
        f"{context.span_id:016x}",
        "" if parent is None else f"{parent.span_id:016x}",
        span.start_time,
        span.end_time,
        span.status.status_code is StatusCode.ERROR,
        {name: value for name, value in (span.attributes or {}).items() if isinstance(value, str | int)},
    )


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Traced]:
    agency = Traced(tmp_path)
    await agency.open()
    yield agency
    await agency.close()


COMPLETED = [
    "trips: saga book-trip",
    "  trips: ask flight",
    "    flight: handle flight.BookFlight",
    "      trips: reply flight",
    "  trips: ask hotel",
    "    hotel: handle hotel.BookHotel",
    "      trips: reply hotel",
    "  trips: ask charge",
    "    bank: handle bank.ChargeCard",
    "      trips: reply charge",
    "  trips: ask tickets",
    "    post: handle post.SendTickets",
    "      trips: reply tickets",
]


async def test_saga_without_a_request_is_a_trace_of_its_own(agency: Traced) -> None:
    await agency.run("t1")
    assert sorted(tree(agency.spans)) == sorted(COMPLETED)
    [saga] = [span for span in agency.spans if span.name == "saga book-trip"]
    assert (saga.parent_id, saga.trace_id) == ("", digest("t1", 16))
    assert saga.attributes["amends.saga.state"] == "completed"


async def test_saga_hangs_below_the_span_that_starts_it(agency: Traced) -> None:
    await agency.start("t1", traceparent=SAMPLED)
    await agency.ended("t1")
    assert sorted(tree(agency.spans)) == sorted(COMPLETED)
    [saga] = [span for span in agency.spans if span.name == "saga book-trip"]
    assert (saga.trace_id, saga.parent_id) == (TRACE, ABOVE)


async def test_each_saga_is_a_trace(agency: Traced) -> None:
    await agency.run("t1", "t2")
    for trip in ("t1", "t2"):
        trace = [span for span in agency.spans if span.trace_id == digest(trip, 16)]
        assert sorted(tree(trace)) == sorted(COMPLETED)
        assert {span.attributes["amends.saga.id"] for span in trace} == {trip}


async def test_kinds_times_and_ids_say_what_a_span_is(agency: Traced) -> None:
    await agency.run("t1")
    kinds = {span.name.partition(" ")[0]: span.kind for span in agency.spans}
    assert kinds == {"saga": "internal", "ask": "producer", "handle": "consumer", "reply": "consumer"}
    assert all(span.began <= span.ended for span in agency.spans)
    [handled] = [span for span in agency.spans if span.name == "handle hotel.BookHotel"]
    assert handled.attributes["amends.outcome"] == "done"
    assert handled.attributes["amends.attempt"] == 1
    [asked] = [span for span in agency.spans if span.name == "ask hotel"]
    assert asked.attributes["messaging.message.id"] == handled.attributes["messaging.message.id"]
    assert asked.span_id == digest(str(asked.attributes["messaging.message.id"]))


async def test_refusal_and_compensations_are_in_the_trace(agency: Traced) -> None:
    agency.behave[BookFlight] = refuse(Full())
    await agency.run("t1")
    lines = tree(agency.spans)
    assert "  trips: undo hotel" in lines
    assert "    hotel: handle hotel.CancelHotel" in lines
    [refused] = [span for span in agency.spans if span.name == "handle flight.BookFlight"]
    assert (refused.attributes["amends.outcome"], refused.attributes["amends.reply"]) == ("refused", "Full")
    assert not refused.failed
    [saga] = [span for span in agency.spans if span.name == "saga book-trip"]
    assert (saga.attributes["amends.saga.state"], saga.attributes["amends.saga.cause"]) == ("compensated", "full")


async def test_what_another_process_ends_is_the_same_trace(agency: Traced) -> None:
    await agency.start("t1", traceparent=SAMPLED)
    await agency.restart()
    await agency.ended("t1")
    tree(agency.spans)
    assert len([span for span in agency.spans if span.name == "saga book-trip"]) == 1
    assert len([span for span in agency.spans if span.name == "ask hotel"]) == 2


async def test_message_that_fails_has_a_span_that_says_so(agency: Traced) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1", traceparent=SAMPLED)
    await agency.runtime.settle()
    agency.tell_failures()
    del agency.behave[BookHotel]
    await agency.ended("t1", leap_s=0.1)
    lines = tree(agency.spans)
    assert lines.count("    hotel: handle hotel.BookHotel") == 2
    failed = [span for span in agency.spans if span.failed]
    assert [(span.service, span.name) for span in failed] == [("hotel", "handle hotel.BookHotel")]


async def test_trace_that_is_not_sampled_has_no_spans_and_travels_on(agency: Traced) -> None:
    await agency.start("t1", traceparent=UNSAMPLED)
    [saga] = await agency.ended("t1")
    assert saga.traceparent == UNSAMPLED
    assert agency.spans == []


async def test_nonsense_begins_a_trace(agency: Traced) -> None:
    await agency.start("t1", traceparent="nonsense")
    await agency.ended("t1")
    assert {span.trace_id for span in agency.spans} == {digest("t1", 16)}


async def test_share_of_the_traces_that_begin_here_is_sampled(tmp_path: Path) -> None:
    half = await Traced(tmp_path, ratio=0.5).open()
    assert isinstance(half, Traced)
    trips = [f"t{number}" for number in range(100)]
    await half.run(*trips)
    await half.close()
    sampled = {span.trace_id for span in half.spans}
    assert 30 < len(sampled) < 70
    for trace_id in sampled:
        assert len(tree([span for span in half.spans if span.trace_id == trace_id])) == len(COMPLETED)


def test_no_trace_is_sampled_for_nothing_and_every_one_for_all() -> None:
    def sampled(ratio: float) -> bool:
        return Tracing(lambda span: None, ratio=ratio).of_request(None).sampled

    assert not any(sampled(0.0) for _ in range(100))
    assert all(sampled(1.0) for _ in range(100))


def test_event_is_heard_below_what_told_it() -> None:
    spans: list[Received] = []
    tracing = Tracing(lambda span: spans.append(received(span)))
    for traceparent in (SAMPLED, UNSAMPLED, ""):
        tracing.handled(Handled("post", 1.0, [_event(traceparent)], []))
    assert [(span.name, span.parent_id) for span in spans] == [("hear TripSold", ABOVE)]


def _event(traceparent: str) -> Envelope:
    return Envelope(
        id=MessageId("e1"),
        kind=Kind.EVENT,
        type="TripSold",
        to="trips.events",
        key="t1",
        at=0.0,
        payload=b"{}",
        traceparent=traceparent,
    )


class SendTicket(Command):
    participant = "post"
    trip: str


def send(trip: Trip) -> SendTicket:
    return SendTicket(trip.id)


async def test_spans_of_two_services_reach_a_collector(tmp_path: Path) -> None:
    post, runtime, told = Participant("post"), AsyncioRuntime(), Signals()

    @post.handles(SendTicket)
    async def _(tx: Tx, command: SendTicket) -> Done:
        return Done()

    with receiving() as receiver:
        collector = Collector(receiver.url, runtime, told)
        tracing = Tracing(collector.put, runtime.now)
        collector.start()
        async with Embedded(tmp_path, tracer=tracing) as home:
            tracing.watch(home.signals)
            await home.add("post", participant=post)
            sell = Saga("sell", Trip, retriable("tickets", send))
            saga = await home.run(await home.add("trips", definitions=[sell]), sell, Trip("t1"))
        await collector.stop()
    assert saga.state.status is Status.COMPLETED
    assert tree(receiver.spans) == [
        "trips: saga sell",
        "  trips: ask tickets",
        "    post: handle post.SendTicket",
        "      trips: reply tickets",
    ]


class Away(SpanExporter):
    """A collector that takes nothing."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.FAILURE


@pytest.fixture
def lost() -> tuple[Signals, list[dict[str, Field]]]:
    heard: list[dict[str, Field]] = []
    signals = Signals()
    signals.listen(lambda name, fields: heard.append(fields) if name == "spans.lost" else None)
    return signals, heard


def some_span() -> ReadableSpan:
    made: list[ReadableSpan] = []
    tracing = Tracing(made.append)
    tracing.handled(Handled("post", 1.0, [_event(str(Span(TRACE, ABOVE, True)))], []))
    return made[0]


async def test_spans_that_no_collector_takes_are_told_as_lost(
    lost: tuple[Signals, list[dict[str, Field]]],
) -> None:
    signals, heard = lost
    collector = Collector("", AsyncioRuntime(), signals, Away())
    collector.put(some_span())
    collector.start()
    await collector.stop()
    assert [fields["spans"] for fields in heard] == [1]


class Slow(SpanExporter):
    """Takes its time: what comes meanwhile waits."""

    def __init__(self) -> None:
        self.began, self.may_end = threading.Event(), threading.Event()
        self.taken = 0
        self.ended = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.began.set()
        assert self.may_end.wait(60)
        assert not self.ended
        self.taken += len(spans)
        return SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.ended = True


async def test_stop_waits_for_what_is_being_sent_and_sends_the_rest() -> None:
    exporter = Slow()
    collector = Collector("", AsyncioRuntime(), Signals(), exporter)
    for _ in range(BATCH):
        collector.put(some_span())
    collector.start()
    await asyncio.to_thread(exporter.began.wait, 60)
    collector.put(some_span())
    stopping = asyncio.ensure_future(collector.stop())
    exporter.may_end.set()
    await stopping
    assert exporter.taken == BATCH + 1
    assert exporter.ended


async def test_spans_that_come_too_fast_are_told_as_lost(
    lost: tuple[Signals, list[dict[str, Field]]], capsys: pytest.CaptureFixture[str]
) -> None:
    signals, heard = lost
    with receiving() as receiver:
        collector, span = Collector(receiver.url, AsyncioRuntime(), signals, most=10), some_span()
        for _ in range(17):
            collector.put(span)
        collector.start()
        await collector.stop()
    assert len(receiver.spans) == 10
    assert [fields["spans"] for fields in heard] == [7]
    assert capsys.readouterr().err == ""
