"""Where a world is: its databases, its transport. As plain data, so that another process can open the same one."""

import os
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from amends.adapters.sqlite import SqliteStorage
from amends.comparison import Comparison
from amends.connections import Reader
from amends.ports import Storage
from amends.schema import Migration

PLACE = "{database}"
INPROCESS, HTTP, KAFKA = "inprocess", "http", "kafka"


class Where(msgspec.Struct, frozen=True, kw_only=True):
    """`over` is the transport. Databases are files in `folder`, or, with a DSN in `postgres`, `<prefix><name>` there.

    `kafka` is a broker's `host:port`; `prefix` also begins the names of topics.
    """

    over: str
    folder: str
    prefix: str
    postgres: str = ""
    kafka: str = ""

    def dsn(self, name: str) -> str:
        return self.postgres.replace(PLACE, f"{self.prefix}{name}")

    async def make(self, names: Iterable[str]) -> None:
        """Databases and a folder, unless they are there."""
        os.makedirs(self.folder, exist_ok=True)
        if self.postgres:
            from amends.adapters.postgres import ensure_database  # noqa: PLC0415 its driver is optional

            for name in names:
                await ensure_database(self.dsn(name))

    async def drop(self, comparison: Comparison) -> None:
        """Databases and topics; what is in the folder goes with it."""
        if self.postgres:
            from amends.adapters.postgres.database import drop_database  # noqa: PLC0415 its driver is optional

            for name in comparison.databases:
                await drop_database(self.dsn(name))
        if self.over == KAFKA:
            from amends.adapters.kafka import KafkaSettings, delete_topics  # noqa: PLC0415 its driver is optional

            settings = KafkaSettings(bootstrap=self.kafka, prefix=self.prefix)
            await delete_topics(settings, addresses(comparison))

    def storage(self, name: str, migrations: Sequence[Migration] = ()) -> Storage:
        if not self.postgres:
            return SqliteStorage(Path(self.folder) / f"{name}.db", migrations)
        from amends.adapters.postgres import PostgresStorage  # noqa: PLC0415 its driver is optional

        return PostgresStorage(self.dsn(name), migrations, name=name)

    @asynccontextmanager
    async def storages(self, names: Iterable[str]) -> AsyncIterator[dict[str, Storage]]:
        """The databases of a world, seen from beside it."""
        async with AsyncExitStack() as stack:
            opened = {name: self.storage(name) for name in names}
            for storage in opened.values():
                stack.push_async_callback(storage.close)
            yield opened


@asynccontextmanager
async def reading(storages: Mapping[str, Storage]) -> AsyncIterator[dict[str, Reader]]:
    """A snapshot of each."""
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}


def addresses(comparison: Comparison) -> list[str]:
    """What needs a topic."""
    heard = {topic for each in comparison.participants.values() for topic in each.topics}
    return [*comparison.databases, f"{comparison.coordinator}.coordinator", *sorted(heard)]
