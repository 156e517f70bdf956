"""Where scenarios happen: the agency, with a transport whose faults they choose."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from amends import Saga
from amends.messages import Envelope, Kind
from amends.ports import Transport
from amends.testing.faults import Duplicating, Holding, Losing, Matches, Recording
from tests.amends.trips import (
    Agency,
    Trip,
)

FORWARD = ["BookHotel", "BookFlight", "ChargeCard", "SendTickets"]
UNDONE = ["CloseTrip", "BookHotel", "CancelHotel", "BookFlight", "CancelFlight"]


class Faults:
    """A transport that records, holds back, loses and, when `twice`, repeats everything."""

    def __init__(self, twice: bool) -> None:
        self.twice = twice
        self.hold: Matches = lambda _: False
        self.lose: Matches = lambda _: False

    def __call__(self, inner: Transport) -> Transport:
        self.recording = Recording(Duplicating(inner, times=2) if self.twice else inner)
        self.losing = Losing(self.recording, self._loses)
        self.holding = Holding(self.losing, self._holds)
        return self.holding

    def _loses(self, each: Envelope) -> bool:
        return self.lose(each)

    def _holds(self, each: Envelope) -> bool:
        return self.hold(each)

    def sent(self, type: str) -> list[Envelope]:
        return [each for each in self.recording.sent if each.type.endswith(type)]


@asynccontextmanager
async def world(folder: Path, twice: bool, saga: Saga[Trip] | None = None) -> AsyncIterator[tuple[Agency, Faults]]:
    faults = Faults(twice)
    agency = await Agency(folder, faults, saga).open()
    yield agency, faults
    await agency.close()


def command(type: str) -> Matches:
    return lambda each: each.kind is Kind.COMMAND and each.type.endswith(type)


def reply_of(step: str) -> Matches:
    return lambda each: each.kind is Kind.REPLY and each.step == step
