"""Statements on sets look each row up in an index: when tables are new, when they have grown since, when large.

A plan is made once for each connection, and again when a table was analyzed; between the two a table may grow from
nothing to anything (docs/decisions/19).
"""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import asyncpg
import pytest

from amends.adapters.postgres import PostgresStorage, idempotency_keys, inbox, outbox, sagas
from amends.adapters.postgres.pool import SETTINGS
from amends.adapters.postgres.sets import on_sets
from amends.adapters.postgres.statements import each, locked, numbered
from amends.adapters.saga_rows import COLUMNS
from amends.conformance.fixtures import NOW, instance
from amends.pages import Change
from shop.warehouse import audit
from shop.warehouse import tables as warehouse
from tests.amends.adapters import on_postgres

pytestmark = [pytest.mark.servers, pytest.mark.slow]

dsn = on_postgres.dsn
MANY = 100_000

SAGA = "'id' || i, 'n', 'v', '', '', '', 1, i, '', i, 0, 'running'"
FILL = (
    f"insert into sagas ({COLUMNS}) select {SAGA} from generate_series($1::int, $2) i",
    "insert into inbox select 'id' || i, 's', 'action', 'done', 't', '' from generate_series($1::int, $2) i",
    "insert into epochs select 'id' || i, 1 from generate_series($1::int, $2) i",
    "insert into outbox select 'id' || i, 0, 0, 1, '' from generate_series($1::int, $2) i",
    "insert into stock select 'id' || i, 10, 0 from generate_series($1::int, $2) i",
    "insert into reservations select 'o' || i, 'id' || i, 1 from generate_series($1::int, $2) i",
    "insert into idempotency_keys select 'p', 'm', 'r', 'id' || i, '', 202, '', '', 0, 0 "
    "from generate_series($1::int, $2) i",
)
SETS = {
    "state of sagas": (sagas.update_state, ["bytea", "bytea", "int8", "text", "int8"]),
    "sagas": (sagas.update_saga, ["bytea", "bytea", "int8", "text", "float8", "text", "int8"]),
    "operations": (inbox.replace_operation, ["text", "text", "bytea", "text", "text", "text"]),
    "stock": (warehouse.change_reserved, ["int8", "text"]),
    "reservations": (warehouse.delete_reservation, ["text", "text", "int8"]),
}
LOOK_UPS = {
    "load sagas": sagas.load_sagas,
    "known operations": inbox.known_operations,
    "known keys": idempotency_keys.known_keys,
    "stock": warehouse.select_stock,
    "reservations": warehouse.select_reservations,
}


def statements() -> dict[str, str]:
    changes = {f"change {name}": str(on_sets(sql, types)) for name, (sql, types) in SETS.items()}
    look_ups = {name: each(sql).text for name, sql in LOOK_UPS.items()}
    locks = {f"lock {name}": locked(sql).text for name, sql in LOOK_UPS.items()}
    both = {
        "seen of coordinators and sagas": numbered(inbox.seen_of_both).text,
        "exchange batches": numbered(outbox.exchange_batches).text,
    }
    return {**changes, **look_ups, **locks, **both, "due sagas": numbered(sagas.due_sagas).text}


class Plans:
    """One connection with every statement prepared, as a storage's connections have them."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection
        self._rows = 0

    async def prepare(self) -> None:
        for number, sql in enumerate(statements().values()):
            await self._connection.execute(f"prepare s{number} as {sql}")

    async def grow(self, rows: int) -> None:
        for sql in FILL:
            await self._connection.execute(sql, self._rows + 1, rows)
        self._rows = rows

    async def analyze(self) -> None:
        await self._connection.execute("analyze")

    async def plans(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        for number, (name, sql) in enumerate(statements().items()):
            nothing = ", ".join(["null"] * len({f"${at}" for at in range(1, 9) if f"${at}" in sql}))
            yield name, await self.plan(f"execute s{number}({nothing})")

    async def plan(self, sql: str) -> dict[str, Any]:
        plan: dict[str, Any] = json.loads(await self._connection.fetchval(f"explain (format json) {sql}"))[0]["Plan"]
        return plan


@pytest.fixture
async def plans(dsn: str) -> AsyncIterator[Plans]:
    storage = PostgresStorage(dsn, warehouse.MIGRATIONS)
    await storage.migrate()
    await storage.close()
    connection = await asyncpg.connect(dsn, server_settings=SETTINGS)
    yield Plans(connection)
    await connection.close()


async def test_rows_are_looked_up_one_by_one_however_tables_grow(plans: Plans) -> None:
    await plans.prepare()
    await look(plans, "new")
    await plans.grow(3)
    await plans.analyze()
    await look(plans, "analyzed when there were three rows")
    await plans.grow(MANY)
    await look(plans, "grown since")
    await plans.analyze()
    await look(plans, "analyzed when it was large")


async def test_what_looks_at_everything_joins_tables_as_a_whole(plans: Plans) -> None:
    """To look up each of 100,000 rows in the other 100,000 takes minutes, to scan both a second."""
    await plans.grow(MANY)
    await plans.analyze()
    joins = [node["Node Type"] for node in nodes(await plans.plan(audit.find_wrong_reserved)) if "Plans" in node]
    assert {"Hash Join", "Merge Join"} & set(joins)
    assert "Nested Loop" not in joins


async def test_saga_that_keeps_its_timer_leaves_the_indexes_alone(dsn: str) -> None:
    """Also where it is written together with one that does not: what counts is what changes."""
    storage = PostgresStorage(dsn)
    await storage.migrate()
    a, b = instance("a"), instance("b")
    async with storage.transaction(NOW) as tx:
        await storage.sagas.insert(tx, [a, b])
    async with storage.transaction(NOW) as tx:
        await storage.sagas.save(tx, [Change(a, a.moved(a.state, a.wake_at)), Change(b, b.moved(b.state, NOW + 99))])
        counted = await tx.fetch(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_xact_user_tables where relname = 'sagas'"
        )
    await storage.close()
    assert counted == [(2, 1)]


async def look(plans: Plans, when: str) -> None:
    async for name, plan in plans.plans():
        wrong = [node["Node Type"] for node in nodes(plan) if is_wrong(node)]
        assert not wrong, f"{name}, {when}: {wrong} in {json.dumps(plan, indent=1)}"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from nodes(below)


def is_wrong(node: dict[str, Any]) -> bool:
    """A join of another kind, or a table that is read as a whole."""
    kind = node["Node Type"]
    return kind in ("Seq Scan", "Hash Join", "Merge Join") or ("Index" in kind and "Index Cond" not in node)
