"""A data folder seen from a process that does not own it: read beside its owner, never created, never half-read."""

import fcntl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import apsw

from amends.adapters.sqlite import schema
from amends.adapters.sqlite.connection import connect
from amends.adapters.sqlite.folder import DataFolder
from amends.adapters.sqlite.storage import SqliteStorage
from amends.errors import StorageError, WrongSchema
from amends.ports import Storage
from amends.schema import Migration, missing

_HAS_VERSIONS = "select 1 from sqlite_schema where name = 'schema_versions'"


class Visitor:
    """Opens the databases that `databases` names, each with its own migrations, in the data folder `folder`."""

    def __init__(self, folder: Path, databases: Mapping[str, Sequence[Migration]]) -> None:
        self.folder = folder
        self._databases = databases

    @asynccontextmanager
    async def open(self) -> AsyncIterator[dict[str, Storage]]:
        """The storages by name. Raises `StorageError` for a missing folder, `WrongSchema` for another version."""
        self._check_folder()
        behind = [name for name in self._databases if self._missing(name)]
        if behind:
            mend = f"stop the program and run `amends --data {self.folder} migrate`"
            raise WrongSchema(f"{', '.join(behind)} in {self.folder}: an older schema than this program's; {mend}")
        storages = {name: SqliteStorage(self._path(name), own) for name, own in self._databases.items()}
        try:
            yield dict(storages)
        finally:
            for storage in storages.values():
                await storage.close()

    def owner(self) -> str | None:
        """The process that owns the folder, or None."""
        path = self.folder / "lock"
        if not path.exists():
            return None
        with path.open() as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return lock.read().strip() or "unknown"
        return None

    async def migrate(self) -> list[str]:
        """Applies what is missing; returns what was applied. Raises `InUse`, and `WrongSchema` before any change."""
        self._check_folder()
        folder = DataFolder(self.folder)
        folder.open()
        try:
            behind = [name for name in self._databases if self._missing(name)]
            return [line for name in behind for line in await self._migrate(name)]
        finally:
            folder.close()

    async def _migrate(self, name: str) -> list[str]:
        storage = SqliteStorage(self._path(name), self._databases[name])
        try:
            return await storage.migrate()
        finally:
            await storage.close()

    def _missing(self, name: str) -> list[Migration]:
        """Migrations that a database lacks. Raises `WrongSchema` when it is newer than this program."""
        versions = self._versions(name)
        tracks = {"amends": schema.LIBRARY, "service": self._databases[name]}
        return [each for track, known in tracks.items() for each in missing(name, track, versions.get(track, 0), known)]

    def _versions(self, name: str) -> dict[str, int]:
        path = self._path(name)
        if not path.exists():
            return {}
        try:
            connection = connect(path, readonly=True)
            try:
                known = connection.execute(_HAS_VERSIONS).fetchall()
                return dict(connection.execute("select track, version from schema_versions")) if known else {}
            finally:
                connection.close()
        except (apsw.NotADBError, apsw.CantOpenError, apsw.ReadOnlyError, apsw.BusyError) as error:
            needed = "it has to be a SQLite file, in a folder that you may write"
            raise StorageError(f"{path} can't be opened ({error}): {needed}") from error

    def _check_folder(self) -> None:
        if not any(self._path(name).exists() for name in self._databases):
            mend = "give one with --data, or start the program there first"
            raise StorageError(f"no data folder with databases of this program at {self.folder}: {mend}")

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.db"
