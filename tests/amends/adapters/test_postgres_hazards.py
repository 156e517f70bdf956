"""The hazards of sagas and participants, met once more with every service on a PostgreSQL database of its own.

Time stays virtual. What talks to the server takes real time, so the runtime settles only when nobody does.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from amends.adapters.postgres import PostgresStorage, connection, pool, transaction
from amends.schema import Migration
from amends.testing.runtime import VirtualRuntime
from tests.amends import trips
from tests.amends.hazards import ablations as without
from tests.amends.hazards import sagas, trouble
from tests.servers import PostgresServer, wait_for

pytestmark = [pytest.mark.servers, pytest.mark.slow]

PATIENCE_S = 30.0
VERSION = 15
Scenario = Callable[[Path, bool], Awaitable[None]]
Dsns = dict[str, str]


class Talks:
    """Counts who is talking to the server."""

    def __init__(self) -> None:
        self.count = 0
        self.ended = asyncio.Event()

    def counted(self, talk: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(talk)
        async def counted(*args: Any, **kwargs: Any) -> Any:
            self.count += 1
            try:
                return await talk(*args, **kwargs)
            finally:
                self.count -= 1
                self.ended.set()

        return counted


class PatientRuntime(VirtualRuntime):
    """Nothing is settled while somebody waits for the server."""

    def __init__(self, talks: Talks, seed: int) -> None:
        super().__init__(seed)
        self._talks = talks

    async def settle(self) -> None:
        await super().settle()
        while self._talks.count:
            self._talks.ended.clear()
            await asyncio.wait_for(self._talks.ended.wait(), PATIENCE_S)
            await super().settle()


@pytest.fixture(scope="module")
def dsns(postgres_server: PostgresServer) -> Iterator[Dsns]:
    """A database for each room, for all scenarios."""
    made: Dsns = {}

    async def make() -> None:
        server = await postgres_server(VERSION)
        for room in trips.ROOMS:
            made[room] = await server.create_database(f"hazards_{room}")

    async def drop() -> None:
        server = await postgres_server(VERSION)
        for room in trips.ROOMS:
            await server.drop_database(f"hazards_{room}")

    wait_for(make())
    yield made
    wait_for(drop())


@pytest.fixture
async def on_postgres(dsns: Dsns, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The agency opens PostgreSQL where it would open files."""
    talks, opened = Talks(), list[PostgresStorage]()

    def storage(path: Path, migrations: Sequence[Migration]) -> PostgresStorage:
        opened.append(PostgresStorage(dsns[path.stem], migrations, name=path.stem))
        return opened[-1]

    monkeypatch.setattr(trips, "SqliteStorage", storage)
    monkeypatch.setattr(trips, "VirtualRuntime", functools.partial(PatientRuntime, talks))
    for module in (connection, pool):
        monkeypatch.setattr(module, "asked", talks.counted(module.asked))
    monkeypatch.setattr(transaction, "_committed", talks.counted(transaction._committed))
    for name in ("_take", "undo", "give"):
        monkeypatch.setattr(pool.Connections, name, talks.counted(getattr(pool.Connections, name)))
    for dsn in dsns.values():
        await empty(dsn)
    yield
    for each in opened:  # a service that did not start is nobody's
        await each.close()


async def empty(dsn: str) -> None:
    """Leaves the tables, and nothing in them."""
    connected = await asyncpg.connect(dsn)
    tables = await connected.fetch("select tablename from pg_tables where schemaname = 'public'")
    names = {row["tablename"] for row in tables} - {"schema_versions"}
    await connected.execute("; ".join(f"delete from {name}" for name in sorted(names)) or "select 1")
    await connected.close()


@pytest.mark.usefixtures("on_postgres")
@pytest.mark.parametrize("scenario", sagas.SCENARIOS + trouble.SCENARIOS, ids=lambda scenario: scenario.__name__)
async def test_hazard_is_met_with_every_message_twice(scenario: Scenario, tmp_path: Path) -> None:
    await scenario(tmp_path, True)


@pytest.mark.usefixtures("on_postgres")
async def test_zombie_is_noticed_that_nobody_fences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without.coordinator_ignores_epochs(monkeypatch)
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        await sagas.zombie_writes(tmp_path, False)
