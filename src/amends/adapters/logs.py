"""Log lines made of signals: named events with ids, a JSON object a line, or text for people. No sentences.

logs = Logs(sys.stderr, runtime.now)
logs.watch(signals)

{"time":"2034-05-26T16:00:00.120Z","level":"error","event":"saga.stuck","saga":"0198…","trace_id":"0af7…"}
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

import msgspec

from amends.hops import Handled, Moved
from amends.pages import Instance
from amends.signals import Field, Signals
from amends.traces import read


class Form(StrEnum):
    JSON = "json"
    TEXT = "text"


class Level(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


LEVELS = {
    "participant.hop": Level.DEBUG,
    "sagas.moved": Level.DEBUG,
    "xa.answered": Level.DEBUG,
    "xa.blocked": Level.DEBUG,
    "participant.fenced": Level.WARNING,
    "worker.fenced": Level.WARNING,
    "message.deferred": Level.WARNING,
    "message.failed": Level.WARNING,
    "message.unsent": Level.WARNING,
    "http.away": Level.WARNING,
    "http.rejected": Level.WARNING,
    "spans.lost": Level.WARNING,
    "xa.resolved": Level.WARNING,
    "message.parked": Level.ERROR,
    "message.undecodable": Level.ERROR,
    "saga.stuck": Level.ERROR,
    "xa.contradicted": Level.ERROR,
    "xa.old": Level.ERROR,
}
_RANK = {level: rank for rank, level in enumerate(Level)}
_json = msgspec.json.Encoder().encode
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:/+,")


class Logs:
    """Writes what is at least `least`; each saga that ends is a line, too. `now` is Unix time in seconds."""

    def __init__(
        self,
        stream: TextIO,
        now: Callable[[], float] = time.time,
        form: Form = Form.JSON,
        least: Level = Level.INFO,
    ) -> None:
        self._stream = stream
        self._now = now
        self._line = _as_json if form is Form.JSON else _as_text
        self._least = _RANK[least]

    def watch(self, signals: Signals) -> None:
        signals.listen(self._hear)
        signals.observe(self)

    def moved(self, hop: Moved) -> None:
        if self._least <= _RANK[Level.INFO]:
            for saga in hop.ended:
                self._write(Level.INFO, "saga.ended", _of_end(hop.service, saga))

    def handled(self, hop: Handled) -> None:
        """A hop's own signal says enough."""

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        level = level_of(name)
        if _RANK[level] >= self._least:
            self._write(level, name, fields)

    def _write(self, level: Level, name: str, fields: Mapping[str, Field]) -> None:
        at = datetime.fromtimestamp(self._now(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head: dict[str, Field] = {"time": at, "level": level.value, "event": name}
        self._stream.write(self._line(head | _with_trace(fields)) + "\n")
        self._stream.flush()


def level_of(signal: str) -> Level:
    """What has failed is an error, unless it is said otherwise."""
    return LEVELS.get(signal, Level.ERROR if signal.endswith(".failed") else Level.INFO)


def _of_end(service: str, saga: Instance) -> dict[str, Field]:
    return {
        "service": service,
        "saga": saga.id,
        "definition": saga.name,
        "state": saga.state.status.value,
        "cause": saga.state.cause,
        "took_ms": round((saga.state.history.last.at - saga.started_at) * 1000, 1),
        "traceparent": saga.traceparent,
    }


def _with_trace(fields: Mapping[str, Field]) -> dict[str, Field]:
    """With the trace's id in place of a `traceparent`; what is empty is left out."""
    span = read(str(fields.get("traceparent", "")))
    told = {name: value for name, value in fields.items() if name != "traceparent" and value not in ("", [])}
    return told if span is None else told | {"trace_id": span.trace_id}


def _as_json(fields: Mapping[str, Field]) -> str:
    return _json(fields).decode()


def _as_text(fields: Mapping[str, Field]) -> str:
    at, level, event, *more = fields.items()
    return " ".join([f"{at[1]} {level[1]:<7} {event[1]}", *[f"{name}={_quoted(value)}" for name, value in more]])


def _quoted(value: Field) -> str:
    text = ",".join(value) if isinstance(value, list) else str(value)
    return text if text and _PLAIN.issuperset(text) else _json(text).decode()
