"""The page `outbox`: messages that the transport has not taken yet. The columns fit Debezium's event router."""

from collections.abc import Sequence

import msgspec

from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId
from amends.ports import Reader, Row, Tx, Value

CREATE = (
    """
    create table outbox (
        id text primary key,
        aggregatetype text not null,
        aggregateid text not null,
        type text not null,
        payload blob not null,
        headers blob not null
    ) strict, without rowid
    """,
)
insert_message = """
insert into outbox (id, aggregatetype, aggregateid, type, payload, headers)
values (:id, :aggregatetype, :aggregateid, :type, :payload, :headers)
"""
remove_messages = "delete from outbox where id in (select value from json_each(:ids))"
unsent_messages = """
select id, aggregatetype, aggregateid, type, payload, headers from outbox
where headers ->> 1 <= :before
order by id
limit :limit
"""


class Headers(msgspec.Struct, frozen=True, array_like=True):
    """What an envelope holds besides the router's columns; in the order in which it is stored."""

    kind: Kind
    at: float
    saga: SagaId
    step: str
    operation: Operation
    attempt: int
    epoch: int
    sender: str
    outcome: Outcome
    again: bool
    deadline: float | None
    traceparent: str


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Headers).decode


class SqliteOutbox:
    """The `Outbox` port."""

    async def insert(self, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        await tx.run_many(insert_message, [_row(each) for each in envelopes])

    async def remove(self, tx: Tx, ids: Sequence[MessageId]) -> None:
        await tx.run(remove_messages, (_encode(ids).decode(),))

    async def unsent(self, tx: Reader, before: float, limit: int) -> list[Envelope]:
        return [_envelope(row) for row in await tx.fetch(unsent_messages, (before, limit))]


def _row(each: Envelope) -> Sequence[Value]:
    headers = Headers(
        each.kind,
        each.at,
        each.saga,
        each.step,
        each.operation,
        each.attempt,
        each.epoch,
        each.sender,
        each.outcome,
        each.again,
        each.deadline,
        each.traceparent,
    )
    return (each.id, each.to, each.key, each.type, each.payload, _encode(headers))


def _envelope(row: Row) -> Envelope:
    id, to, key, type, payload, headers = row
    return Envelope(id=id, to=to, key=key, type=type, payload=payload, **msgspec.structs.asdict(_decode(headers)))
