"""Log lines: what has happened, with ids, and the id of the trace that tells more."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from amends.adapters.logs import Form, Level, Logs, level_of
from amends.signals import Signals
from tests.amends.trips import Agency, Full, SendTickets, refuse

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = f"00-{TRACE}-b7ad6b7169203331-01"


class Written:
    def __init__(self, form: Form = Form.JSON, least: Level = Level.INFO) -> None:
        self.signals = Signals()
        self._stream = io.StringIO()
        self.logs = Logs(self._stream, lambda: 2_032_531_200.12, form, least)
        self.logs.watch(self.signals)

    @property
    def lines(self) -> list[str]:
        return self._stream.getvalue().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]


def test_line_has_time_level_event_ids_and_trace() -> None:
    written = Written()
    written.signals.emit("saga.stuck", saga="s1", definition="trip", steps=["hotel"], traceparent=SPAN)
    assert written.events == [
        {
            "time": "2034-05-29T16:00:00.120Z",
            "level": "error",
            "event": "saga.stuck",
            "saga": "s1",
            "definition": "trip",
            "steps": ["hotel"],
            "trace_id": TRACE,
        }
    ]


def test_what_has_no_trace_tells_none() -> None:
    written = Written()
    written.signals.emit("message.parked", message="m1", saga="", error="boom", traceparent="")
    [event] = written.events
    assert event.keys() == {"time", "level", "event", "message", "error"}


def test_text_is_one_line_whatever_is_in_it() -> None:
    written = Written(Form.TEXT)
    written.signals.emit("message.parked", message="m1", attempts=8, error='no "luck"\nat all', traceparent=SPAN)
    assert written.lines == [
        f'2034-05-29T16:00:00.120Z error   message.parked message=m1 attempts=8 error="no \\"luck\\"\\nat all" '
        f"trace_id={TRACE}"
    ]


@pytest.mark.parametrize(
    ("signal", "level"),
    [
        ("participant.hop", "debug"),
        ("coordinator.acquired", "info"),
        ("card.unknown", "info"),
        ("message.deferred", "warning"),
        ("message.parked", "error"),
        ("worker.failed", "error"),
        ("saga.stuck", "error"),
    ],
)
def test_level_is_that_of_the_signal(signal: str, level: str) -> None:
    assert level_of(signal) == level


def test_only_what_is_important_enough_is_written() -> None:
    quiet, loud = Written(least=Level.WARNING), Written(least=Level.DEBUG)
    for each in (quiet, loud):
        each.signals.emit("participant.hop", participant="hotel", messages=3)
        each.signals.emit("coordinator.acquired", coordinator="trips.coordinator", epochs="0: 1", sagas=0)
        each.signals.emit("worker.failed", address="hotel", error="boom")
    assert [event["event"] for event in quiet.events] == ["worker.failed"]
    assert len(loud.events) == 3


async def test_each_saga_that_ends_is_a_line(tmp_path: Path) -> None:
    written, quiet = Written(), Written(least=Level.WARNING)
    agency = Agency(tmp_path)
    agency.observers += [written.logs, quiet.logs]
    await agency.open()
    await agency.start("t1", traceparent=SPAN)
    await agency.ended("t1")
    agency.behave[SendTickets] = refuse(Full())
    await agency.run("t2")
    await agency.close()
    [ended] = written.events
    assert (ended["event"], ended["service"], ended["saga"]) == ("saga.ended", "trips", "t1")
    assert (ended["definition"], ended["state"], ended["trace_id"]) == ("book-trip", "completed", TRACE)
    assert ended["took_ms"] >= 0
    assert quiet.events == []
