"""Where something belongs in a trace, as text that travels: a `traceparent` (W3C Trace Context).

00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
   trace                            span             sampled
"""

import re
from typing import NamedTuple

from amends.messages import MessageId, SagaId

_FORM = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


class Span(NamedTuple):
    """A span's ids, in hexadecimal digits; a trace that is not sampled has no spans, but its ids travel on."""

    trace_id: str
    span_id: str
    sampled: bool

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-0{self.sampled:d}"


def read(traceparent: str) -> Span | None:
    """None for what isn't a `traceparent`, or names nothing.

    >>> read("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    Span(trace_id='0af7651916cd43dd8448eb211c80319c', span_id='b7ad6b7169203331', sampled=True)
    """
    found = _FORM.fullmatch(traceparent)
    if found is None:
        return None
    version, trace_id, span_id, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Span(trace_id, span_id, int(flags, 16) % 2 == 1)


def trace_id(traceparent: str) -> str:
    """Empty when there is no trace."""
    span = read(traceparent)
    return "" if span is None else span.trace_id


class Untraced:
    """The `Tracer` of who makes no spans: what a request has brought along travels on as it came."""

    def of_saga(self, saga: SagaId, parent: str) -> str:  # noqa: ARG002 - nothing is named
        return parent

    def of_message(self, message: MessageId, parent: str) -> str:  # noqa: ARG002
        return parent
