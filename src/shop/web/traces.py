"""The trace that a request belongs to (W3C `traceparent`), for calls that are made on its behalf."""

from contextvars import ContextVar

TRACEPARENT: ContextVar[str] = ContextVar("traceparent", default="")
