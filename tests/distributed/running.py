"""The distributed shop of a session, as tests see it: its edges, its processes, and what its databases say."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

import asyncpg

from tests.system.people import Document
from tools.distributed import Distributed
from tools.distributed.service import ServiceProcess

PATIENCE_S = 60.0
_POLL_S = 0.05
_GONE = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Edge(NamedTuple):
    """A `Shop` for whoever uses it: the API of one process of orders, and the other edges."""

    addresses: Mapping[str, str]
    token: str


class RunningShop:
    """Two processes of orders, of billing and of the warehouse, one of every other service. A `Shop` itself."""

    def __init__(self, servers: Distributed) -> None:
        self.servers = servers
        self.services = servers.services
        self.proxies = servers.proxies
        self.folder = servers.folder
        self.addresses: Mapping[str, str] = servers.addresses
        self.token = servers.operator_token
        self.known: set[str] = set()
        """What tests have done on purpose that needs a person."""
        self._connections: dict[str, asyncpg.Connection[asyncpg.Record]] = {}

    @property
    def copies(self) -> list[ServiceProcess]:
        """The processes of orders."""
        return [each for each in self.services.values() if each.room == "orders"]

    def edge(self, name: str) -> Edge:
        """The shop with the API of this process of orders."""
        served: dict[str, str] = json.loads(self.services[name].addresses.read_text())
        return Edge({**self.addresses, "api": served["api"]}, self.token)

    async def counts(self, database: str, sql: str, *arguments: object) -> dict[str, int]:
        """Rows of a name and a number."""
        return {row[0]: row[1] for row in await self.rows(database, sql, *arguments)}

    async def rows(self, database: str, sql: str, *arguments: object) -> list[asyncpg.Record]:
        """What a database says, asked directly; on a new connection when its server was away."""
        for patience in (True, False):
            try:
                connection = self._connections.get(database)
                if connection is None or connection.is_closed():
                    connection = self._connections[database] = await asyncpg.connect(
                        self.servers.postgres.dsn(database)
                    )
                return await connection.fetch(sql, *arguments)
            except _GONE:
                self._connections.pop(database, None)
                if not patience:
                    raise
        raise AssertionError("unreachable")

    async def value(self, database: str, sql: str, *arguments: object) -> Any:
        """The only value of the only row."""
        [(value,)] = await self.rows(database, sql, *arguments)
        return value

    async def ready(self) -> None:
        """Every process can do its work."""
        await asyncio.gather(*(eventually(each.is_ready) for each in self.services.values()))

    async def close(self) -> None:
        for connection in self._connections.values():
            connection.terminate()

    async def order(self, id: str) -> Document:
        """An order as it is in the database."""
        [row] = await self.rows("orders", "select id, status, reason, cancel_saga from orders where id = $1", id)
        return dict(row)


async def eventually(holds: Callable[[], Awaitable[bool]], patience_s: float = PATIENCE_S, what: str = "") -> None:
    """What other processes do can't be waited for but by looking again."""
    deadline = time.monotonic() + patience_s
    while not await holds():
        assert time.monotonic() < deadline, f"not within {patience_s:g} s: {what or holds}"
        await asyncio.sleep(_POLL_S)
