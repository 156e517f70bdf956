"""The trace that a request belongs to (W3C `traceparent`), for calls that are made on its behalf."""

from contextvars import ContextVar

TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")


MOST_LENGTH = 55


def remember(traceparent: bytes | str | None) -> None:
    """For the rest of this request."""
    text = traceparent.decode("latin-1") if isinstance(traceparent, bytes) else traceparent
    TRACEPARENT.set((text or "")[:MOST_LENGTH])
