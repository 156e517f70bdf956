"""A room on a SQLite file of its own, asked by hand, every message delivered twice."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import apsw
import pytest

from amends import Command, Migration, Participant
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.audit import Check, Finding
from amends.connections import Params, Row, Tx
from amends.messages import Envelope, Kind, MessageId, Operation, SagaId, encode, type_name
from amends.service import Service
from amends.signals import Signals

ASKER = "tests"


class StandingRuntime(AsyncioRuntime):
    """The time is what a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0

    def now(self) -> float:
        return self.time


class AskedRoom:
    """One room: its commands go through its hop, each in a saga of its own unless the test names one."""

    def __init__(self, participant: Participant, storage: SqliteStorage) -> None:
        transport = InProcess()
        self.name = storage.name
        self.storage = storage
        self.runtime = StandingRuntime()
        self.service = Service(storage, transport, self.runtime, Signals(), participant=participant)
        self._replies = transport.subscribe(ASKER)
        self._sagas = count(1)

    async def ask(self, *commands: Command) -> list[str]:
        """Sends all as one batch; returns what was answered, as names of replies, in the order of the commands."""
        return await self.deliver([self.envelope(each) for each in commands])

    async def deliver(self, batch: Sequence[Envelope]) -> list[str]:
        """One hop, then the same again: a copy of a message is answered as the message was."""
        first = await self._hop(batch)
        assert await self._hop(batch) == first
        return first

    def envelope(self, command: Command, saga: str = "", operation: Operation = Operation.ACTION) -> Envelope:
        saga = saga or f"saga-{next(self._sagas)}"
        return Envelope(
            id=MessageId(self.runtime.new_id()),
            kind=Kind.COMMAND,
            type=type_name(type(command)),
            to=self.name,
            key=saga,
            at=self.runtime.time,
            payload=encode(command),
            saga=SagaId(saga),
            step="step",
            operation=operation,
            sender=ASKER,
        )

    async def do(self, work: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Runs one of the room's own functions in a transaction."""
        async with self.service.transaction() as tx:
            return await work(tx, *arguments)

    async def see(self, look: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        """Runs one of the room's own functions on what is committed."""
        async with self.storage.reading() as reader:
            return await look(reader, *arguments)

    async def rows(self, sql: str, params: Params = ()) -> list[Row]:
        async with self.storage.reading() as reader:
            return await reader.fetch(sql, params)

    async def force(self, sql: str, params: Params = ()) -> None:
        """Writes past the room's code; its constraints still hold."""
        await self.do(_run, sql, params)

    async def tamper(self, sql: str, params: Params = ()) -> None:
        """Writes past the room's code and past the checks of its tables."""
        self.storage.writer().execute("pragma ignore_check_constraints = on")
        await self.force(sql, params)
        self.storage.writer().execute("pragma ignore_check_constraints = off")

    async def forbids(self, sql: str, params: Params = ()) -> bool:
        """Whether the database itself refuses a write."""
        try:
            await self.force(sql, params)
        except apsw.ConstraintError:
            return True
        return False

    async def broken(self, audit: Check) -> list[str]:
        """The names of the invariants that don't hold."""
        return [each.name for each in await self.findings(audit) if not each.holds]

    async def findings(self, audit: Check) -> list[Finding]:
        async with self.storage.reading() as reader:
            return await audit({self.name: reader})

    async def _hop(self, batch: Sequence[Envelope]) -> list[str]:
        assert self.service.hop is not None
        await self.service.hop.hop(batch)
        replies = await self._replies.receive(len(batch))
        await self._replies.acknowledge(replies)
        asked = [(each.saga, each.operation) for each in batch]
        answers = {(each.saga, each.operation): each.type for each in replies}
        return [answers[each] for each in asked]


async def _run(tx: Tx, sql: str, params: Params) -> None:
    await tx.run(sql, params)


OpenRoom = Callable[[Participant, Sequence[Migration]], Awaitable[AskedRoom]]


@pytest.fixture
async def open_room(tmp_path: Path) -> AsyncIterator[OpenRoom]:
    opened: list[SqliteStorage] = []

    async def open_one(participant: Participant, migrations: Sequence[Migration]) -> AskedRoom:
        storage = SqliteStorage(tmp_path / f"{participant.name}.db", migrations)
        opened.append(storage)
        await storage.migrate()
        return AskedRoom(participant, storage)

    yield open_one
    for storage in opened:
        await storage.close()
