"""The page `xa_marks`: how each transaction ended. The unique name keeps it from happening twice, or both ways.

    prepare: inserts `committed` first of all, within the transaction: seen once that is committed
    abort:   inserts `aborted` once it has rolled back what was prepared, if anything was

So a second attempt to prepare waits for the first one, a late one meets `aborted`, and a commit that finds nothing
prepared can tell whether that is because it took place.
"""

from collections.abc import Sequence

from amends.connections import Reader, Tx

CREATE = (
    """
    create table xa_marks (
        gid text primary key,
        outcome text not null check (outcome in ('committed', 'aborted')),
        marked_at double precision not null
    )
    """,
    "create index xa_marks_by_age on xa_marks (marked_at)",
)
insert_committed = """
insert into xa_marks (gid, outcome, marked_at)
select :gid, 'committed', :now where exists (select from xa_operations where gid = :gid and verb = 'prepare')
on conflict (gid) do nothing
"""
insert_aborted = """
insert into xa_marks (gid, outcome, marked_at) values (:gid, 'aborted', :now) on conflict (gid) do nothing
"""
find_outcome = "select outcome from xa_marks where gid = :gid"
touch_mark = "update xa_marks set marked_at = :now where gid = :gid"
remove_marks = """
delete from xa_marks where gid in (
    select gid from xa_marks
    where marked_at < :before and not exists (select from xa_operations where xa_operations.gid = xa_marks.gid)
    order by marked_at limit :limit
)
"""
PRUNED_AT_ONCE = 10_000


async def commit(tx: Tx, gid: str) -> bool:
    """Marks `tx` as the one that carries the effect; False when it has ended before, or nobody asks for it any more."""
    return bool(await tx.run(insert_committed, (gid, tx.now)))


async def abort(tx: Tx, gid: str) -> bool:
    """False when it has ended before."""
    return bool(await tx.run(insert_aborted, (gid, tx.now)))


async def outcome(reader: Reader, gid: str) -> str | None:
    """`committed`, `aborted`, or None."""
    rows = await reader.fetch(find_outcome, (gid,))
    return str(rows[0][0]) if rows else None


async def touch(tx: Tx, gids: Sequence[str]) -> None:
    """These have ended just now, however long they were prepared."""
    await tx.run_many(touch_mark, [(tx.now, gid) for gid in gids])


async def prune(tx: Tx, before: float) -> int:
    """Removes the oldest from before a Unix time that nobody asks about; returns how many."""
    return await tx.run(remove_marks, (before, PRUNED_AT_ONCE))
