"""On sets comes to the same as one row after the other; and every statement that there is, is understood."""

import importlib
import re
from collections.abc import AsyncIterator, Callable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.statements import each, locked, numbered
from amends.connections import Params, Row, Tx
from amends.schema import Migration
from shop.app import app
from tests.amends.adapters import on_postgres
from tests.amends.adapters.on_postgres import NOW

pytestmark = pytest.mark.servers

dsn = on_postgres.dsn

SOURCES = Path(__file__).parents[3] / "src"
LOOKED_AT = ("shop.", "amends.commands.", "amends.adapters.postgres.")
VERBS = ("select ", "insert into ", "update ", "delete from ")
BEGIN = re.compile(rf"^\w+ = f?\"+\s*({'|'.join(VERBS)})", re.MULTILINE)
TABLE = """
create table %s (
    name text primary key, number bigint, weight double precision, data bytea, ready boolean, colour text default 'red'
)
"""
MIGRATIONS = (Migration(1, "twins", (TABLE % "ones", TABLE % "sets")),)
STATEMENTS = {
    "insert": """
        insert into things (name, number, weight, data, ready, colour)
        values (:name, :number, :weight, :data, :ready, :colour)
    """,
    "insert or leave": """
        insert into things (name, number, weight, data, ready, colour)
        values (:name, coalesce(:number, cast(7 as bigint)), :weight, :data, :ready, 'it''s :colour ' || :colour)
        on conflict (name) do nothing
    """,
    "insert or add": """
        insert into things (name, number, weight, data, ready, colour)
        values (:name, :number, :weight, :data, :ready, :colour)
        on conflict (name) do update
        set number = coalesce(things.number, 0) + excluded.number, data = excluded.data
    """,
    "update": """
        update things set number = :number, weight = :weight, data = :data, ready = :ready, colour = :colour
        where name = :name
    """,
    "update under guard": """
        update things t set number = coalesce(t.number, 0) + :number, weight = :weight, data = :data, ready = :ready
        where name = :name and coalesce(t.number, 0) + :number between 0 and 50 and colour is distinct from :colour
    """,
    "update on two columns": """
        update things set weight = :weight, data = :data, ready = :ready, colour = :colour
        where name = :name and number >= :number
    """,
    "delete": """
        delete from things
        where name = :name and (number = :number or weight < :weight or data = :data or ready = :ready
            or colour = :colour)
    """,
    "one by one": """
        insert into things (name, number, weight, data, ready, colour)
        select :name, count(*), :weight, :data, :ready, :colour from things where number <> :number
        on conflict (name) do nothing
    """,
}


class Colour(StrEnum):
    RED = "red"
    GREEN = "grün"


class Thing(NamedTuple):
    name: str
    number: int | None
    weight: float | None
    data: bytes | None
    ready: bool | None
    colour: Colour | str | None


texts = some.text(some.characters(exclude_characters="\0", codec="utf-8"), max_size=5)
things = some.builds(
    Thing,
    name=some.sampled_from("abcdefgh") | texts,
    number=some.none() | some.integers(-30, 30) | some.sampled_from([2**61, -(2**61)]),
    weight=some.none() | some.floats(allow_nan=False) | some.integers(-5, 5),
    data=some.none() | some.binary(max_size=5),
    ready=some.none() | some.booleans(),
    colour=some.none() | some.sampled_from(Colour) | texts,
)
stocks = some.lists(things, unique_by=lambda each: each.name, max_size=8)


@pytest.fixture
async def storage(dsn: str) -> AsyncIterator[PostgresStorage]:
    storage = PostgresStorage(dsn, MIGRATIONS)
    await storage.migrate()
    yield storage
    await storage.close()


@pytest.mark.parametrize("what", STATEMENTS)
@given(stock=stocks, rows=stocks)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_all_at_once_is_the_same_as_one_by_one(
    storage: PostgresStorage, what: str, stock: list[Thing], rows: list[Thing]
) -> None:
    if what == "insert":
        rows = [row for row in rows if row.name not in {thing.name for thing in stock}]
    async with storage.transaction(NOW) as tx:
        for table in ("ones", "sets"):
            await tx.run(f"delete from {table}")
            await tx.run_many(STATEMENTS["insert"].replace("things", table), stock)
        ones, sets = (STATEMENTS[what].replace("things", table) for table in ("ones", "sets"))
        counted = sum([await tx.run(ones, row._asdict()) for row in rows])
        assert await tx.run_many(sets, [as_params(sets, row) for row in rows]) == counted
        assert await content(tx, "sets") == await content(tx, "ones")


def as_params(sql: str, row: Thing) -> Params:
    """By name, or in the order of the names' first use, which differs from one statement to the other."""
    named = row._asdict()
    return named if row.name < "d" else [named[name] for name in numbered(sql).names]


async def content(tx: Tx, table: str) -> list[Row]:
    return await tx.fetch(f"select * from {table} order by name")


async def test_rows_are_written_in_the_order_in_which_they_come(dsn: str) -> None:
    create = "create table queue (position bigint generated always as identity, name text primary key)"
    storage = PostgresStorage(dsn, [Migration(1, "queue", (create,))])
    await storage.migrate()
    names = [f"n{number * 7919 % 1000}" for number in range(1000)]
    async with storage.transaction(NOW) as tx:
        await tx.run_many("insert into queue (name) values (:name)", [(name,) for name in names])
        assert [row[0] for row in await tx.fetch("select name from queue order by position")] == names
    await storage.close()


async def test_sums_are_numbers(storage: PostgresStorage) -> None:
    async with storage.transaction(NOW) as tx:
        insert = "insert into ones (name, number, weight) values (:name, :number, :weight)"
        await tx.run_many(insert, [("a", 2**62, 0.5), ("b", 2**62, 0.25)])
        [sums] = await tx.fetch("select sum(number), sum(weight), avg(number % 10) / 8, sum(-number) from ones")
    assert sums == (2**63, 0.75, 0.5, -(2**63))
    assert [type(each) for each in sums] == [int, float, float, int]


def statements() -> Iterator[tuple[str, str]]:
    """Every statement of the rooms, of the command line and of the adapter's pages."""
    for path in sorted(SOURCES.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCES).with_suffix("").parts)
        if module.startswith(LOOKED_AT) and "postgres.xa." not in module and BEGIN.search(path.read_text()):
            for name, value in vars(importlib.import_module(module)).items():
                if is_statement(value):
                    yield f"{module}.{name}", value


def is_statement(value: Any) -> bool:
    return isinstance(value, str) and value.strip().startswith(VERBS) and "%s" not in value


def form_of(sql: str) -> Callable[[str], Any]:
    """How a statement reaches the database: many look keys up."""
    return each if "keys" in sql.split() else numbered


async def test_every_statement_of_library_and_shop_is_understood(dsn: str) -> None:
    """All rooms' tables fit into one database, for once."""
    rooms = {migration.statements: migration for own in app.databases.values() for migration in own}  # some share one
    everything = [migration._replace(number=number) for number, migration in enumerate(rooms.values(), 1)]
    storage = PostgresStorage(dsn, everything)
    await storage.migrate()
    found = dict(statements())
    assert len(found) > 120
    async with storage.transaction(NOW) as tx:
        for where, sql in found.items():
            for form in (each, locked) if is_plain_look_up(sql) else (form_of(sql),):
                await understood(tx, form(sql).text, where)
    await storage.close()


def is_plain_look_up(sql: str) -> bool:
    return form_of(sql) is each and not {"distinct", "order", "delete"} & set(sql.split())


async def understood(tx: Any, text: str, where: str) -> None:
    try:
        await tx.connection.prepare(text)
    except Exception as error:
        raise AssertionError(f"{where}: {error}: {text}") from error
