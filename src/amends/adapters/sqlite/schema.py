"""Brings a SQLite file to the schema of this program."""

from collections.abc import Sequence

import apsw

from amends.adapters.sqlite import idempotency_keys, inbox, leases, mends, outbox, parked, sagas
from amends.schema import Migration, missing

_PAGES = (sagas, outbox, inbox, leases, parked, idempotency_keys, mends)
LIBRARY = (
    Migration(1, "amends", tuple(statement for page in _PAGES for statement in page.CREATE)),
    Migration(2, "shards", sagas.SHARDS),
)

_CREATE = "create table if not exists schema_versions (track text primary key, version integer not null) strict"
_READ = "select version from schema_versions where track = :track"
_WRITE = """
insert into schema_versions (track, version) values (:track, :version)
on conflict (track) do update set version = excluded.version
"""


def migrate(connection: apsw.Connection, database: str, own: Sequence[Migration]) -> list[str]:
    """Applies what is missing of the library's schema and of the service's own, in one transaction."""
    connection.execute("begin immediate")
    try:
        applied = _apply(connection, database, own)
        connection.execute("commit")
    except BaseException:
        if connection.in_transaction:  # the database itself rolls back what the disk has failed
            connection.execute("rollback")
        raise
    return applied


def _apply(connection: apsw.Connection, database: str, own: Sequence[Migration]) -> list[str]:
    applied: list[str] = []
    connection.execute(_CREATE)
    for track, migrations in (("amends", LIBRARY), ("service", own)):
        version = next(connection.execute(_READ, {"track": track}), (0,))[0]
        for migration in missing(database, track, version, migrations):
            for statement in migration.statements:
                connection.execute(_native(statement))
            connection.execute(_WRITE, {"track": track, "version": migration.number})
            applied.append(f"{database}: {track} {migration.number} {migration.name}")
    return applied


def _native(statement: str) -> str:
    """A table with a primary key is kept in its order, without a second tree for row ids."""
    text = statement.strip()
    lower = text.lower()
    table = lower.startswith("create table") and "primary key" in lower and "integer primary key" not in lower
    return f"{text} without rowid" if table and text.endswith(")") else text
