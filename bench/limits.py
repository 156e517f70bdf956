"""What the machine allows at most: the disk's fsync, SQLite alone, and the load generator alone.

SQLite alone is honest: every statement that the shop runs for a number of orders is recorded, with its transactions and
parameters, and then run again by apsw on a copy of the same files, without the shop. What a perfect program around the
same SQL could do is at most that.

    python -m bench.limits < plan.json > outcome.json
"""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import msgspec
import uvloop

from amends.adapters.sqlite.connection import connect
from bench import inprocess
from bench.child import folder
from bench.figures import percentile

_PAGE = b"x" * 4096


class Plan(msgspec.Struct, frozen=True):
    orders: int
    fsyncs: int = 1000


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`statements` and `rows` are per order: what is run, and what is inserted, updated or deleted."""

    fsync_p50_ms: float
    fsync_p99_ms: float
    orders_per_s: float
    statements: float
    rows: float
    commits: float
    sqlite: str


class Statement(NamedTuple):
    file: str
    sql: str
    bindings: Any


class Recorder:
    """Sees what every connection of this process runs."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.on = False

    def watch(self, connection: apsw.Connection) -> None:
        """Called for each new connection; those that only read are left alone."""
        if not connection.open_flags & apsw.SQLITE_OPEN_READONLY:
            connection.exec_trace = self._trace

    def _trace(self, cursor: apsw.Cursor, sql: str, bindings: Any) -> bool:
        if self.on and not sql.startswith("pragma"):  # those of the checkpoint's own connection
            self.statements.append(Statement(Path(cursor.connection.filename).name, sql, bindings or ()))
        return True


async def record(plan: Plan, home: Path) -> list[Statement]:
    """Places the orders in `home/shop`; what its files were before is left in `home/before`."""
    recorder = Recorder()
    apsw.connection_hooks.append(recorder.watch)
    try:
        async with inprocess.opened(home / "shop") as orders:
            _copy(home / "shop", home / "before")
            recorder.on = True
            await inprocess.place(orders, inprocess.Plan(orders=plan.orders))
            recorder.on = False
    finally:
        apsw.connection_hooks.remove(recorder.watch)
    return recorder.statements


def _copy(source: Path, target: Path) -> None:
    """By SQLite's own backup: the files are open."""
    target.mkdir()
    for path in source.glob("*.db"):
        reader, writer = connect(path, readonly=True), connect(target / path.name)
        with writer.backup("main", reader, "main") as backup:
            backup.step()
        reader.close()
        writer.close()


class Chunk(NamedTuple):
    """One statement, with the parameters of every row that it was run for."""

    file: str
    sql: str
    rows: list[Any]


def chunks(statements: Sequence[Statement]) -> Iterator[Chunk]:
    for (file, sql), run in groupby(statements, key=lambda each: each[:2]):
        yield Chunk(file, sql, [each.bindings for each in run])


class Replayed(NamedTuple):
    took_s: float
    rows: int
    commits: int


def replay(data: Path, work: Sequence[Chunk]) -> Replayed:
    files = {file: connect(data / file) for file in sorted({chunk.file for chunk in work})}
    before = sum(file.total_changes() for file in files.values())
    began = time.perf_counter()
    for file, sql, rows in work:
        files[file].executemany(sql, rows).fetchall()
    took_s = time.perf_counter() - began
    changed = sum(file.total_changes() for file in files.values()) - before
    for opened in files.values():
        opened.close()
    return Replayed(took_s, changed, sum(chunk.sql == "commit" for chunk in work))


def fsyncs(home: Path, count: int) -> list[float]:
    """How long a written page takes to the disk, in seconds, sorted."""
    took = []
    with (home / "page").open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(_PAGE)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return sorted(took)


async def measure(plan: Plan) -> Outcome:
    with folder() as home:
        synced = fsyncs(home, plan.fsyncs)
        statements = await record(plan, home)
        work = list(chunks(statements))
        replayed = await asyncio.to_thread(replay, home / "before", work)
        shutil.rmtree(home / "shop")
    return Outcome(
        fsync_p50_ms=percentile(synced, 0.5) * 1000,
        fsync_p99_ms=percentile(synced, 0.99) * 1000,
        orders_per_s=plan.orders / replayed.took_s,
        statements=len(statements) / plan.orders,
        rows=replayed.rows / plan.orders,
        commits=replayed.commits / plan.orders,
        sqlite=apsw.sqlite_lib_version(),
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(measure(given))))
