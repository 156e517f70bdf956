"""Where the embedded shop has its databases: files in the data folder, or a PostgreSQL server, its own or another."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from amends.adapters.sqlite import SqliteStorage
from amends.errors import StorageError
from amends.ports import Storage
from shop.app import app
from shop.settings import DATABASE, OWN_SERVER, Settings

Open = Callable[[str], Storage]


class Databases(NamedTuple):
    """`storage` gives that of a service, by name, not migrated yet; `dsn` is where it is, empty for a file."""

    storage: Open
    dsn: Callable[[str], str]


async def open_databases(settings: Settings, undo: AsyncExitStack) -> Databases:
    """Raises `StorageError`."""
    if settings.postgres:
        return await _on_server(settings, undo)
    if settings.xa:
        raise StorageError("--xa needs --postgres: only PostgreSQL has prepared transactions")
    return Databases(lambda name: SqliteStorage(settings.data / f"{name}.db", app.databases[name]), lambda _: "")


async def _on_server(settings: Settings, undo: AsyncExitStack) -> Databases:
    from amends.adapters.postgres import PostgresStorage  # noqa: PLC0415 most shops have none
    from amends.adapters.postgres.database import ensure_database  # noqa: PLC0415

    own = settings.postgres == OWN_SERVER
    dsn = await _own_server(settings.data / "postgres", undo) if own else settings.postgres
    if DATABASE not in dsn:
        raise StorageError(f"--postgres needs {DATABASE} in place of a database's name: {dsn!r} has none")
    for name in app.databases:
        await ensure_database(dsn.replace(DATABASE, name))
    at = partial(dsn.replace, DATABASE)
    return Databases(lambda name: PostgresStorage(at(name), app.databases[name], name=name), at)


async def _own_server(folder: Path, undo: AsyncExitStack) -> str:
    """A server that lives as long as this process; its data stay in the folder. Returns its DSN."""
    try:
        from tools.servers import Postgres, ServerFailed, postgres_versions  # noqa: PLC0415 only in a checkout
    except ImportError:
        raise StorageError("there is no server here to start: give the DSN of one, --postgres postgresql://…") from None
    if not (versions := postgres_versions()):
        raise StorageError("no PostgreSQL can run here: make setup brings one, or give the DSN of another")
    server = Postgres(folder, _made_by(folder) or versions[-1])
    undo.push_async_callback(server.stop)
    try:
        await server.start()
    except ServerFailed as error:
        raise StorageError(str(error)) from error
    return server.dsn(DATABASE)


def _made_by(folder: Path) -> int | None:
    """The version that the data in the folder belong to."""
    written = folder / "data" / "PG_VERSION"
    try:
        return int(written.read_text()) if written.exists() else None
    except PermissionError:  # the server's own user has made it
        return None
