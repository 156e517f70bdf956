"""Real servers for tests, each started when a session first asks for it. The tests need the marker `servers`.

`tests/conftest.py` makes the fixtures known to every test:

    @pytest.mark.servers
    @pytest.mark.parametrize("version", POSTGRES)
    async def test_something(postgres_server: PostgresServer, version: int) -> None:
        async with fresh_database(await postgres_server(version)) as dsn:
            ...

A server that can't run here skips its tests, saying what to install; it fails them where `CI` is true. A test that
kills a server starts it again, or takes one of its own.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import pytest

from tools.servers import Connect, Kafka, Postgres, fetch, missing_for_kafka, missing_for_postgres
from tools.servers.process import Server

POSTGRES = (15, 16, 18)

PostgresServer = Callable[[int], Awaitable[Postgres]]
AnyServer = TypeVar("AnyServer", bound=Server)


def require(missing: str) -> None:
    """Skip the test when something is missing; fail it in continuous integration, where nothing may be."""
    if missing and os.environ.get("CI") == "true":
        pytest.fail(missing, pytrace=False)
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Gives the session's PostgreSQL of a version, running."""
    servers: dict[int, Postgres] = {}

    async def server(version: int) -> Postgres:
        require(missing_for_postgres(version))
        if version not in servers:
            servers[version] = Postgres(Path(folder) / str(version), version)
        if not servers[version].process.pid:
            await servers[version].start()
        return servers[version]

    with tempfile.TemporaryDirectory() as folder:
        yield server
        for each in servers.values():
            wait_for(each.stop())


@pytest.fixture(scope="session")
def kafka_server() -> Iterator[Kafka]:
    """The session's broker."""
    require(missing_for_kafka())
    wait_for(fetch())
    with tempfile.TemporaryDirectory() as folder, _started(Kafka(Path(folder))) as kafka:
        yield kafka


@pytest.fixture(scope="session")
def connect_server(kafka_server: Kafka) -> Iterator[Connect]:
    """The session's Connect, on the session's broker."""
    with tempfile.TemporaryDirectory() as folder, _started(Connect(Path(folder), kafka_server)) as connect:
        yield connect


@asynccontextmanager
async def fresh_database(postgres: Postgres) -> AsyncIterator[str]:
    """The dsn of a new database, which is dropped at the end."""
    name = f"test_{uuid4().hex}"
    dsn = await postgres.create_database(name)
    try:
        yield dsn
    finally:
        await postgres.drop_database(name)


def wait_for(work: Coroutine[None, None, None]) -> None:
    """Run it on a loop of its own, which no test sees."""
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(work)


@contextmanager
def _started(server: AnyServer) -> Iterator[AnyServer]:
    try:
        wait_for(server.start())
        yield server
    finally:
        wait_for(server.stop())
