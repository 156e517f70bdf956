"""The page `leases`: who coordinates, with an epoch that only grows."""

from collections.abc import Sequence

from amends.connections import Reader, Tx

CREATE = (
    """
    create table leases (
        name text primary key,
        holder text not null,
        epoch bigint not null,
        acquired_at double precision not null
    )
    """,
)
acquire_lease = """
insert into leases (name, holder, epoch, acquired_at) values (:name, :holder, 1, :now)
on conflict (name) do update
set holder = excluded.holder, epoch = leases.epoch + 1, acquired_at = excluded.acquired_at
returning epoch
"""
lease_epochs = "select name, epoch from keys join leases on name = key"
hold_leases = f"{lease_epochs} order by name for share"


class PostgresLeases:
    """The `Leases` port. Holders share their row's lock; who takes it over waits until none of them has it."""

    async def acquire(self, tx: Tx, names: Sequence[str], holder: str) -> dict[str, int]:
        return {name: (await tx.fetch(acquire_lease, (name, holder, tx.now)))[0][0] for name in sorted(names)}

    async def epochs(self, tx: Reader, names: Sequence[str]) -> dict[str, int]:
        rows: list[tuple[str, int]] = await tx.fetch_each(lease_epochs, names)
        return dict(rows)

    async def hold(self, tx: Tx, names: Sequence[str]) -> dict[str, int]:
        rows: list[tuple[str, int]] = await tx.fetch_each(hold_leases, names)
        return dict(rows)
