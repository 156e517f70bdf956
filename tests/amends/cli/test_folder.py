"""The data folder from outside: another schema, in use, migrated."""

import asyncio
from pathlib import Path

import pytest

from amends import Migration
from amends.adapters.sqlite import SqliteStorage
from amends.adapters.sqlite.folder import DataFolder
from amends.adapters.sqlite.visitor import Visitor
from amends.connections import Tx
from amends.errors import StorageError, WrongSchema
from tests.amends.cli.conftest import Amends, Tamper
from tests.amends.cli.journeys import MIGRATIONS

Ids = dict[str, str]
NEXT = {**MIGRATIONS, "hotels": [*MIGRATIONS["hotels"], Migration(2, "stars", ("create table stars (n integer)",))]}


async def opened(visitor: Visitor) -> list[str]:
    async with visitor.open() as storages:
        return list(storages)


async def test_a_missing_folder_is_refused_and_not_made(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"

    with pytest.raises(StorageError, match="no data folder"):
        await opened(Visitor(folder, MIGRATIONS))

    assert not folder.exists()


def test_an_older_schema_is_refused_until_it_is_migrated(tmp_path: Path, ids: Ids) -> None:
    visitor = Visitor(tmp_path, NEXT)

    with pytest.raises(WrongSchema, match=r"hotels in .*: an older schema .* migrate"):
        asyncio.run(opened(visitor))
    applied = asyncio.run(visitor.migrate())

    assert applied == ["hotels: service 2 stars"]
    assert asyncio.run(opened(visitor)) == ["trips", "flights", "hotels"]


def test_a_database_of_a_newer_program_is_refused_and_nothing_is_migrated(tmp_path: Path, ids: Ids) -> None:
    asyncio.run(Visitor(tmp_path, NEXT).migrate())
    behind = {**MIGRATIONS, "flights": NEXT["hotels"]}

    for attempt in (opened(Visitor(tmp_path, behind)), Visitor(tmp_path, behind).migrate()):
        with pytest.raises(WrongSchema, match="version 2, this program knows up to 1"):
            asyncio.run(attempt)


def test_a_missing_database_is_made_by_migrate_only(tmp_path: Path, ids: Ids) -> None:
    visitor = Visitor(tmp_path, {**MIGRATIONS, "trains": []})

    with pytest.raises(WrongSchema, match=r"^trains in"):
        asyncio.run(opened(visitor))
    assert not (tmp_path / "trains.db").exists()
    asyncio.run(visitor.migrate())

    assert (tmp_path / "trains.db").exists()


def test_a_file_that_is_no_database_is_refused(tmp_path: Path, ids: Ids) -> None:
    (tmp_path / "hotels.db").write_text("not a database, " * 100)

    with pytest.raises(StorageError, match=r"hotels\.db can't be opened"):
        asyncio.run(opened(Visitor(tmp_path, MIGRATIONS)))


def test_migrate_refuses_a_folder_in_use(tmp_path: Path, ids: Ids, amends: Amends) -> None:
    owner = DataFolder(tmp_path)
    owner.open()

    said = amends("migrate")
    owner.close()

    assert said.code == 1
    assert "is in use by process" in said.error


def test_the_owner_of_a_folder_is_known_and_keeps_it(tmp_path: Path) -> None:
    visitor, owner = Visitor(tmp_path, MIGRATIONS), DataFolder(tmp_path)
    seen = [visitor.owner()]
    owner.open()
    seen.append(visitor.owner())
    owner.close()
    seen.append(visitor.owner())

    assert [each is None for each in seen] == [True, False, True]
    assert str(seen[1]).isdecimal()


def test_migrate_tells_what_was_applied(ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def go_back(_: SqliteStorage, tx: Tx) -> None:
        await tx.run("drop table rooms")
        await tx.run("delete from schema_versions where track = 'service'")

    tamper("hotels", go_back)

    assert amends("migrate").out == "hotels: service 1 rooms\n"
    assert amends("migrate").out == "every database has the schema of this program\n"
