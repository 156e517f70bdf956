"""The page `outbox_events`: a row a message, for a change data capture that reads the database's log.

    put (in the transaction) ──commit──▶ log ──▶ Debezium's event router ──▶ topic `aggregatetype`, key `aggregateid`

The columns that the router knows are named as it wants them. Every other one but `put_at` is a header of the message,
as text, and empty where the message has its default (`amends.adapters.cloudevents`); `PLACEMENT` tells the router so.

Nobody reads the rows while all is well. They stay for a while, so that what a lost replication slot has swallowed can
be sent from the table.
"""

from collections.abc import Callable, Sequence

from amends.adapters.cloudevents import Binding
from amends.connections import Reader, Row, Tx, Value
from amends.messages import Envelope, MessageId
from amends.pages import Backlog
from amends.ports import Storage

TABLE = "outbox_events"
RETENTION_S = 3600.0
_PRUNE_EVERY_S = 60.0
_PRUNED_AT_ONCE = 10_000
_FIRST = MessageId("00000000-0000-0000-0000-000000000000")

HEADERS = {
    "specversion": "ce_specversion",
    "content_type": "content-type",
    "source": "ce_source",
    "time": "ce_time",
    "kind": "ce_kind",
    "saga": "ce_saga",
    "step": "ce_step",
    "operation": "ce_operation",
    "attempt": "ce_attempt",
    "epoch": "ce_epoch",
    "sender": "ce_sender",
    "outcome": "ce_outcome",
    "again": "ce_again",
    "deadline": "ce_deadline",
    "traceparent": "traceparent",
    "begun": "ce_begun",
    "shard": "ce_shard",
}
"""The header on Kafka of each column that becomes one."""

_PLACED = {"id": "ce_id", "type": "ce_type", "aggregateid": "ce_subject", **HEADERS}
PLACEMENT = ",".join(f"{column}:header:{header}" for column, header in _PLACED.items())
"""The event router's setting `table.fields.additional.placement`."""

CREATE = (
    """
    create table outbox_events (
        id uuid primary key,
        aggregatetype text not null,
        aggregateid text not null,
        type text not null,
        payload text not null,
        put_at double precision not null,
        specversion text not null,
        content_type text not null,
        source text not null,
        time text not null,
        kind text not null,
        saga text not null,
        step text not null,
        operation text not null,
        attempt text not null,
        epoch text not null,
        sender text not null,
        outcome text not null,
        again text not null,
        deadline text not null,
        traceparent text not null,
        begun text not null,
        shard text not null
    )
    """,
    "create index outbox_events_by_age on outbox_events (put_at)",
)
_COLUMNS = ("id", "aggregatetype", "aggregateid", "type", "payload", *HEADERS)
insert_event = f"""
insert into outbox_events ({", ".join(_COLUMNS)}, put_at)
values ({", ".join(f":{name}" for name in _COLUMNS)}, :put_at)
"""
events_since = f"""
select {", ".join(_COLUMNS)} from outbox_events
where put_at >= :since and id > :after
order by id
limit :limit
"""
remove_events = """
delete from outbox_events
where id in (select id from outbox_events where put_at < :before order by put_at limit :limit)
"""

_KAFKA = Binding("ce_")


class EventOutbox:
    """The `Outbox` port for a service whose messages a change data capture sends: there is never one left to send."""

    async def insert(self, tx: Tx, envelopes: Sequence[Envelope], taken: Sequence[MessageId] = ()) -> None:  # noqa: ARG002
        await tx.run_many(insert_event, [_row(each, tx.now) for each in envelopes])

    async def remove(self, tx: Tx, ids: Sequence[MessageId]) -> None:
        """They stay; `prune` removes them."""

    async def unsent(self, tx: Reader, before: float, limit: int) -> list[Envelope]:  # noqa: ARG002
        return []

    async def left_of(self, tx: Reader, firsts: Sequence[MessageId]) -> list[Envelope]:  # noqa: ARG002
        return []

    async def under_way(self, tx: Reader, firsts: Sequence[MessageId]) -> set[MessageId]:  # noqa: ARG002
        return set()

    async def claim(self, tx: Tx, before: float, limit: int) -> list[Envelope]:  # noqa: ARG002
        return []

    async def backlog(self, tx: Reader) -> Backlog:  # noqa: ARG002
        """The lag of a capture is in the database's views on replication slots, not here."""
        return Backlog(0, None)

    async def since(self, reader: Reader, since: float, limit: int, after: MessageId = _FIRST) -> list[Envelope]:
        """What was put in at or after a Unix time, by id; `after` is the last one of the page before.

        For who has to send what a lost replication slot has swallowed: consumers drop what they have seen.
        """
        return [_envelope(row) for row in await reader.fetch(events_since, (since, after, limit))]

    async def prune(self, tx: Tx, before: float) -> int:
        """Removes what was put in before a Unix time, a part at a time; returns how many."""
        return await tx.run(remove_events, (before, _PRUNED_AT_ONCE))


class Pruning:
    """A chore: removes events that are older than `retention_s` from a storage's `outbox_events`, every minute.

    Service(storage, …, chores=[Pruning(storage, storage.events, runtime.now)])
    """

    def __init__(
        self, storage: Storage, events: EventOutbox, now: Callable[[], float], retention_s: float = RETENTION_S
    ) -> None:
        self._storage = storage
        self._events = events
        self._now = now
        self._retention_s = retention_s
        self._next = 0.0

    async def __call__(self) -> int:
        now = self._now()
        if now < self._next:
            return 0
        async with self._storage.transaction(now) as tx:
            pruned = await self._events.prune(tx, now - self._retention_s)
        self._next = now if pruned == _PRUNED_AT_ONCE else now + _PRUNE_EVERY_S
        return pruned


def _row(each: Envelope, now: float) -> Sequence[Value]:
    headers = dict(_KAFKA.headers(each))
    known = (each.id, each.to, each.key, each.type, each.payload.decode())
    return (*known, *[headers.get(header, "") for header in HEADERS.values()], now)


def _envelope(row: Row) -> Envelope:
    id, to, key, type, payload, *texts = row
    headers = {"ce_id": str(id), "ce_type": type, **dict(zip(HEADERS.values(), texts, strict=True))}
    return _KAFKA.envelope(headers, to, payload.encode(), key)
