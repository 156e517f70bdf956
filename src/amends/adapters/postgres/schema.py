"""Brings a PostgreSQL database to the schema of this program."""

from collections.abc import Sequence

from amends.adapters.postgres import (
    heartbeat,
    idempotency_keys,
    inbox,
    leases,
    mends,
    outbox,
    outbox_events,
    parked,
    sagas,
)
from amends.adapters.postgres.connection import PostgresTx, Sets
from amends.adapters.postgres.failures import asked
from amends.adapters.postgres.pool import Connections
from amends.adapters.postgres.transaction import Transaction
from amends.errors import StorageError
from amends.schema import Migration, missing

_PAGES = (sagas, outbox, outbox_events, inbox, leases, parked, idempotency_keys, mends)
LIBRARY = (
    Migration(1, "amends", tuple(statement for page in _PAGES for statement in page.CREATE)),
    Migration(2, "heartbeat", heartbeat.CREATE),
)

# A number of our own: whoever migrates this database holds it.
_TURN = "select pg_advisory_xact_lock(7218304665)"
_PATIENCE = "set local lock_timeout = '10min'"
_SORTED = "select 'Z' < 'a' and 'z' < '~' and '-' < '0'"
_CREATE = "create table if not exists schema_versions (track text primary key, version bigint not null)"
_READ = "select version from schema_versions where track = :track"
_WRITE = """
insert into schema_versions (track, version) values (:track, :version)
on conflict (track) do update set version = excluded.version
"""
_MOST_S = 3600.0


async def migrate(
    connections: Connections, database: str, own: Sequence[Migration], track: str = "service"
) -> list[str]:
    """Applies what is missing of the library's schema and of the service's own, in one transaction.

    One process at a time: others wait, and find nothing to do. Raises `WrongSchema`, and `StorageError` for a database
    that sorts text otherwise than by code points.
    """
    async with Transaction(connections, Sets(), now=0.0) as tx:
        await _check_order(tx, database)
        for statement in (_PATIENCE, _TURN, _CREATE):
            await _execute(tx, statement)
        return await _apply(tx, database, own, track)


async def _apply(tx: PostgresTx, database: str, own: Sequence[Migration], own_track: str) -> list[str]:
    applied: list[str] = []
    for track, migrations in (("amends", LIBRARY), (own_track, own)):
        rows = await tx.fetch(_READ, (track,))
        for migration in missing(database, track, rows[0][0] if rows else 0, migrations):
            for statement in migration.statements:
                await _execute(tx, statement)
            await tx.run(_WRITE, (track, migration.number))
            applied.append(f"{database}: {track} {migration.number} {migration.name}")
    return applied


async def _execute(tx: PostgresTx, statement: str) -> None:
    """As it is, and for as long as it takes: an index on a large table needs its time."""
    await asked(tx.connection, tx.connection.execute, statement, timeout=_MOST_S)


async def _check_order(tx: PostgresTx, database: str) -> None:
    """Pages go on behind the last id seen, and keys are locked in their order: both as Python sorts."""
    [(sorted_by_code_points,)] = await tx.fetch(_SORTED)
    if not sorted_by_code_points:
        mend = "create it with `template template0 locale 'C'`, as `ensure_database` does"
        raise StorageError(f"database {database!r} sorts text by a language's rules: {mend}")
