"""The page `mends`: operators' actions, asked for and recorded."""

from amends.connections import Reader, Tx
from amends.messages import SagaId
from amends.pages import Mend

CREATE = (
    """
    create table mends (
        id text primary key,
        saga text not null,
        step text not null,
        action text not null check (action in ('cancel', 'retry', 'skip', 'resolve')),
        who text not null check (who <> ''),
        why text not null check (why <> ''),
        asked_at double precision not null,
        applied_at double precision,
        result text not null
    )
    """,
    "create index mends_of_saga on mends (saga)",
    "create index mends_waiting on mends (id) where applied_at is null",
)
_COLUMNS = "id, saga, step, action, who, why, asked_at, applied_at, result"

insert_mend = f"""
insert into mends ({_COLUMNS})
values (:id, :saga, :step, :action, :who, :why, :asked_at, :applied_at, :result)
"""
waiting_mends = f"select {_COLUMNS} from mends where applied_at is null order by id limit :limit"
close_mend = "update mends set applied_at = :now, result = :result where id = :id"
mends_of_saga = f"select {_COLUMNS} from mends where saga = :saga order by id"


class PostgresMends:
    """The `Mends` port."""

    async def insert(self, tx: Tx, mend: Mend) -> None:
        await tx.run(insert_mend, mend)

    async def waiting(self, tx: Reader, limit: int) -> list[Mend]:
        return [Mend(*row) for row in await tx.fetch(waiting_mends, (limit,))]

    async def close(self, tx: Tx, id: str, result: str) -> None:
        await tx.run(close_mend, (tx.now, result, id))

    async def of_saga(self, tx: Reader, saga: SagaId) -> list[Mend]:
        return [Mend(*row) for row in await tx.fetch(mends_of_saga, (saga,))]
