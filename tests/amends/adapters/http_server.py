"""Real HTTP servers on free ports of loopback, in the test's own loop; and an ear for what is signalled."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from amends.signals import Field, Signals

PATIENCE_S = 30.0


class Ear:
    """Hears signals, and waits for them."""

    def __init__(self, signals: Signals) -> None:
        self._heard: list[tuple[str, dict[str, Field]]] = []
        self._waiting: list[tuple[str, asyncio.Event]] = []
        signals.listen(self._hear)

    def all(self, signal: str) -> list[dict[str, Field]]:
        """The fields of every signal of this name so far."""
        return [fields for name, fields in self._heard if name == signal]

    async def first(self, signal: str) -> dict[str, Field]:
        """The first signal of this name, which may be still to come."""
        if not self.all(signal):
            await asyncio.wait_for(self.next(signal).wait(), PATIENCE_S)
        return self.all(signal)[0]

    def next(self, signal: str) -> asyncio.Event:
        """Is set by one more signal of this name."""
        comes = asyncio.Event()
        self._waiting.append((signal, comes))
        return comes

    def _hear(self, name: str, fields: dict[str, Field]) -> None:
        self._heard.append((name, fields))
        for waited_for, comes in self._waiting:
            if waited_for == name:
                comes.set()


class _Server(uvicorn.Server):
    """Leaves signals to the tests' runner; says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listens.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


@asynccontextmanager
async def serving(app: Any, port: int = 0) -> AsyncIterator[str]:
    """The address at which `app` is served, `http://127.0.0.1:port`."""
    listener = socket.create_server(("127.0.0.1", port))
    config = uvicorn.Config(app, http="httptools", loop="none", log_level="warning", timeout_graceful_shutdown=1)
    server = _Server(config)
    task = asyncio.get_running_loop().create_task(server.serve(sockets=[listener]))
    await server.listens.wait()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
