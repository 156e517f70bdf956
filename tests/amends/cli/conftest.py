"""A data folder with trips that ended well, ended badly, and got stuck; and the command line on it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from amends.adapters.embedded import Embedded
from amends.adapters.sqlite import SqliteStorage
from amends.cli import main
from amends.connections import Tx
from amends.service import Service
from tests.amends.cli.journeys import BEACH, MIGRATIONS, Trip, flights, hotels, take_trip


class Said(NamedTuple):
    """What a command line answered."""

    code: int
    out: str
    error: str

    def line(self, word: str) -> str:
        """The first line with that word."""
        return next(line for line in self.out.splitlines() if word in line)


Amends = Callable[..., Said]
Tamper = Callable[[str, Callable[[SqliteStorage, Tx], Awaitable[object]]], None]


@asynccontextmanager
async def home(folder: Path) -> AsyncIterator[tuple[Embedded, Service]]:
    """The program at work."""
    async with Embedded(folder) as embedded:
        await embedded.add("flights", participant=flights, migrations=MIGRATIONS["flights"])
        await embedded.add("hotels", participant=hotels, migrations=MIGRATIONS["hotels"])
        yield embedded, await embedded.add("trips", definitions=[take_trip], migrations=MIGRATIONS["trips"])


async def travel(folder: Path, *places: str) -> dict[str, str]:
    """Takes trips to places; returns their ids by how they ended."""
    ended = {}
    async with home(folder) as (embedded, trips):
        for place in places:
            instance = await embedded.run(trips, take_trip, Trip(place))
            ended[instance.state.status.value] = str(instance.id)
    return ended


@pytest.fixture
def ids(tmp_path: Path) -> dict[str, str]:
    """A folder in which a trip completed, one was compensated, and one is stuck; their ids by that word."""
    return asyncio.run(travel(tmp_path, "city", "moon", BEACH))


@pytest.fixture
def ended_ids(tmp_path: Path) -> dict[str, str]:
    """A folder in which nothing is wrong: a trip completed, one was compensated."""
    return asyncio.run(travel(tmp_path, "city", "moon"))


@pytest.fixture
def amends(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Amends:
    """Runs a command line on the folder, in this process."""
    monkeypatch.setenv("AMENDS_APP", "tests.amends.cli.journeys:app")
    monkeypatch.setenv("AMENDS_DATA", str(tmp_path))
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*argv: str) -> Said:
        capsys.readouterr()
        code = main(argv)
        captured = capsys.readouterr()
        return Said(code, captured.out, captured.err)

    return run


@pytest.fixture
def tamper(tmp_path: Path) -> Tamper:
    """Writes into a database of the folder behind the program's back."""

    def write(database: str, change: Callable[[SqliteStorage, Tx], Awaitable[object]]) -> None:
        async def run() -> None:
            storage = SqliteStorage(tmp_path / f"{database}.db", MIGRATIONS[database])
            async with storage.transaction(0.0) as tx:
                await change(storage, tx)
            await storage.close()

        asyncio.run(run())

    return write
