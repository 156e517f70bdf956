"""The real command `shop up` as a process on a data folder: started, killed, stopped, started again."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

SHOP = Path(sys.executable).with_name("shop")
READY_S = 60.0  # bounds for a machine that does a lot besides; nothing is measured with them
END_S = 30.0
_POLL_S = 0.005


class ShopProcess:
    """One shop; what it prints goes to `log`, beside the folder. Used by the fixture, which stops whatever runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder.with_name(f"{folder.name}.log")
        self.addresses: dict[str, str] = {}
        self.ready_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    async def start(self, *options: str) -> None:
        """Returns when it serves."""
        before = self._mark()
        began = time.monotonic()
        self.launch(*options)
        while self._mark() in (None, before):
            assert self.running, f"it ended with {self.returncode}: {self.said()}"
            assert time.monotonic() < began + READY_S, f"it isn't ready: {self.said()}"
            await asyncio.sleep(_POLL_S)
        self.ready_s = time.monotonic() - began
        self.addresses = json.loads((self.folder / "addresses.json").read_text())

    def launch(self, *options: str) -> None:
        """Starts it and doesn't wait. It gets the environment that it would have without these tests."""
        assert not self.running
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command(self.folder, *(options or ("--ports", "auto"))), stdout=log, stderr=log, env=environment()
            )

    async def kill(self) -> None:
        """As power loss would, short of the disk."""
        await self.end(signal.SIGKILL)

    async def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal, returns the exit code."""
        self.send(how)
        assert self._process is not None
        return await asyncio.to_thread(self._process.wait, END_S)

    def send(self, what: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(what)

    async def stop(self) -> None:
        """Whatever state it is in, it is gone afterwards."""
        if self.running:
            await self.kill()

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        return None if self._process is None else self._process.returncode

    @property
    def token(self) -> str:
        """The operator's."""
        return (self.folder / "operator.token").read_text().strip()

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def _mark(self) -> tuple[int, int] | None:
        """Changes whenever the addresses are written: a killed shop leaves its file behind."""
        try:
            status = (self.folder / "addresses.json").stat()
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns


def command(folder: Path, *options: str) -> list[str]:
    return [str(SHOP), "up", "--data", str(folder), *options]


def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "COVERAGE"))}


async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of this environment to its end: `await run("shop", "order", ...)`."""
    program = str(SHOP.with_name(arguments[0]))

    def finish() -> subprocess.CompletedProcess[str]:
        words: list[Any] = [program, *arguments[1:]]
        return subprocess.run(words, capture_output=True, text=True, timeout=END_S, env=environment(), check=False)

    return await asyncio.to_thread(finish)


async def check_from_outside(shop: ShopProcess) -> None:
    """The library's own auditor, beside the running shop and without it."""
    answer = await run("amends", "check", "--data", str(shop.folder), "--app", "shop.app:app")
    assert answer.returncode == 0, answer.stdout + answer.stderr
