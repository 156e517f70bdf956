"""The page `leases`: who coordinates, with an epoch that only grows."""

from amends.connections import Reader, Tx

CREATE = (
    """
    create table leases (
        name text primary key,
        holder text not null,
        epoch integer not null,
        acquired_at real not null
    ) strict, without rowid
    """,
)
acquire_lease = """
insert into leases (name, holder, epoch, acquired_at) values (:name, :holder, 1, :now)
on conflict (name) do update
set holder = excluded.holder, epoch = epoch + 1, acquired_at = excluded.acquired_at
returning epoch
"""
lease_epoch = "select epoch from leases where name = :name"


class SqliteLeases:
    """The `Leases` port."""

    async def acquire(self, tx: Tx, name: str, holder: str) -> int:
        rows = await tx.fetch(acquire_lease, {"name": name, "holder": holder, "now": tx.now})
        return int(rows[0][0])

    async def epoch(self, tx: Reader, name: str) -> int:
        rows = await tx.fetch(lease_epoch, (name,))
        return int(rows[0][0]) if rows else 0
