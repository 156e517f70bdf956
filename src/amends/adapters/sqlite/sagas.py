"""The page `sagas`: one row an instance.

A table with row ids: in one without them a row as wide as these spills into a page of its own.
"""

from collections.abc import Sequence

import msgspec

from amends.connections import Reader, Row, Tx, Value
from amends.errors import Conflict
from amends.history import History
from amends.messages import SagaId
from amends.pages import Change, Instance, SagaFilter
from amends.state import SagaState, Status, StepState

CREATE = (
    """
    create table sagas (
        id text primary key,
        name text not null,
        version text not null,
        status text not null
            check (status in ('running', 'compensating', 'completed', 'compensated', 'stuck')),
        input blob not null,
        state blob not null,
        history blob not null,
        revision integer not null,
        wake_at real,
        traceparent text not null,
        started_at real not null,
        check ((status in ('running', 'compensating')) = (wake_at is not null))
    ) strict
    """,
    "create index sagas_due on sagas (wake_at) where wake_at is not null",
    "create index sagas_stuck on sagas (id) where status = 'stuck'",
)
SHARDS = ("alter table sagas add column shard integer not null default 0",)
_COLUMNS = "id, name, version, input, state, history, revision, wake_at, traceparent, started_at, shard, status"

insert_saga = """
insert into sagas
    (id, name, version, status, input, state, history, revision, wake_at, traceparent, started_at, shard)
values
    (:id, :name, :version, :status, :input, :state, :history, :revision, :wake_at, :traceparent, :started_at, :shard)
"""
update_state = """
update sagas set state = :state, history = :history, revision = :revision
where id = :id and revision = :before
"""
update_saga = """
update sagas set state = :state, history = :history, revision = :revision, status = :status, wake_at = :wake_at
where id = :id and revision = :before
"""
load_sagas = f"select {_COLUMNS} from keys cross join sagas on id = key"
due_sagas = f"""
select {_COLUMNS} from sagas
where wake_at <= :now and shard in (select value from json_each(:shards))
order by wake_at
limit :limit
"""
in_flight_sagas = f"""
select {_COLUMNS} from sagas where wake_at is not null
union all
select {_COLUMNS} from sagas where status = 'stuck'
order by id
"""
count_sagas = """
select status, count(*) from sagas where wake_at is not null group by status
union all
select status, count(*) from sagas where status = 'stuck' group by status
"""
_FIND = f"""
select {_COLUMNS} from sagas
where %s
    and (:status is null or status = :status)
    and (:name is null or name = :name)
    and (:started_before is null or started_at <= :started_before)
    and (:before is null or id < :before)
order by id desc
limit :limit
"""
find_sagas = _FIND % "true"
find_moving_sagas = _FIND % "wake_at is not null"
find_stuck_sagas = _FIND % "status = 'stuck'"


class Stored(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The column `state`: a `SagaState` without its history and its status, in msgpack."""

    backward: bool
    group: int
    deadline: float
    cause: str
    steps: tuple[StepState, ...]


_json = msgspec.json.Encoder().encode
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode
_STATUS = {status.value: status for status in Status}


class SqliteSagas:
    """The `Sagas` port."""

    async def insert(self, tx: Tx, instances: Sequence[Instance]) -> None:
        await tx.run_many(insert_saga, [_row(each) for each in instances])

    async def load(self, tx: Reader, ids: Sequence[SagaId]) -> dict[SagaId, Instance]:
        return {SagaId(row[0]): _instance(row) for row in await tx.fetch_each(load_sagas, ids)}

    async def save(self, tx: Tx, changes: Sequence[Change]) -> None:
        plain: list[Sequence[Value]] = []
        indexed: list[Sequence[Value]] = []
        for before, after in changes:
            state, history, status = *_packed(after.state), after.state.status
            if after.wake_at == before.wake_at and status is before.state.status:
                plain.append((state, history, after.revision, after.id, before.revision))
            else:
                indexed.append((state, history, after.revision, status, after.wake_at, after.id, before.revision))
        changed = await tx.run_many(update_state, plain) + await tx.run_many(update_saga, indexed)
        if changed != len(changes):
            raise Conflict(f"{len(changes) - changed} sagas were moved by somebody else: {changes[0].after.id} …")

    async def due(self, tx: Tx, shards: Sequence[int], limit: int) -> list[Instance]:
        return [_instance(row) for row in await tx.fetch(due_sagas, (tx.now, _json(shards).decode(), limit))]

    async def in_flight(self, tx: Reader, shards: Sequence[int] | None = None) -> list[Instance]:
        found = [_instance(row) for row in await tx.fetch(in_flight_sagas)]
        return found if shards is None else [each for each in found if each.shard in shards]

    async def find(self, tx: Reader, wanted: SagaFilter) -> list[Instance]:
        statement = {"stuck": find_stuck_sagas, "running": find_moving_sagas, "compensating": find_moving_sagas}
        sql = statement.get(wanted.status or "", find_sagas)
        return [_instance(row) for row in await tx.fetch(sql, wanted._asdict())]

    async def count(self, tx: Reader) -> dict[Status, int]:
        return {_STATUS[status]: count for status, count in await tx.fetch(count_sagas)}


def _row(each: Instance) -> Sequence[Value]:
    return (
        each.id,
        each.name,
        each.version,
        each.state.status,
        each.input,
        *_packed(each.state),
        each.revision,
        each.wake_at,
        each.traceparent,
        each.started_at,
        each.shard,
    )


def _packed(state: SagaState) -> tuple[bytes, bytes]:
    stored = Stored(state.backward, state.group, state.deadline, state.cause, state.steps)
    return _encode(stored), state.history.pack()


def _instance(row: Row) -> Instance:
    id, name, version, input, state, history, revision, wake_at, traceparent, started_at, shard, status = row
    stored = _decode(state)
    value = SagaState(
        _STATUS[status],
        stored.backward,
        stored.group,
        stored.deadline,
        stored.cause,
        stored.steps,
        History(history),
    )
    return Instance(id, name, version, input, value, revision, wake_at, traceparent, started_at, shard)
