"""What PostgreSQL allows at most: pgbench runs the shop's own statements, in batches of 100, without the shop.

Every writing transaction that the shop runs for a batch of 100 orders is recorded, with its values. A script a database
repeats them under new ids; pgbench runs all of them at once, each on a database as the shop left it. What a perfect
program around the same SQL could do is at most that.

    python -m bench.pgbench < plan.json > outcome.json
"""

import asyncio
import re
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import asyncpg
import msgspec
import uvloop

from bench import inprocess
from bench.child import folder
from bench.on_postgres import SETTINGS
from shop.app import app
from tools.servers import Postgres, postgres_versions
from tools.servers.postgres import programs

BATCH = 100
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}|[0-9a-f]{32}")
_WRITES = ("insert", "update", "delete")
_MARK = "#"
# A run does not know what the one before it has booked.
_REPEATABLE = (
    ("high = given.p_high_before", "true"),
    ("high = given.p_high\n", "high = high + given.p_more\n"),
    ("high = given.p_high ", "high = high + given.p_more "),
)
_HEX = "\\x"


class Plan(msgspec.Struct, frozen=True):
    batches: int
    clients: int = 2


class Outcome(msgspec.Struct, frozen=True):
    """`statements` are of one batch, in all databases."""

    orders_per_s: float
    statements: int


class Statement(NamedTuple):
    database: str
    connection: int
    sql: str
    arguments: Sequence[Any]


class Recorder:
    """Sees what every connection of this process asks."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.on = False

    def watching(self, ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def asked(connection: Any, sql: str, *arguments: Any, **more: Any) -> Any:
            if self.on:
                database = connection._params.database
                self.statements.append(Statement(database, id(connection), sql, arguments))
            return await ask(connection, sql, *arguments, **more)

        return asked


def transactions(statements: Sequence[Statement]) -> dict[str, list[list[Statement]]]:
    """Those that write, by database, in the order of their commits."""
    open_ones: dict[int, list[Statement]] = {}
    done: dict[str, list[list[Statement]]] = defaultdict(list)
    for each in statements:
        if each.sql == "begin":
            open_ones[each.connection] = []
        elif each.sql in ("commit", "rollback"):
            ended = open_ones.pop(each.connection, [])
            if each.sql == "commit" and any(_writes(one.sql) for one in ended):
                done[each.database].append(ended)
        elif each.connection in open_ones:
            open_ones[each.connection].append(each)
    return done


def _writes(sql: str) -> bool:
    return sql.strip().lower().startswith(_WRITES)


def script(work: Sequence[Sequence[Statement]]) -> str:
    """One run of it does what the batch did, under ids of its own."""
    lines = [r"\set b random(1, 2000000000)"]
    for transaction in work:
        lines += ["begin;", *[f"{_one_line(_literal(each))};" for each in transaction], "commit;"]
    return "\n".join(lines) + "\n"


def _one_line(sql: str) -> str:
    return " ".join(sql.split())


def _literal(statement: Statement) -> str:
    """The statement with its values in place of its parameters."""
    sql = statement.sql
    for ours, anew in _REPEATABLE:
        sql = sql.replace(ours, anew)
    booking = "insert into bookings" in sql
    values = [_value(each, booking) for each in statement.arguments]
    return re.sub(r"\$(\d+)", lambda found: values[int(found[1]) - 1], sql)


def _value(value: Any, booking: bool) -> str:
    if isinstance(value, (list, tuple)):
        return _array(value, booking)
    if isinstance(value, str):
        return f"replace({_quoted(_marked(value))}, '{_MARK}', :b::text)" if _ID.search(value) else _quoted(value)
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    return "null" if value is None else repr(value)


def _array(values: Sequence[Any], booking: bool) -> str:
    """In parentheses: a cast may follow."""
    first = next((each for each in values if each is not None), None)
    if isinstance(first, bytes):
        return f"({_items([_HEX + each.hex() for each in values])}::bytea[])"
    if isinstance(first, int) and booking:
        return f"(select array_agg(v + :b::bigint * 1000) from unnest({_items(values)}::bigint[]) as t(v))"
    if isinstance(first, str) and any(_ID.search(each) for each in values if each):
        marked = _items([None if each is None else _marked(each) for each in values])
        return f"(select array_agg(replace(v, '{_MARK}', :b::text)) from unnest({marked}::text[]) as t(v))"
    return _items(values)


def _items(values: Sequence[Any]) -> str:
    texts = [
        "null" if each is None else '"' + str(each).replace("\\", "\\\\").replace('"', '\\"') + '"' for each in values
    ]
    return _quoted("{" + ",".join(texts) + "}")


def _marked(text: str) -> str:
    return _ID.sub(lambda found: f"{_MARK}{found[0]}", text)


def _quoted(text: str) -> str:
    """pgbench takes `:name` for a variable, so a colon before a letter is written otherwise."""
    return "'" + re.sub(r":(?=[A-Za-z_])", "' || chr(58) || '", text.replace("'", "''")) + "'"


async def record(dsn: str, home: Path) -> list[Statement]:
    """Two batches are placed; the second is recorded, with everything warm."""
    recorder = Recorder()
    connection: Any = asyncpg.Connection
    with (
        patch.object(connection, "execute", recorder.watching(connection.execute)),
        patch.object(connection, "fetch", recorder.watching(connection.fetch)),
    ):
        async with inprocess.opened(home / "shop", dsn) as orders:
            plan = inprocess.Plan(orders=BATCH, buyers=BATCH)
            await inprocess.place(orders, plan)
            recorder.on = True
            await inprocess.place(orders, plan)
            recorder.on = False
    return recorder.statements


def run(server: Postgres, scripts: dict[str, Path], plan: Plan) -> float:
    """Seconds until every database has done its part of all batches."""
    program = str(programs()[server.version] / "pgbench")
    each = max(1, plan.batches // plan.clients)
    common = [program, "-n", "-M", "prepared", "-h", "127.0.0.1", "-p", str(server.port), "-U", "postgres"]
    began = time.perf_counter()
    running = [
        subprocess.Popen(
            [*common, "-c", str(plan.clients), "-t", str(each), "-f", str(path), database], stdout=subprocess.DEVNULL
        )
        for database, path in scripts.items()
    ]
    codes = [child.wait() for child in running]
    assert not any(codes), f"pgbench ended with {codes}"
    return (time.perf_counter() - began) / (each * plan.clients)


async def measure(plan: Plan) -> Outcome:
    with folder() as home:
        server = Postgres(home / "postgres", postgres_versions()[0], SETTINGS)
        await server.start()
        try:
            work = transactions(await record(server.dsn("{database}"), home))
            scripts = {name: home / f"{name}.sql" for name in app.databases if name in work}
            for name, path in scripts.items():
                path.write_text(script(work[name]))
            took_s = await asyncio.to_thread(run, server, scripts, plan)
        finally:
            await server.stop()
    return Outcome(BATCH / took_s, sum(len(each) for all in work.values() for each in all))


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measure(given))))
