"""The page `outbox`: messages that the transport has not taken yet.

A row holds all messages of one transaction, as in SQLite (docs/decisions/02). Ids are in the order in which a process
put its messages in, but not in the order of commits: so rows are claimed and removed, never read behind a cursor.
"""

from collections.abc import Sequence
from functools import partial

import msgspec

from amends.adapters.postgres.connection import PostgresTx
from amends.adapters.postgres.statements import keys_named
from amends.connections import Reader, Row, Tx
from amends.messages import Envelope, MessageId
from amends.pages import Backlog

CREATE = (
    """
    create table outbox (
        id text primary key,
        put_at double precision not null,
        claimed_at double precision not null,
        count bigint not null check (count > 0),
        messages bytea not null
    )
    """,
)
insert_batch = """
insert into outbox (id, put_at, claimed_at, count, messages) values (:id, :put_at, :put_at, :count, :messages)
returning pg_current_xact_id()::text
"""
remove_batches = """
delete from outbox using (
    select id as free_id from keys join outbox on id = key for update of outbox skip locked
) as free
where id = free_id
returning id
"""
# Both in one round trip.
exchange_batches = f"""
with {keys_named("keys")},
free as (select id as free_id from keys join outbox on id = key for update of outbox skip locked),
gone as (delete from outbox using free where id = free_id returning id),
fresh as (
    insert into outbox (id, put_at, claimed_at, count, messages) values (:id, :put_at, :put_at, :count, :messages)
    returning pg_current_xact_id()::text as transaction
)
select transaction, null from fresh union all select null, id from gone
"""
unsent_batches = """
select id, messages from (
    select id, messages, sum(count) over (order by id) - count as before_it from outbox where put_at <= :before
) batches
where before_it < :limit::bigint
order by id
"""
take_turn = "select pg_advisory_xact_lock(7218304666)"
free_batches = """
select id, count from outbox
where claimed_at <= :before
    and not exists (select 1 from outbox where claimed_at > :before and claimed_at > put_at)
order by id
limit :limit
for update skip locked
"""
claim_batch = "update outbox set claimed_at = :now where id = :id"
named_batches = "select id, messages from keys join outbox on id = key order by id"
# What is not below xmax has not ended, or is of a server that another one has replaced: it may not be asked about.
open_transactions = """
select key from keys
where case
    when key::xid8 < pg_snapshot_xmax(pg_current_snapshot()) then pg_xact_status(key::xid8) = 'in progress'
    else true
end
"""
present_batches = "select id from keys join outbox on id = key"
count_batches = "select count(*), min(put_at) from outbox"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Envelope]).decode


class PostgresOutbox:
    """The `Outbox` port. Remembers which messages of each row are left; a crash forgets, and they are sent again.

    `_done` are the rows of which none is left. Several transactions of this process may try to remove them at once:
    what another one has locked is passed over instead of waited for, and stays `_done` until it is gone.
    `_transactions` are those that have put rows in, as far as nobody knows how they ended.
    """

    def __init__(self) -> None:
        self._left: dict[MessageId, int] = {}
        self._row_of: dict[MessageId, MessageId] = {}
        self._done: set[MessageId] = set()
        self._transactions: dict[MessageId, str] = {}

    async def insert(self, tx: Tx, envelopes: Sequence[Envelope], taken: Sequence[MessageId] = ()) -> None:
        row = envelopes[0].id
        values = row, tx.now, len(envelopes), _encode(envelopes)
        self._take_all_off(taken)
        if taken and self._done:
            assert isinstance(tx, PostgresTx)
            rows = await tx.fetch_sets(exchange_batches, sorted(self._done), *values)
            [transaction] = [each for each, _ in rows if each is not None]
            self._forget_after(tx, [each for _, each in rows if each is not None])
        else:
            [(transaction,)] = await tx.fetch(insert_batch, values)
        self._transactions[row] = transaction
        tx.after_commit(partial(self._remember, row, envelopes))

    async def remove(self, tx: Tx, ids: Sequence[MessageId]) -> None:
        self._take_all_off(ids)
        if self._done:
            self._forget_after(tx, [row for (row,) in await tx.fetch_each(remove_batches, sorted(self._done))])

    def _take_all_off(self, ids: Sequence[MessageId]) -> None:
        for id in ids:
            self._take_off(id)

    def _forget_after(self, tx: Tx, gone: Sequence[MessageId]) -> None:
        tx.after_commit(lambda: self._done.difference_update(gone))

    async def unsent(self, tx: Reader, before: float, limit: int) -> list[Envelope]:
        return self._left_in(await tx.fetch(unsent_batches, (before, limit)))[:limit]

    async def left_of(self, tx: Reader, firsts: Sequence[MessageId]) -> list[Envelope]:
        return self._left_in(await tx.fetch_each(named_batches, firsts))

    async def under_way(self, tx: Reader, firsts: Sequence[MessageId]) -> set[MessageId]:
        asked = {first: self._transactions[first] for first in firsts if first in self._transactions}
        open = {key for (key,) in await tx.fetch_each(open_transactions, [*asked.values()])}
        for first, transaction in asked.items():
            if transaction not in open:
                self._transactions.pop(first, None)
        return {first for first, transaction in asked.items() if transaction in open}

    async def claim(self, tx: Tx, before: float, limit: int) -> list[Envelope]:
        """Whole rows, so a few messages more than `limit`, perhaps.

        One process after the other; and none while another one has still to send what it claimed: else messages of a
        key might overtake each other.
        """
        self._done &= {row for (row,) in await tx.fetch_each(present_batches, sorted(self._done))}
        await tx.fetch(take_turn)
        rows: list[MessageId] = []
        for row, count in await tx.fetch(free_batches, (before, limit)):
            if row not in self._done and limit > 0:
                rows.append(row)
                limit -= count
        await tx.run_many(claim_batch, [(tx.now, row) for row in rows])
        return await self.left_of(tx, rows)

    async def backlog(self, tx: Reader) -> Backlog:
        return Backlog(*(await tx.fetch(count_batches))[0])

    def _left_in(self, rows: Sequence[Row]) -> list[Envelope]:
        left: list[Envelope] = []
        for row, messages in rows:
            envelopes = _decode(messages)
            if row not in self._left and row not in self._done:
                self._remember(row, envelopes)
            left += [each for each in envelopes if row in self._done or each.id in self._row_of]
        return left

    def _remember(self, row: MessageId, envelopes: Sequence[Envelope]) -> None:
        self._transactions.pop(row, None)
        self._left[row] = len(envelopes)
        self._row_of.update(dict.fromkeys([each.id for each in envelopes], row))

    def _take_off(self, id: MessageId) -> None:
        """That it was taken is true, whatever becomes of the transaction."""
        row = self._row_of.pop(id, None)
        if row is not None:
            self._left[row] -= 1
            if not self._left[row]:
                del self._left[row]
                self._done.add(row)
