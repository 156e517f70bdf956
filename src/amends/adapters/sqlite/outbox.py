"""The page `outbox`: messages that the transport has not taken yet.

Here a row holds all messages of one transaction: written once and deleted once, it costs a fraction of a row a message
(docs/decisions). Nobody but this process reads it, so it needs no columns for a change data capture.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

import msgspec

from amends.connections import Reader, Row, Tx
from amends.messages import Envelope, MessageId
from amends.pages import Backlog

CREATE = (
    """
    create table outbox (
        id text primary key,
        put_at real not null,
        messages blob not null
    ) strict
    """,
)
insert_batch = "insert into outbox (id, put_at, messages) values (:id, :put_at, :messages)"
remove_batches = "delete from outbox where id in (select value from json_each(:ids))"
unsent_batches = "select id, messages from outbox where put_at <= :before order by id limit :limit"
named_batches = "select id, messages from keys cross join outbox on id = key order by id"
count_batches = "select count(*), min(put_at) from outbox"

_json = msgspec.json.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Envelope]).decode


class SqliteOutbox:
    """The `Outbox` port. Remembers which messages of each row are left; a crash forgets, and they are sent again."""

    def __init__(self) -> None:
        self._left: dict[MessageId, int] = {}
        self._row_of: dict[MessageId, MessageId] = {}

    async def insert(self, tx: Tx, envelopes: Sequence[Envelope], taken: Sequence[MessageId] = ()) -> None:
        if taken:
            await self.remove(tx, taken)
        row = envelopes[0].id
        await tx.run(insert_batch, (row, tx.now, _encode(envelopes)))
        tx.after_commit(partial(self._remember, row, envelopes))

    async def remove(self, tx: Tx, ids: Sequence[MessageId]) -> None:
        fresh = [id for id in dict.fromkeys(ids) if id in self._row_of]
        gone = Counter([self._row_of[id] for id in fresh])
        done = [row for row, count in gone.items() if count == self._left[row]]
        if done:
            await tx.run(remove_batches, (_json(done).decode(),))
        tx.after_commit(partial(self._forget, fresh))

    async def unsent(self, tx: Reader, before: float, limit: int) -> list[Envelope]:
        return self._left_in(await tx.fetch(unsent_batches, (before, limit)))[:limit]

    async def left_of(self, tx: Reader, firsts: Sequence[MessageId]) -> list[Envelope]:
        return self._left_in(await tx.fetch_each(named_batches, firsts))

    async def under_way(self, tx: Reader, firsts: Sequence[MessageId]) -> set[MessageId]:  # noqa: ARG002
        """A commit ends here before anybody can look."""
        return set()

    async def claim(self, tx: Tx, before: float, limit: int) -> list[Envelope]:
        """No other process opens this file."""
        return await self.unsent(tx, before, limit)

    async def backlog(self, tx: Reader) -> Backlog:
        return Backlog(*(await tx.fetch(count_batches))[0])

    def _left_in(self, rows: Sequence[Row]) -> list[Envelope]:
        left: list[Envelope] = []
        for row, messages in rows:
            envelopes = _decode(messages)
            if row not in self._left:
                self._remember(row, envelopes)
            left += [each for each in envelopes if each.id in self._row_of]
        return left

    def _remember(self, row: MessageId, envelopes: Sequence[Envelope]) -> None:
        self._left[row] = len(envelopes)
        self._row_of.update(dict.fromkeys([each.id for each in envelopes], row))

    def _forget(self, ids: Sequence[MessageId]) -> None:
        """May be told the same twice, by two removals in one transaction."""
        for id in ids:
            row = self._row_of.pop(id, None)
            if row is not None:
                self._left[row] -= 1
                if not self._left[row]:
                    del self._left[row]
