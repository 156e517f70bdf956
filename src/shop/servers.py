"""HTTP servers for the shop's edges, in the loop that everything else runs in."""

import contextlib
import socket
from collections.abc import Generator
from typing import Any, NamedTuple

import uvicorn

from amends.ports import Runtime, Task

GRACE_S = 1


class Edge(NamedTuple):
    """An ASGI application under a name."""

    name: str
    app: Any


class Server(uvicorn.Server):
    """Leaves signals to whoever runs the process."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class Servers:
    """Starts edges on their ports, stops them within `GRACE_S` seconds."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._running: list[tuple[Server, Task]] = []

    async def start(self, edge: Edge, host: str, port: int) -> str:
        """Returns the address, `http://host:port`. Raises `OSError` when the port is taken."""
        listener = listen(host, port)
        config = uvicorn.Config(
            edge.app,
            http="httptools",
            loop="none",
            lifespan="off",
            access_log=False,
            proxy_headers=False,
            log_level="warning",
            timeout_graceful_shutdown=GRACE_S,
            timeout_keep_alive=65,
            server_header=False,
        )
        server = Server(config)
        task = self._runtime.spawn(server.serve(sockets=[listener]), f"{edge.name} server")
        while not server.started:
            await self._runtime.sleep(0.001)
        self._running.append((server, task))
        shown = host if ":" not in host else f"[{host}]"
        return f"http://{shown}:{listener.getsockname()[1]}"

    async def stop(self) -> None:
        for server, _ in self._running:
            server.should_exit = True
        for _, task in self._running:
            await task.join()
        self._running.clear()


def listen(host: str, port: int) -> socket.socket:
    """A bound socket; says which port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        mend = "stop what listens there, or take free ports: --ports auto"
        raise OSError(error.errno, f"port {port} on {host} can't be used ({error.strerror}): {mend}") from None
    return listener
