"""The page `parked`: messages set aside, each key's in the order in which they came."""

from collections.abc import Sequence

import msgspec

from amends.connections import Reader, Tx
from amends.messages import Envelope
from amends.pages import Parked, SetAside

CREATE = (
    """
    create table parked (
        position bigint primary key generated always as identity,
        id text not null unique,
        message_key text not null,
        envelope bytea not null,
        error text not null,
        attempts bigint not null,
        retry_at double precision,
        parked_at double precision not null
    )
    """,
)
insert_parked = """
insert into parked (id, message_key, envelope, error, attempts, retry_at, parked_at)
values (:id, :message_key, :envelope, :error, :attempts, :retry_at, :parked_at)
on conflict (id) do nothing
"""
update_parked = """
update parked set error = :error, attempts = :attempts, retry_at = :retry_at where id = :id
"""
remove_parked = "delete from parked where id = :id"
all_parked = """
select envelope, error, attempts, retry_at, parked_at from parked order by position limit :limit
"""
count_parked = """
select
    count(*) filter (where retry_at is null and attempts > 0),
    count(*) filter (where retry_at is not null or attempts = 0)
from parked
"""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Envelope).decode


class PostgresParking:
    """The `Parking` port."""

    async def insert(self, tx: Tx, rows: Sequence[Parked]) -> None:
        values = [
            (row.envelope.id, row.envelope.key, _encode(row.envelope), _text(row.error), *row[2:]) for row in rows
        ]
        await tx.run_many(insert_parked, values)

    async def update(self, tx: Tx, row: Parked) -> None:
        await tx.run(update_parked, (_text(row.error), row.attempts, row.retry_at, row.envelope.id))

    async def remove(self, tx: Tx, ids: Sequence[str]) -> None:
        await tx.run_many(remove_parked, [(id,) for id in sorted({*ids})])

    async def all(self, tx: Reader, limit: int) -> list[Parked]:
        return [Parked(_decode(row[0]), *row[1:]) for row in await tx.fetch(all_parked, (limit,))]

    async def count(self, tx: Reader) -> SetAside:
        return SetAside(*(await tx.fetch(count_parked))[0])


def _text(error: str) -> str:
    """An error may quote the very character that PostgreSQL's text can't hold."""
    return error.replace("\0", "\\0")
