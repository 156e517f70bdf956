"""Traces by OpenTelemetry: from an HTTP request through outbox and transport to the last participant, and back.

    collector = Collector("http://127.0.0.1:4318", runtime, signals)
    tracing = Tracing(collector.put, runtime.now)
    tracing.watch(signals)
    service = Service(storage, transport, runtime, signals, tracer=tracing, …)
    app = TracedEdge(app, tracing, "api")           # any ASGI application
    collector.start()                               # … and `await collector.stop()` at the end

Spans have no life of their own: their ids come from the ids of sagas and messages, so whoever ends one can make it,
also another process, after a crash. The extra `amends[otel]`; a span processor of your own fits as well:
`Tracing(processor.on_end)`.

    request ─▶ saga ─┬▶ ask ─▶ handle ─▶ reply        server, internal, producer, consumer, consumer
                     └▶ ask ─▶ handle ─▶ reply
"""

from amends.adapters.otel.collector import Collector
from amends.adapters.otel.edge import TracedEdge
from amends.adapters.otel.tracing import Tracing

__all__ = ["Collector", "TracedEdge", "Tracing"]
