"""What the suites share: the fixture `storage`, and examples of what is stored."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from amends.history import Entry, History
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId
from amends.pages import Instance
from amends.ports import Storage
from amends.schema import Migration
from amends.state import Phase, SagaState, Status, StepState

NOW = 2_000_000_000.0
OpenStorage = Callable[[Sequence[Migration]], Awaitable[Storage]]


@pytest.fixture
async def storage(open_storage: OpenStorage) -> AsyncIterator[Storage]:
    """A migrated, empty storage."""
    opened = await open_storage(())
    await opened.migrate()
    yield opened
    await opened.close()


def instance(
    id: str,
    status: Status = Status.RUNNING,
    *,
    name: str = "trip",
    wake_at: float | None = None,
    started_at: float = NOW,
    revision: int = 1,
) -> Instance:
    """A saga with every field filled; one that moves has a timer."""
    steps = (
        StepState(Phase.DONE, 1, NOW, None, b'{"seat":"12a"}'),
        StepState(Phase.ASKED, 3, NOW + 0.25, NOW + 5.125, None),
    )
    history = History(fresh=(Entry(NOW, -1, "started"), Entry(NOW + 0.5, 1, "asked", "3")))
    moves = status in (Status.RUNNING, Status.COMPENSATING)
    state = SagaState(status, status is Status.COMPENSATING, 1, NOW + 60, "out-of-stock", steps, history)
    wake = (NOW + 5.125 if wake_at is None else wake_at) if moves else None
    return Instance(SagaId(id), name, "0a1b2c", b'{"id":"1"}', state, revision, wake, "00-ab-cd-01", started_at)


def envelope(id: str, *, key: str = "k", to: str = "hotel", at: float = NOW) -> Envelope:
    """A command with every field filled."""
    return Envelope(
        id=MessageId(id),
        kind=Kind.COMMAND,
        type="hotel.BookHotel",
        to=to,
        key=key,
        at=at,
        payload='{"name":"Zoë \\u0000"}'.encode(),
        saga=SagaId(key),
        step="book hotel",
        operation=Operation.COMPENSATION,
        attempt=2,
        epoch=7,
        sender="trips.coordinator",
        outcome=Outcome.REFUSED,
        again=True,
        deadline=NOW + 30.5,
        traceparent="00-ab-cd-01",
        begun=True,
        shard=3,
    )


def event(id: str, *, key: str = "k", topic: str = "hotel.events") -> Envelope:
    """What a room of its own accord tells everybody."""
    return Envelope(
        id=MessageId(id),
        kind=Kind.EVENT,
        type=f"{topic}.RoomCleaned",
        to=topic,
        key=key,
        at=NOW,
        payload=b'{"room":12}',
        sender="hotel",
    )
