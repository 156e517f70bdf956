"""The payments room on real files, with a real gateway behind a real port, for tests."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.adapters.sqlite.connection import SqliteReader
from amends.audit import Finding
from amends.errors import Unavailable
from amends.messages import Command, Envelope, Kind, MessageId, Operation, SagaId, encode, type_name
from amends.retry import Retry
from amends.service import Service
from amends.signals import Field, Signals
from shop.payments import gateway_tables, tables
from shop.payments.audit import audit
from shop.payments.caller import Caller, CallerSettings
from shop.payments.gateway import Gateway, GatewaySettings
from shop.payments.gateway_client import HttpGateway
from shop.payments.gateway_http import GatewayApp
from shop.payments.gateway_wire import Record
from shop.payments.participant import payments
from shop.servers import Edge, Servers
from tests.mortal import MortalRuntime

PATIENCE_S = 10.0
TIMEOUT_S = 0.25
QUICK = CallerSettings(retry=Retry(base_s=0.005, cap_s=0.05))


class Shaky(SqliteStorage):
    """`away`: how many of the next looks fail, as those at a database that can't be reached."""

    away = 0

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[SqliteReader]:
        if self.away:
            self.away -= 1
            raise Unavailable("connection refused")
        async with super().reading() as reader:
            yield reader


class GatewayServer:
    """The gateway on a free port.

    `requests` are those that it got, as `POST /path`, `most` how many at once, `clients` the ends of their connections.
    """

    def __init__(self, folder: Path, settings: GatewaySettings) -> None:
        runtime = AsyncioRuntime()
        self.storage = SqliteStorage(folder / "gateway.db", gateway_tables.MIGRATIONS)
        self.requests: list[str] = []
        self.most = 0
        self.clients: set[tuple[str, int]] = set()
        self.url = ""
        self._present = 0
        self._asked = asyncio.Event()
        self._gateway = Gateway(self.storage, runtime, settings)
        self._app = GatewayApp(self._gateway)
        self._servers = Servers(runtime)

    async def start(self) -> None:
        await self.storage.migrate()
        self._gateway.start("gateway")
        self.url = await self._servers.start(Edge("gateway", self), "127.0.0.1", 0)

    async def stop(self) -> None:
        await self._servers.stop()
        await self._gateway.stop()
        await self.storage.close()

    async def asked(self) -> None:
        """Waits for the first request."""
        async with asyncio.timeout(PATIENCE_S):
            await self._asked.wait()

    async def record(self, key: str) -> Record | None:
        async with self.storage.reading() as reader:
            return await gateway_tables.find(reader, key)

    async def state(self, key: str) -> str:
        found = await self.record(key)
        return "never seen" if found is None else found.state

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.requests.append(f"{scope['method']} {scope['path']}")
        self.clients.add(tuple(scope["client"]))
        self._asked.set()
        self._present += 1
        self.most = max(self.most, self._present)
        await self._app(scope, receive, send)
        self._present -= 1


class CardRoom:
    """One life of the room; commands are sent by hand, replies are read as they come."""

    def __init__(
        self, folder: Path, url: str, settings: CallerSettings = QUICK, runtime: MortalRuntime | None = None
    ) -> None:
        self.runtime = runtime or MortalRuntime()
        self.signals = Signals()
        self.told: list[tuple[str, dict[str, Field]]] = []
        self.storage = Shaky(folder / "payments.db", tables.MIGRATIONS)
        self._transport = InProcess()
        self._replies = self._transport.subscribe("buyer")
        self._service = Service(self.storage, self._transport, self.runtime, self.signals, participant=payments)
        self._client = HttpGateway(url, self.runtime, TIMEOUT_S)
        self.caller = Caller(self._service, self._client, settings)
        self._news = asyncio.Event()
        self.signals.listen(self._listen)

    async def start(self, *, calling: bool = True) -> None:
        await self.storage.migrate()
        await self._service.start()
        if calling:
            self.caller.start("payments")

    async def stop(self) -> None:
        await self.caller.stop()
        await self._client.close()
        await self._service.stop()

    async def kill(self) -> None:
        """What is left is what is in the files."""
        await self.runtime.kill()
        await self._client.close()

    def ask(self, command: Command, saga: str, *, step: str = "hold money", undo: bool = False) -> None:
        asked = Envelope(
            id=MessageId(self.runtime.new_id()),
            kind=Kind.COMMAND,
            type=type_name(type(command)),
            to="payments",
            key=saga,
            at=self.runtime.now(),
            payload=encode(command),
            saga=SagaId(saga),
            step=step,
            operation=Operation.COMPENSATION if undo else Operation.ACTION,
            sender="buyer",
            epoch=1,
        )
        self._transport.send([asked], lambda ids: None)

    async def replies(self, count: int) -> list[str]:
        """The next `count` replies, as `CardVoided`, in the order in which they came."""
        came: list[Envelope] = []
        async with asyncio.timeout(PATIENCE_S):
            while len(came) < count:
                batch = await self._replies.receive(250)
                await self._replies.acknowledge(batch)
                came += batch
        return [reply.type for reply in came]

    async def until(self, seen: Callable[[str, dict[str, Field]], bool]) -> None:
        """Waits for a signal."""
        async with asyncio.timeout(PATIENCE_S):
            while not any(seen(*each) for each in self.told):
                self._news.clear()
                await self._news.wait()

    async def state(self, payment_id: str) -> str:
        async with self.storage.reading() as reader:
            found = await tables.find(reader, payment_id)
        return "never seen" if found is None else found.state.value

    def _listen(self, name: str, fields: dict[str, Field]) -> None:
        self.told.append((name, fields))
        self._news.set()


async def audited(room: CardRoom, gateway: GatewayServer) -> list[Finding]:
    async with room.storage.reading() as ours, gateway.storage.reading() as theirs:
        return await audit({"payments": ours, "gateway": theirs})


async def holds(room: CardRoom, gateway: GatewayServer) -> bool:
    return all(finding.holds for finding in await audited(room, gateway))


async def held_minor(room: CardRoom, gateway: GatewayServer) -> int:
    """What the gateway holds of all payments."""
    _, money = await audited(room, gateway)
    return money.figures["gateway_authorized_minor"]
