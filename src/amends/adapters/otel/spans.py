"""Finished spans, made in one piece from what is known when they end."""

from collections.abc import Mapping, Sequence
from functools import cache
from hashlib import blake2b

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from amends.messages import Envelope
from amends.pages import Instance
from amends.traces import Span

Attributes = Mapping[str, str | int]

_SCOPE = InstrumentationScope("amends")


def digest(text: str, size: int = 8) -> str:
    """An id of `size` bytes for what has an id already: 8 for a span, 16 for a trace."""
    return blake2b(text.encode(), digest_size=size).hexdigest()


def finished(
    service: str,
    name: str,
    kind: SpanKind,
    span: Span,
    above: Span | None,
    times: tuple[float, float],
    attributes: Attributes,
    error: str | None = None,
    *,
    events: Sequence[Event] = (),
) -> ReadableSpan:
    """`times` are Unix seconds; `error` says why it has failed, None: it has not."""
    began, ended = times
    return ReadableSpan(
        name,
        _context(span),
        None if above is None else _context(above),
        _resource(service),
        attributes,
        events,
        kind=kind,
        status=Status(StatusCode.UNSET) if error is None else Status(StatusCode.ERROR, error),
        start_time=_nanoseconds(began),
        end_time=_nanoseconds(max(began, ended)),
        instrumentation_scope=_SCOPE,
    )


def of_message(envelope: Envelope) -> Attributes:
    """What a span tells of a message."""
    told: dict[str, str | int] = {
        "messaging.system": "amends",
        "messaging.destination.name": envelope.to,
        "messaging.message.id": envelope.id,
        "amends.type": envelope.type,
    }
    if envelope.saga:
        told |= {
            "amends.saga.id": envelope.saga,
            "amends.step": envelope.step,
            "amends.operation": envelope.operation.value,
            "amends.attempt": envelope.attempt,
        }
    return told


def of_saga(saga: Instance) -> Attributes:
    told: dict[str, str | int] = {
        "amends.saga.id": saga.id,
        "amends.saga.name": saga.name,
        "amends.saga.version": saga.version,
        "amends.saga.state": saga.state.status.value,
    }
    return told | ({"amends.saga.cause": saga.state.cause} if saga.state.cause else {})


def turns(saga: Instance) -> list[Event]:
    """The lines of its history that are about the saga itself: turned back, stuck, mended by whom."""
    lines = [line for line in saga.state.history if line.step < 0]
    return [Event(line.what, {"amends.detail": line.detail}, _nanoseconds(line.at)) for line in lines]


def _context(span: Span) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if span.sampled else TraceFlags.DEFAULT)
    return SpanContext(int(span.trace_id, 16), int(span.span_id, 16), is_remote=False, trace_flags=flags)


@cache
def _resource(service: str) -> Resource:
    return Resource.create({"service.name": service})


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
