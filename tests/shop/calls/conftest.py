"""A desk whose answers a test chooses, behind a socket."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.signals import Signals
from shop.calls import Client, remote, serve
from shop.calls.wire import methods_of
from shop.servers import Edge, Servers

TOKEN = "the token of the shop's processes"


class Said:
    """What a desk was asked, and what it says."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.says: Callable[[], Any] = lambda: None


def answering(desk: type, said: Said) -> object:
    """A desk of this type, with the same methods; each says what `said` says."""

    def method(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def answer(_: object, *values: Any) -> Any:
            said.asked.append(values)
            answered = said.says()
            return await answered if hasattr(answered, "__await__") else answered

        return answer

    methods: dict[str, Any] = {name: method(each.function) for name, each in methods_of(desk).items()}
    return type(desk.__name__, (desk,), {**methods, "__init__": lambda _: None})()


class Line:
    """A server of calls and a client of it; `port` stays when the server starts again."""

    def __init__(self) -> None:
        self.said = Said()
        self.signals = Signals()
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.signals.listen(lambda name, fields: self.told.append((name, fields)))
        self.runtime = AsyncioRuntime()
        self.client = Client(self.runtime, TOKEN)
        self.connections: set[int] = set()
        self.address = ""
        self._servers = Servers(AsyncioRuntime())

    async def serve(self, desk: type, behind: Any = None) -> None:
        app = serve({"desk": answering(desk, self.said)}, TOKEN, self.signals, behind)

        async def counted(scope: Any, receive: Any, send: Any) -> None:
            self.connections.add(scope["client"][1])
            await app(scope, receive, send)

        port = int(self.address.rpartition(":")[2] or 0)
        self.address = await self._servers.start(Edge("calls", counted), "127.0.0.1", port)

    def desk(self, kind: type[Any], client: Client | None = None) -> Any:
        return remote(kind, self.url, client or self.client)

    @property
    def url(self) -> str:
        return f"{self.address}/calls/desk"

    async def hang_up(self) -> None:
        await self._servers.stop()

    async def close(self) -> None:
        self.client.let_go()
        await self.client.close()
        await self.hang_up()


@asynccontextmanager
async def open_line() -> AsyncIterator[Line]:
    line = Line()
    yield line
    await line.close()


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    async with open_line() as opened:
        yield opened
