"""A shop with a long past: real finished orders, copied under new ids in every file, kept in a cache between runs.

A hundred orders are placed for real; SQL then copies every row that names one of them, with ids of earlier UUIDs and
random idempotency keys, and adds up stock, slots and balances again. The copies are what the shop itself would have
written.
"""

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import apsw
import msgspec

from amends.adapters.sqlite.connection import connect
from bench import inprocess, stock

SAMPLES = 100
_PASSING = frozenset({"outbox", "parked", "mends", "leases", "epochs", "schema_versions"})
_COURIERS_A_SLOT = SAMPLES // stock.SLOTS

# An id of UUIDv7's form, older than any that is made now: the copies come before what is placed later.
_COPIES = """
create temp table copies as
with recursive numbers(n) as (select 0 union all select n + 1 from numbers where n < ?1 - 1)
select n, printf('01900000-0000-7000-8000-%012x', n) as id, lower(hex(randomblob(16))) as fresh_key,
    samples.id as sample
from numbers join samples on samples.position = n % ?2
"""
_SUMS = {
    "warehouse.db": (
        """
        update stock set reserved = coalesce(
            (select sum(quantity) from reservations where reservations.sku = stock.sku), 0)
        """,
    ),
    "delivery.db": (
        """
        update slots set (booked, high) = (
            select count(*), coalesce(max(courier), 0) from bookings
            where bookings.calendar = slots.calendar and bookings.slot = slots.slot)
        """,
    ),
    "billing.db": (
        """
        update accounts set balance_minor =
            coalesce((select sum(amount_minor) from transfers where credit = accounts.id), 0)
            - coalesce((select sum(amount_minor) from transfers where debit = accounts.id), 0)
        """,
    ),
}


class Column(NamedTuple):
    """`key` is its place in the primary key, 0 when it is in none."""

    name: str
    type: str
    key: int


async def filled(count: int) -> Path:
    """The folder of a shop with so many finished sagas, a multiple of 100.

    It is made when the cache holds none, or one of another schema.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "amends-bench"
    draft = cache / "draft"
    shutil.rmtree(draft, ignore_errors=True)
    async with inprocess.opened(draft) as orders:
        await inprocess.place(orders, inprocess.Plan(orders=SAMPLES, buyers=SAMPLES))
    target = cache / f"{schema_of(draft)}-{count}"
    if target.exists():
        shutil.rmtree(draft)
    else:
        fill(draft, count)
        draft.rename(target)
    return target


def schema_of(data: Path) -> str:
    """A digest of every table, and of the sagas' definitions."""
    shapes: list[object] = []
    for path in sorted(data.glob("*.db")):
        file = connect(path, readonly=True)
        shapes += [path.name, file.execute("select sql from sqlite_master order by name").fetchall()]
        shapes += file.execute("select distinct name, version from sagas").fetchall()
        file.close()
    return hashlib.sha256(msgspec.json.encode(shapes)).hexdigest()[:12]


def fill(data: Path, count: int) -> None:
    """Copies the finished orders in a folder until there are about `count` more."""
    orders = connect(data / "orders.db")
    samples = [id for (id,) in orders.execute("select id from sagas where status = 'completed'")]
    orders.close()
    for path in sorted(data.glob("*.db")):
        file = connect(path)
        file.execute("pragma cache_size = -1000000").fetchall()
        file.execute("pragma foreign_keys = off").fetchall()
        _fill_file(file, path.name, samples, count)
        file.execute("pragma wal_checkpoint(truncate)").fetchall()
        file.close()


def _fill_file(file: apsw.Connection, name: str, samples: Sequence[str], count: int) -> None:
    with file:
        file.execute("create temp table samples (position integer primary key, id text not null)")
        file.executemany("insert into samples values (?, ?)", list(enumerate(samples)))
        file.execute(_COPIES, (count, len(samples)))
        file.execute("create unique index temp.copies_by_key on copies (fresh_key)")
        for row in file.execute("select name from sqlite_master where type = 'table'").fetchall():
            if row[0] not in _PASSING:
                _fill_table(file, str(row[0]))
        for statement in _SUMS.get(name, ()):
            file.execute(statement)


def _fill_table(file: apsw.Connection, table: str) -> None:
    """Copies each row that names a sample, in the order of its key."""
    rows = file.execute(f"select name, type, pk from pragma_table_info('{table}')")
    columns = [Column(*row) for row in rows]
    named = " or ".join(f"instr(cast(source.{column.name} as text), samples.id)" for column in columns)
    file.execute(
        f"create temp table found as select samples.id as sample, source.* from main.{table} as source "
        f"join samples on {named}"
    )
    mention = [column for column in columns if column.key and _mentions(file, column)]
    keyed = next((column for column in columns if column.key == 1 and not mention), None)
    values = ", ".join(_value(column, column is keyed) for column in columns)
    order = "copies.fresh_key" if keyed else "copies.n"
    file.execute(
        f"insert into main.{table} select {values} from copies join found on found.sample = copies.sample "
        f"order by {order}"
    )
    file.execute("drop table found")


def _mentions(file: apsw.Connection, column: Column) -> bool:
    sql = f"select 1 from found where instr(cast({column.name} as text), sample) limit 1"
    return bool(file.execute(sql).fetchall())


def _value(column: Column, fresh_key: bool) -> str:
    if fresh_key:
        return "copies.fresh_key"
    if column.name == "courier":
        return f"found.courier + {_COURIERS_A_SLOT} * (copies.n / {SAMPLES} + 1)"
    source = f"found.{column.name}"
    match column.type.lower():
        case "text":
            return f"replace({source}, copies.sample, copies.id)"
        case "blob":
            return f"cast(replace(cast({source} as text), copies.sample, copies.id) as blob)"
        case _:
            return source
