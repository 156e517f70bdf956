"""A collector for tests: takes spans by OTLP over HTTP, on a port of its own, and lays them out as trees."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status

WAIT_S = 60.0


class Received(NamedTuple):
    """A span; ids in hexadecimal digits, times in nanoseconds."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    began: int
    ended: int
    failed: bool
    attributes: dict[str, str | int]


class Receiver:
    """`spans` are all that have come; `url` is what to give to an exporter."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.spans: list[Received] = []
        self._came = threading.Condition()

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._came:
            for resource in request.resource_spans:
                service = str(_values(resource.resource.attributes)["service.name"])
                self.spans += [_read(service, span) for scope in resource.scope_spans for span in scope.spans]
            self._came.notify_all()

    def wait(self, reached: Callable[[Sequence[Received]], bool]) -> list[Received]:
        """Blocks until enough has come; returns all of it. Raises `AssertionError` when that takes too long."""
        with self._came:
            assert self._came.wait_for(lambda: reached(self.spans), WAIT_S), self.spans
            return list(self.spans)


@contextmanager
def receiving() -> Iterator[Receiver]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    receiver = _Handler.receivers[server.server_port] = Receiver(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        del _Handler.receivers[server.server_port]


def tree(spans: Sequence[Received]) -> list[str]:
    """The spans of one trace, each a line, indented below its parent; fails for a second root and for orphans."""
    assert len({span.trace_id for span in spans}) == 1, spans
    ids = [span.span_id for span in spans]
    assert len(set(ids)) == len(ids), spans
    [root] = [span for span in spans if span.parent_id not in ids]
    lines = list(_lines(root, spans, ""))
    assert len(lines) == len(spans), (lines, spans)
    return lines


def _lines(span: Received, spans: Sequence[Received], indent: str) -> Iterator[str]:
    yield f"{indent}{span.service}: {span.name}"
    for child in sorted(spans, key=lambda each: (each.began, each.name)):
        if child.parent_id == span.span_id:
            yield from _lines(child, spans, indent + "  ")


class _Handler(BaseHTTPRequestHandler):
    receivers: dict[int, Receiver] = {}  # noqa: RUF012 - by port

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        found = self.path == "/v1/traces"
        if found:
            self.receivers[self.server.server_port].take(body)  # type: ignore[attr-defined]
        self.send_response(200 if found else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Tests are quiet."""


def _read(service: str, span: WireSpan) -> Received:
    return Received(
        service,
        span.name,
        WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == Status.STATUS_CODE_ERROR,
        _values(span.attributes),
    )


def _values(pairs: Sequence[KeyValue]) -> dict[str, str | int]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}
