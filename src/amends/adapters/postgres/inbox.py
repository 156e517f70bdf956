"""The pages `inbox` (the barrier) and `epochs` (the highest seen of each coordinator)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from amends.adapters.postgres.connection import PostgresTx, look_up
from amends.adapters.postgres.statements import keys_named
from amends.connections import Reader, Tx, Value
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
        payload bytea not null,
        primary key (saga, step, operation)
    )
    """,
    "create table epochs (coordinator text primary key, epoch bigint not null)",
)
insert_operation = """
insert into inbox (saga, step, operation, outcome, type, payload)
values (:saga, :step, :operation, :outcome, :type, :payload)
"""
replace_operation = """
update inbox set outcome = :outcome, type = :type, payload = :payload
where saga = :saga and step = :step and operation = :operation
"""
known_operations = "select saga, step, operation, outcome, type, payload from keys join inbox on saga = key"
# Two questions in one round trip.
seen_of_both = f"""
with {keys_named("coordinators")}, {keys_named("sagas")},
operations as (
    select saga, step, operation, outcome, type, payload from sagas join inbox on saga = key
    order by sagas.key collate "C" for no key update
)
select coordinator, epoch, null, null, null, null, null, null::bytea
from coordinators join epochs on coordinator = key
union all
select null, null, saga, step, operation, outcome, type, payload from operations
"""
raise_epoch = """
insert into epochs (coordinator, epoch) values (:coordinator, :epoch)
on conflict (coordinator) do update set epoch = greatest(epochs.epoch, excluded.epoch)
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode
_OPERATIONS = {each.value: each for each in Operation}
_OUTCOMES = {each.value: each for each in Outcome}


class PostgresInbox:
    """The `Inbox` port."""

    async def known(self, tx: Reader, sagas: Sequence[str]) -> dict[BarrierKey, BarrierRow]:
        return _barrier(await look_up(tx, known_operations, sagas))

    async def insert(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        await tx.run_many(insert_operation, [(*key, row.outcome, row.type, _kept(row)) for key, row in rows])

    async def replace(self, tx: Tx, rows: Sequence[tuple[BarrierKey, BarrierRow]]) -> None:
        values: list[Sequence[Value]] = [(row.outcome, row.type, _kept(row), *key) for key, row in rows]
        await tx.run_many(replace_operation, values)

    async def seen(self, tx: Tx, coordinators: Sequence[str], sagas: Sequence[str]) -> Seen:
        assert isinstance(tx, PostgresTx)
        epochs, operations = {}, []
        for coordinator, epoch, *operation in await tx.fetch_sets(seen_of_both, [*coordinators], sorted({*sagas})):
            if coordinator is None:
                operations.append(operation)
            else:
                epochs[coordinator] = epoch
        return Seen(epochs, _barrier(operations))

    async def raise_epochs(self, tx: Tx, epochs: Mapping[str, int]) -> None:
        await tx.run_many(raise_epoch, sorted(epochs.items()))


def _barrier(rows: Iterable[Sequence[Any]]) -> dict[BarrierKey, BarrierRow]:
    found = {}
    for saga, step, operation, outcome, type, payload in rows:
        ask = _decode(payload) if outcome is None else None
        row = BarrierRow(_OUTCOMES.get(outcome), type, b"" if ask else payload, ask)
        found[BarrierKey(saga, step, _OPERATIONS[operation])] = row
    return found


def _kept(row: BarrierRow) -> bytes:
    """A pending operation keeps the command instead of the reply."""
    return row.payload if row.ask is None else _encode(row.ask)
