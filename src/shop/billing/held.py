"""The page `expiring_holds`: until when money is held for those who have not captured or released it.

Only the time is kept here; what becomes of a hold is in `holds`. A hold that was settled in time loses its row when
that has come.
"""

from collections.abc import Sequence

from amends import Migration, Tx
from amends.connections import Reader

MIGRATION = Migration(
    3,
    "expiring holds",
    (
        """
        create table expiring_holds (
            hold_id text primary key references holds (id),
            expires_at double precision not null
        )
        """,
        "create index expiring_holds_by_time on expiring_holds (expires_at)",
    ),
)

insert_expiring = """
insert into expiring_holds (hold_id, expires_at)
values (:hold_id, :expires_at)
on conflict (hold_id) do nothing
"""
select_expired = """
select hold_id from expiring_holds
where expires_at <= :now
order by expires_at
limit :limit
"""
delete_expiring = "delete from expiring_holds where hold_id = :hold_id"


async def insert_expiry(tx: Tx, expires_at: Sequence[tuple[str, float]]) -> None:
    """Holds, each with the Unix time at which it expires."""
    await tx.run_many(insert_expiring, expires_at)


async def expired(reader: Reader, now: float, limit: int) -> list[str]:
    """The holds whose time has come, the earliest first."""
    return [row[0] for row in await reader.fetch(select_expired, (now, limit))]


async def delete_expiry(tx: Tx, hold_ids: Sequence[str]) -> None:
    await tx.run_many(delete_expiring, [(id,) for id in sorted(hold_ids)])
