"""Transactions over several pages on a simulated disk, and a look at what a power cut has left of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import apsw

from amends.adapters.sqlite.connection import connect
from amends.testing.disk import Disk

PATH = Path("facts.db")
CREATE = "create table if not exists facts (number integer, part integer, filler text, primary key (number, part))"
NEXT = "select coalesce(max(number) + 1, 0) from facts"
HAS_FACTS = "select 1 from sqlite_schema where name = 'facts'"
COUNTS = "select number, count(*) from facts group by number order by number"


@contextmanager
def opened(disk: Disk, sync: str = "full") -> Iterator[apsw.Connection]:
    connection = connect(PATH, vfs=disk.name, busy_ms=0)
    try:
        connection.execute(f"pragma synchronous = {sync}").fetchall()
        yield connection
    finally:
        connection.close()


def live(disk: Disk, told: list[int], sync: str = "full", transactions: int = 6) -> None:
    """Some transactions from the next number on, each told once it is committed; a checkpoint after every third."""
    with opened(disk, sync) as connection:
        connection.execute(CREATE)
        [(first,)] = connection.execute(NEXT)
        assert isinstance(first, int)
        for number in range(first, first + transactions):
            _commit(connection, number)
            told.append(number)
            if number % 3 == 2:
                connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)


def _commit(connection: apsw.Connection, number: int) -> None:
    """Three parts, and the third part of two numbers before goes."""
    connection.execute("begin immediate")
    for part in range(3):
        filler = chr(ord("a") + number % 26) * (2500 * part + 100)
        connection.execute("insert into facts values (?, ?, ?)", (number, part, filler))
    connection.execute("delete from facts where number = ? and part = 2", (number - 2,))
    connection.execute("commit")


def verdict(disk: Disk, told: list[int]) -> str:
    """`good`, or what is wrong: `lost`, `torn`, `corrupt`."""
    try:
        with opened(disk) as connection:
            sound = connection.execute("pragma integrity_check").fetchall() == [("ok",)]
            counts = dict(connection.execute(COUNTS)) if connection.execute(HAS_FACTS).fetchall() else {}
    except apsw.Error:
        return "corrupt"
    return _judge(counts, len(told)) if sound else "corrupt"


def _judge(counts: dict[int, int], told: int) -> str:
    """The one transaction that was at work when the power was cut may be there or not."""
    there = len(counts)
    if not told <= there <= told + 1:
        return "lost"
    whole = {number: 2 if number < there - 2 else 3 for number in range(there)}
    return "good" if counts == whole else "torn"


def moments(sync: str = "full") -> int:
    """How many there are in one life without a cut."""
    with Disk(Random(0)) as disk:
        live(disk, [], sync)
        return disk.moments


def after_a_cut(seed: int, moment: int, sync: str = "full") -> str:
    """The verdict on a life that was cut at one of its moments."""
    with Disk(Random(seed)) as disk:
        told: list[int] = []
        live_until_cut(disk, told, moment, sync)
        return verdict(disk, told)


def live_until_cut(disk: Disk, told: list[int], moment: int, sync: str = "full") -> None:
    before = disk.crashes
    disk.crash_at(moment)
    try:
        live(disk, told, sync)
    except apsw.Error:
        assert disk.crashes == before + 1
    if disk.crashes == before:
        disk.crash()
