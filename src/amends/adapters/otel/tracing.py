"""Names the spans that travel, and makes each one when it has ended."""

import time
from collections.abc import Callable, Sequence

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import SpanKind

from amends.adapters.otel.spans import Attributes, digest, finished, of_message, of_saga, turns
from amends.hops import Handled, Moved
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId
from amends.pages import Instance
from amends.signals import Field, Signals
from amends.traces import Span, read

_FAILED = ("message.deferred", "message.failed", "message.parked")


class Tracing:
    """A `Tracer` and an `Observer`. `take` is given finished spans; `now` is Unix time in seconds.

    Of the traces that begin here the share `ratio` is sampled; of others those whose `traceparent` says so.
    """

    def __init__(
        self, take: Callable[[ReadableSpan], None], now: Callable[[], float] = time.time, ratio: float = 1.0
    ) -> None:
        self.now = now
        self._take = take
        self._bound = int(ratio * 2**64)
        self._ids = RandomIdGenerator()

    def watch(self, signals: Signals) -> None:
        """Makes spans of what is told there."""
        signals.observe(self)
        signals.listen(self._hear)

    def of_saga(self, saga: SagaId, parent: str) -> str:
        if read(parent) is not None:
            return parent
        trace_id = digest(saga, 16)
        return str(Span(trace_id, digest(saga), self._samples(trace_id)))

    def of_message(self, message: MessageId, parent: str) -> str:
        above = _sampled(parent)
        return parent if above is None else str(above._replace(span_id=digest(message)))

    def of_request(self, above: Span | None) -> Span:
        """The span of a request that comes from this one, or begins a trace."""
        if above is not None:
            return self._below(above) if above.sampled else above
        trace_id = f"{self._ids.generate_trace_id():032x}"
        return Span(trace_id, self._new_id(), self._samples(trace_id))

    def moved(self, hop: Moved) -> None:
        for command in hop.commands:
            self._asked(hop, command)
        for reply in hop.replies:
            self._taken(hop, reply)
        for saga in hop.ended:
            self._ended(hop, saga)

    def handled(self, hop: Handled) -> None:
        sampled = [(each, span) for each in hop.asks if (span := _sampled(each.traceparent)) is not None]
        asks = {(ask.saga, ask.step, ask.operation): (ask, span) for ask, span in sampled}
        for reply in hop.replies if asks else ():
            asked = asks.get((reply.saga, reply.step, reply.operation))
            if asked is not None:
                self._answered(hop, reply, *asked)
        for message, span in sampled:
            if message.kind is Kind.EVENT:
                self._heard(hop, message, span)

    def end(
        self,
        service: str,
        name: str,
        kind: SpanKind,
        span: Span,
        above: Span | None,
        began: float,
        attributes: Attributes,
        *,
        ended: float | None = None,
        error: str | None = None,
        events: Sequence[Event] = (),
    ) -> None:
        """Makes a span that ends now, unless `ended` says when; `above` None: it is the first of its trace."""
        end = self.now() if ended is None else ended
        self._take(finished(service, name, kind, span, above, (began, end), attributes, error, events=events))

    def _asked(self, hop: Moved, command: Envelope) -> None:
        span = _own(command)
        if span is not None:
            what = "undo" if command.operation is Operation.COMPENSATION else "ask"
            above = span._replace(span_id=digest(command.saga))
            name, told = f"{what} {command.step}", of_message(command)
            self.end(hop.service, name, SpanKind.PRODUCER, span, above, hop.began, told)

    def _taken(self, hop: Moved, reply: Envelope) -> None:
        above = _sampled(reply.traceparent)
        if above is not None:
            name, told = f"reply {reply.step}", of_message(reply)
            self.end(hop.service, name, SpanKind.CONSUMER, self._below(above), above, hop.began, told)

    def _answered(self, hop: Handled, reply: Envelope, ask: Envelope, above: Span) -> None:
        span = _own(reply)
        if span is not None:
            told = {**of_message(ask), "amends.outcome": reply.outcome.value, "amends.reply": reply.type}
            error = reply.type if reply.outcome is Outcome.FAILED else None
            name = f"handle {ask.type}"
            self.end(hop.service, name, SpanKind.CONSUMER, span, above, hop.began, told, error=error)

    def _heard(self, hop: Handled, event: Envelope, above: Span) -> None:
        name, told = f"hear {event.type}", of_message(event)
        self.end(hop.service, name, SpanKind.CONSUMER, self._below(above), above, hop.began, told)

    def _ended(self, hop: Moved, saga: Instance) -> None:
        kept = _sampled(saga.traceparent)
        if kept is not None:
            span = kept._replace(span_id=digest(saga.id))
            above = None if span == kept else kept
            name, ended, lines = f"saga {saga.name}", saga.state.history.last.at, turns(saga)
            kind, told = SpanKind.INTERNAL, of_saga(saga)
            self.end(hop.service, name, kind, span, above, saga.started_at, told, ended=ended, events=lines)

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        """A message that fails has no reply that would tell."""
        above = _sampled(str(fields.get("traceparent", ""))) if name in _FAILED else None
        if above is not None:
            service, what = str(fields["address"]).removesuffix(".coordinator"), f"handle {fields['type']}"
            told = {"messaging.message.id": str(fields["message"]), "amends.saga.id": str(fields["saga"])}
            span, error = self._below(above), str(fields["error"])
            self.end(service, what, SpanKind.CONSUMER, span, above, self.now(), told, error=error)

    def _below(self, above: Span) -> Span:
        return above._replace(span_id=self._new_id())

    def _new_id(self) -> str:
        return f"{self._ids.generate_span_id():016x}"

    def _samples(self, trace_id: str) -> bool:
        return int(trace_id[16:], 16) < self._bound


def _sampled(traceparent: str) -> Span | None:
    """Most are not: their flags are looked at first."""
    if traceparent[53:55] in ("00", ""):
        return None
    span = read(traceparent)
    return span if span is not None and span.sampled else None


def _own(message: Envelope) -> Span | None:
    """The span in which a message was made; None when nobody has named it."""
    span = _sampled(message.traceparent)
    return span if span is not None and span.span_id == digest(message.id) else None
