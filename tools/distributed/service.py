"""One process of the distributed shop: `shop serve ROOM`, ready when it says so over HTTP."""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from tools.servers.process import Process

SHOP = Path(sys.executable).with_name("shop")
READY_S = 90.0
END_S = 20.0
_ASK_S = 2.0


class ServiceProcess:
    """`name` is the room, or the room with a number when there are several; it listens on `port`."""

    def __init__(self, name: str, room: str, folder: Path, port: int, options: Mapping[str, str], token: str) -> None:
        self.name = name
        self.room = room
        self.port = port
        self.process = Process(name, folder / f"{name}.log")
        self.addresses = folder / f"{name}.json"
        self._options = dict(options)
        self._token = token

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        """Return when it can serve."""
        self.launch()
        await self.process.until(self.is_ready, READY_S)

    def launch(self) -> None:
        """Start it and don't wait."""
        self.addresses.unlink(missing_ok=True)
        given = self._options | {"port": str(self.port), "addresses": str(self.addresses)}
        flags = [word for name, value in given.items() for word in _flag(name, value)]
        command = [str(SHOP), "serve", self.room, *flags]
        self.process.spawn(["/usr/bin/env", f"SHOP_TOKEN={self._token}", *command])

    async def stop(self) -> None:
        """Let it finish what it does."""
        await self.process.stop(signal.SIGTERM, END_S)

    async def kill(self) -> None:
        """End it at once, as a crash would."""
        await self.process.kill()

    def freeze(self) -> None:
        """It does nothing any more, and doesn't know."""
        if pid := self.process.pid:
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if pid := self.process.pid:
            os.kill(pid, signal.SIGCONT)

    async def is_ready(self) -> bool:
        """It serves everything that it has to: then it writes its addresses; and it says that it can."""
        return self.addresses.exists() and await asyncio.to_thread(self._answers)

    def _answers(self) -> bool:
        if self.room in ("front", "gateway"):
            return True
        connection = HTTPConnection("127.0.0.1", self.port, timeout=_ASK_S)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def _flag(name: str, value: str) -> list[str]:
    """An option without a value is a switch."""
    return [f"--{name}", value] if value else [f"--{name}"]
