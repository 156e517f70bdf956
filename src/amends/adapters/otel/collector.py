"""Sends spans to a collector by OTLP over HTTP, in batches, beside the event loop."""

import logging
from collections import deque
from functools import partial

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from amends.adapters.threads import Threads
from amends.ports import Runtime, Task
from amends.signals import Signals

EVERY_S = 1.0
BATCH = 512
MOST = 8192
TIMEOUT_S = 5.0


class Collector:
    """`put` never waits: what doesn't fit any more is lost, and told as `spans.lost`.

    `url` is the collector's base address, like `http://127.0.0.1:4318`; OpenTelemetry's own environment variables
    (`OTEL_EXPORTER_OTLP_HEADERS`, …) hold for the rest. At most `most` spans wait to be sent.
    """

    def __init__(
        self, url: str, runtime: Runtime, signals: Signals, exporter: SpanExporter | None = None, most: int = MOST
    ) -> None:
        self._most = most
        self._exporter = exporter or _exporter(url)
        self._runtime = runtime
        self._signals = signals
        self._threads = Threads(1)
        self._waiting: deque[ReadableSpan] = deque()
        self._full = runtime.signal()
        self._overflowed = 0
        self._stopping = False
        self._task: Task | None = None

    def start(self) -> None:
        self._task = self._runtime.spawn(self._run(), "spans")

    def put(self, span: ReadableSpan) -> None:
        if len(self._waiting) < self._most:
            self._waiting.append(span)
        else:
            self._overflowed += 1
        if len(self._waiting) == BATCH:
            self._full.set()

    async def stop(self) -> None:
        """Sends what is left, as long as the collector takes it within `TIMEOUT_S` seconds."""
        self._stopping = True
        self._full.set()
        if self._task is not None:
            await self._runtime.within(TIMEOUT_S, self._task.join())
            self._task.cancel()
        self._exporter.shutdown()
        self._threads.close()

    async def _run(self) -> None:
        last = False
        while not last:
            await self._runtime.within(EVERY_S, self._full.wait())
            self._full.clear()
            last = self._stopping
            await self._send()

    async def _send(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            result = await self._threads.run(partial(self._exporter.export, batch))
            if result is not SpanExportResult.SUCCESS:
                self._signals.emit("spans.lost", spans=len(batch), error="the collector has not taken them")
        if self._overflowed:
            self._signals.emit("spans.lost", spans=self._overflowed, error="more than can be sent")
            self._overflowed = 0


def _exporter(url: str) -> OTLPSpanExporter:
    """What it would print when the collector is away is told as a signal."""
    logging.getLogger("opentelemetry.exporter").addHandler(logging.NullHandler())
    return OTLPSpanExporter(f"{url.rstrip('/')}/v1/traces", timeout=TIMEOUT_S)
