"""The page `sagas`: one row an instance.

Pages are filled to a part, so that the writes of a saga's life, which seldom change an indexed column, find room beside
the row and leave the indexes alone.
"""

from collections.abc import Sequence

from amends.adapters.postgres.connection import look_up
from amends.adapters.saga_rows import COLUMNS, instance_of, packed, row_of
from amends.connections import Reader, Tx, Value
from amends.errors import Conflict
from amends.messages import SagaId
from amends.pages import Change, Instance, SagaFilter
from amends.state import Status

CREATE = (
    """
    create table sagas (
        id text primary key,
        name text not null,
        version text not null,
        status text not null
            check (status in ('running', 'compensating', 'completed', 'compensated', 'stuck')),
        input bytea not null,
        state bytea not null,
        history bytea not null,
        revision bigint not null,
        wake_at double precision,
        traceparent text not null,
        started_at double precision not null,
        shard bigint not null,
        check ((status in ('running', 'compensating')) = (wake_at is not null))
    ) with (fillfactor = 70)
    """,
    "create index sagas_due on sagas (shard, wake_at) where wake_at is not null",
    "create index sagas_stuck on sagas (id) where status = 'stuck'",
)

insert_saga = f"""
insert into sagas ({COLUMNS})
values (:id, :name, :version, :input, :state, :history, :revision, :wake_at, :traceparent, :started_at, :shard, :status)
"""
update_state = """
update sagas set state = :state, history = :history, revision = :revision
where id = :id and revision = :before
"""
update_saga = """
update sagas set state = :state, history = :history, revision = :revision, status = :status, wake_at = :wake_at
where id = :id and revision = :before
"""
load_sagas = f"select {COLUMNS} from keys join sagas on id = key"
due_sagas = f"""
select {COLUMNS} from unnest(:shards::text::bigint[]) as mine
cross join lateral (
    select * from sagas where shard = mine and wake_at <= :now order by wake_at limit :limit
) as due
order by wake_at
limit :limit
"""
_IN_FLIGHT = f"""
select {COLUMNS} from sagas where wake_at is not null %s
union all
select {COLUMNS} from sagas where status = 'stuck' %s
order by id
"""
in_flight_sagas = _IN_FLIGHT % ("", "")
in_flight_sagas_of = _IN_FLIGHT % (("and shard = any(:shards::text::bigint[])",) * 2)
count_sagas = """
select status, count(*) from sagas where wake_at is not null group by status
union all
select status, count(*) from sagas where status = 'stuck' group by status
"""
_FIND = f"""
select {COLUMNS} from sagas
where %s
    and (:status::text is null or status = :status)
    and (:name::text is null or name = :name)
    and (:started_before::float8 is null or started_at <= :started_before)
    and (:before::text is null or id < :before)
order by id desc
limit :limit
"""
find_sagas = _FIND % "true"
find_moving_sagas = _FIND % "wake_at is not null"
find_stuck_sagas = _FIND % "status = 'stuck'"


class PostgresSagas:
    """The `Sagas` port."""

    async def insert(self, tx: Tx, instances: Sequence[Instance]) -> None:
        await tx.run_many(insert_saga, [row_of(each) for each in instances])

    async def load(self, tx: Reader, ids: Sequence[SagaId]) -> dict[SagaId, Instance]:
        return {SagaId(row[0]): instance_of(row) for row in await look_up(tx, load_sagas, ids)}

    async def save(self, tx: Tx, changes: Sequence[Change]) -> None:
        """One statement for all, which locks them in the order in which they are given: two might deadlock."""
        plain = all(map(_keeps_its_index, changes))
        rows = [_written(each, plain) for each in changes]
        changed = await (tx.run_many(update_state, rows) if plain else tx.run_many(update_saga, rows))
        if changed != len(changes):
            raise Conflict(f"{len(changes) - changed} sagas were moved by somebody else: {changes[0].after.id} …")

    async def due(self, tx: Tx, shards: Sequence[int], limit: int) -> list[Instance]:
        return [instance_of(row) for row in await tx.fetch(due_sagas, (_array(shards), tx.now, limit))]

    async def in_flight(self, tx: Reader, shards: Sequence[int] | None = None) -> list[Instance]:
        if shards is None:
            rows = await tx.fetch(in_flight_sagas)
        else:
            rows = await tx.fetch(in_flight_sagas_of, (_array(shards),))
        return [instance_of(row) for row in rows]

    async def find(self, tx: Reader, wanted: SagaFilter) -> list[Instance]:
        statement = {"stuck": find_stuck_sagas, "running": find_moving_sagas, "compensating": find_moving_sagas}
        sql = statement.get(wanted.status or "", find_sagas)
        return [instance_of(row) for row in await tx.fetch(sql, wanted._asdict())]

    async def count(self, tx: Reader) -> dict[Status, int]:
        return {Status(status): count for status, count in await tx.fetch(count_sagas)}


def _keeps_its_index(change: Change) -> bool:
    before, after = change
    return after.wake_at == before.wake_at and after.state.status is before.state.status


def _written(change: Change, plain: bool) -> Sequence[Value]:
    before, after = change
    indexed: Sequence[Value] = () if plain else (after.state.status, after.wake_at)
    return (*packed(after.state), after.revision, *indexed, after.id, before.revision)


def _array(shards: Sequence[int]) -> str:
    """An array as PostgreSQL writes it: parameters are plain values."""
    return f"{{{','.join(map(str, shards))}}}"
