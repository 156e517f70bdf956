"""The pages `inbox` (the barrier) and `epochs` (the highest seen of each coordinator)."""

from collections.abc import Mapping, Sequence

import apsw
import msgspec

from amends.connections import Reader, Tx, Value
from amends.errors import Conflict
from amends.messages import Envelope, Operation, Outcome
from amends.pages import BarrierKey, BarrierRow, Seen

CREATE = (
    """
    create table inbox (
        saga text not null,
        step text not null,
        operation text not null check (operation in ('action', 'compensation')),
        outcome text check (outcome in ('done', 'refused')),
        type text not null,
        payload blob not null,
        primary key (saga, step, operation)
    ) strict, without rowid
    """,
    "create table epochs (coordinator text primary key, epoch integer not null) strict, without rowid",
)
insert_operation = """
insert into inbox (saga, step, operation, outcome, type, payload)
values (:saga, :step, :operation, :outcome, :type, :payload)
"""
replace_operation = """
update inbox set outcome = :outcome, type = :type, payload = :payload
where saga = :saga and step = :step and operation = :operation
"""
known_operations = """
select saga, step, operation, outcome, type, payload from keys cross join inbox on saga = key
"""
epochs_seen = "select coordinator, epoch from keys cross join epochs on coordinator = key"
raise_epoch = """
insert into epochs (coordinator, epoch) values (:coordinator, :epoch)
on conflict (coordinator) do update set epoch = max(epoch, excluded.epoch)
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode
_OPERATIONS = {each.value: each for each in Operation}
_OUTCOMES = {each.value: each for each in Outcome}


class SqliteInbox:
    """The `Inbox` port."""

    async def known(self, tx: Reader, sagas: Sequence[str]) -> dict[BarrierKey, BarrierRow]:
        found = {}
        for saga, step, operation, outcome, type, payload in await tx.fetch_each(known_operations, sagas):
            ask = _decode(payload) if outcome is None else None
            row = BarrierRow(_OUTCOMES.get(outcome), type, b"" if ask else payload, ask)
            found[BarrierKey(saga, step, _OPERATIONS[operation])] = row
        return found

    async def insert(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        try:
            await tx.run_many(insert_operation, [(*key, row.outcome, row.type, _kept(row)) for key, row in rows])
        except apsw.ConstraintError as error:
            raise Conflict(f"an operation was seen already: {error}") from error

    async def replace(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        values: list[Sequence[Value]] = [(row.outcome, row.type, _kept(row), *key) for key, row in rows]
        await tx.run_many(replace_operation, values)

    async def seen(self, tx: Tx, coordinators: Sequence[str], sagas: Sequence[str]) -> Seen:
        rows: list[tuple[str, int]] = await tx.fetch_each(epochs_seen, coordinators)
        return Seen(dict(rows), await self.known(tx, sagas))

    async def raise_epochs(self, tx: Tx, epochs: Mapping[str, int]) -> None:
        await tx.run_many(raise_epoch, sorted(epochs.items()))


def _kept(row: BarrierRow) -> bytes:
    """A pending operation keeps the command instead of the reply."""
    return row.payload if row.ask is None else _encode(row.ask)
