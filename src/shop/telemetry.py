"""What tells of a process outside of it: spans to a collector, log lines. Loaded and started only when asked for."""

import argparse
import os
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, NamedTuple

from shop.settings import TelemetrySettings

if TYPE_CHECKING:  # `shop --help` answers at once
    from amends.ports import Runtime, Tracer
    from amends.signals import Signals
    from shop.servers import Edge

LOGS = ("json", "text", "off")


class Telemetry(NamedTuple):
    """`tracer` is for services, `around` puts an edge's requests into traces. Without a collector they do nothing."""

    tracer: "Tracer | None"
    around: "Callable[[Edge], Edge]"


def add_options(command: argparse.ArgumentParser, log: str) -> None:
    otlp = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    text = "send traces to this collector, by OTLP over HTTP (default: $OTEL_EXPORTER_OTLP_ENDPOINT)"
    command.add_argument("--otlp", default=otlp, metavar="URL", help=text)
    lines = f"write what happens to standard error, a line each (default: {log})"
    command.add_argument("--log", default=log, choices=LOGS, help=lines)


def settings_of(arguments: argparse.Namespace) -> TelemetrySettings:
    """Raises `ValueError`, which names what is wrong."""
    if arguments.otlp and not arguments.otlp.startswith(("http://", "https://")):
        raise ValueError(f"--otlp: {arguments.otlp!r} is no http:// address of a collector")
    share = os.environ.get("OTEL_TRACES_SAMPLER_ARG", "") or "1"
    try:
        ratio = float(share)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio <= 1:
        raise ValueError(f"OTEL_TRACES_SAMPLER_ARG in the environment: {share!r} is no number from 0 to 1")
    return TelemetrySettings(arguments.otlp, arguments.log, ratio)


def open_telemetry(
    settings: TelemetrySettings, runtime: "Runtime", signals: "Signals", undo: AsyncExitStack
) -> Telemetry:
    """To be called before anything that is to be told of; ends after it."""
    if settings.log != "off":
        from amends.adapters.logs import Form, Logs  # noqa: PLC0415

        Logs(sys.stderr, runtime.now, Form(settings.log)).watch(signals)
    return _traced(settings, runtime, signals, undo) if settings.otlp else Telemetry(None, lambda edge: edge)


def _traced(settings: TelemetrySettings, runtime: "Runtime", signals: "Signals", undo: AsyncExitStack) -> Telemetry:
    from amends.adapters.otel import Collector, TracedEdge, Tracing  # noqa: PLC0415

    collector = Collector(settings.otlp, runtime, signals)
    tracing = Tracing(collector.put, runtime.now, settings.ratio)
    tracing.watch(signals)
    collector.start()
    undo.push_async_callback(collector.stop)
    return Telemetry(tracing, lambda edge: edge._replace(app=TracedEdge(edge.app, tracing, edge.name)))
