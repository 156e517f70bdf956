"""The page `xa_operations`: what was asked for and is not answered yet.

note ──▶ [claimed by the process that noted it] ──answered──▶ gone
                  └─ failed ─▶ due again ─▶ claimed by whoever looks first

A row is claimed by its `due_at`: until then it is somebody's work. A claim only saves others the trouble; that nothing
happens twice is the marks' duty.
"""

from collections.abc import Sequence
from typing import NamedTuple

from amends.adapters.postgres.xa.gids import Verb
from amends.connections import Tx
from amends.participant import Asked

CLAIM_S = 15.0

CREATE = (
    """
    create table xa_operations (
        gid text not null,
        verb text not null check (verb in ('prepare', 'commit', 'abort')),
        saga text not null,
        step text not null,
        operation text not null check (operation = case verb when 'abort' then 'compensation' else 'action' end),
        type text not null,
        payload bytea not null,
        attempts bigint not null check (attempts >= 0),
        due_at double precision not null,
        primary key (gid, verb)
    )
    """,
    "create index xa_operations_due on xa_operations (due_at)",
)
insert_operation = """
insert into xa_operations (gid, verb, saga, step, operation, type, payload, attempts, due_at)
values (:gid, :verb, :saga, :step, :operation, :type, :payload, 0, :due_at)
"""
claim_operations = """
with due as (
    select gid, verb from xa_operations where due_at < :before order by due_at limit :limit for update skip locked
)
update xa_operations each set due_at = :due_at
from due
where each.gid = due.gid and each.verb = due.verb
returning
    each.gid, each.verb, saga, step, operation, type, payload, attempts,
    each.gid in (select gid from pg_prepared_xacts where database = current_database())
"""
postpone_operation = """
update xa_operations set due_at = :due_at, attempts = :attempts where gid = :gid and verb = :verb
"""
open_operations = "select gid, verb, saga, step, operation from keys join xa_operations on gid = key"
remove_operation = "delete from xa_operations where gid = :gid and verb = :verb"


class XaOperation(NamedTuple):
    """A command about the transaction `gid`; `prepared`: it was seen to be, when the operation was claimed."""

    gid: str
    verb: Verb
    asked: Asked
    type: str
    payload: bytes
    attempts: int = 0
    prepared: bool = False

    @property
    def key(self) -> tuple[str, Verb]:
        return self.gid, self.verb


async def note(tx: Tx, noted: Sequence[XaOperation]) -> None:
    """They are claimed by whoever notes them."""
    rows = [(each.gid, each.verb, *each.asked, each.type, each.payload, tx.now + CLAIM_S) for each in noted]
    await tx.run_many(insert_operation, rows)


async def claim(tx: Tx, before: float, limit: int) -> list[XaOperation]:
    """Operations that are due before a Unix time, for who carries them out now."""
    return [
        XaOperation(gid, Verb(verb), Asked(*asked), type, payload, attempts, prepared)
        for gid, verb, *asked, type, payload, attempts, prepared in await tx.fetch(
            claim_operations, (before, limit, tx.now + CLAIM_S)
        )
    ]


async def postpone(tx: Tx, each: XaOperation, due_at: float) -> None:
    """Counts an attempt; the next one is due at a Unix time."""
    await tx.run(postpone_operation, (due_at, each.attempts + 1, each.gid, each.verb))


async def open_of(tx: Tx, gids: Sequence[str]) -> dict[tuple[str, Verb], Asked]:
    """What is not answered yet about these transactions; nobody else answers it before `tx` has ended."""
    rows = await tx.lock_each(open_operations, gids)
    return {(gid, Verb(verb)): Asked(*asked) for gid, verb, *asked in rows}


async def close(tx: Tx, keys: Sequence[tuple[str, Verb]]) -> None:
    await tx.run_many(remove_operation, keys)
