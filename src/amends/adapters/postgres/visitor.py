"""A program's databases seen from outside it: read beside its services, never created, never half-read."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from amends.adapters.postgres.pool import PoolOptions
from amends.adapters.postgres.schema import LIBRARY
from amends.adapters.postgres.storage import PostgresStorage
from amends.errors import StorageError, WrongSchema
from amends.ports import Storage
from amends.schema import Migration, missing

PLACE = "{database}"
_HAS_VERSIONS = "select 1 from pg_tables where schemaname = current_schema() and tablename = 'schema_versions'"
_VERSIONS = "select track, version from schema_versions"
_FEW = PoolOptions(connections=2, patience_s=30.0)


class PostgresVisitor:
    """Opens the databases that `databases` names; `dsn` holds `{database}` in place of their names."""

    def __init__(self, dsn: str, databases: Mapping[str, Sequence[Migration]]) -> None:
        if PLACE not in dsn:
            raise StorageError(f"the DSN needs {PLACE} in place of a database's name: {dsn!r} has none")
        self._dsn = dsn
        self._databases = databases

    @asynccontextmanager
    async def open(self) -> AsyncIterator[dict[str, Storage]]:
        """The storages by name. Raises `Unavailable`, and `WrongSchema` for another version."""
        async with AsyncExitStack() as stack:
            opened = {name: await self._open(name, stack) for name in self._databases}
            behind = [name for name, storage in opened.items() if await self._missing(name, storage)]
            if behind:
                mend = "bring them to it: amends --dsn … migrate"
                raise WrongSchema(f"{', '.join(behind)}: an older schema than this program's, or none; {mend}")
            yield dict(opened)

    def owner(self) -> str | None:
        """Services may run on any host: what is asked of them is written down, and they look."""
        return "its services"

    async def migrate(self) -> list[str]:
        """Applies what is missing; returns what was applied."""
        async with AsyncExitStack() as stack:
            opened = [await self._open(name, stack) for name in self._databases]
            return [line for storage in opened for line in await storage.migrate()]

    async def _open(self, name: str, stack: AsyncExitStack) -> PostgresStorage:
        storage = PostgresStorage(self._dsn.replace(PLACE, name), self._databases[name], name=name, options=_FEW)
        stack.push_async_callback(storage.close)
        return storage

    async def _missing(self, name: str, storage: PostgresStorage) -> bool:
        """Raises `WrongSchema` when it is newer than this program."""
        async with storage.reading() as reader:
            known = await reader.fetch(_HAS_VERSIONS)
            versions: dict[str, int] = dict(await reader.fetch(_VERSIONS)) if known else {}
        tracks = {"amends": LIBRARY, "service": self._databases[name]}
        return any(missing(name, track, versions.get(track, 0), own) for track, own in tracks.items())
