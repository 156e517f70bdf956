"""A server as a child process: how it starts, when it is ready, how it ends."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Protocol

POLL_S = 0.02
TAIL_LINES = 25
KILL_S = 10


class ServerFailed(Exception):
    """A server ended by itself, was not ready in time, or said no: which one, and how its log ends."""


class Server(Protocol):
    """What has a lifetime: every server, and the proxy."""

    async def start(self) -> None:
        """Return when it answers; what an earlier run left in its folder is still there."""

    async def stop(self) -> None:
        """Return when it has ended in order; nothing happens when it doesn't run."""


@asynccontextmanager
async def running(*servers: Server) -> AsyncIterator[None]:
    """Start servers together; stop them at the end, the last one first."""
    try:
        await _start(servers)
        yield
    finally:
        for server in reversed(servers):
            await server.stop()


async def _start(servers: Sequence[Server]) -> None:
    """Start all of them; when one fails, the others give up."""
    try:
        async with asyncio.TaskGroup() as starts:
            for server in servers:
                starts.create_task(server.start())
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None


async def completed(command: Sequence[str]) -> str:
    """Run a command to its end; return what it printed, raise `ServerFailed` with that if it failed."""
    ran = await asyncio.to_thread(
        subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise ServerFailed(f"{' '.join(command)} ended with {ran.returncode}:\n{_tail(ran.stdout + ran.stderr)}")
    return ran.stdout


class Process:
    """A child process by the name of `name`, whose output is appended to `log`."""

    def __init__(self, name: str, log: Path) -> None:
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None
        self._log_start = 0

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._child.pid if self._child and self._child.poll() is None else None

    def spawn(self, command: Sequence[str]) -> None:
        """Start it, in a session of its own: the terminal's Ctrl-C is for who started it."""
        if self.pid:
            raise RuntimeError(f"{self.name} runs already, as process {self.pid}")
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._child = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, start_new_session=True
            )

    def output(self) -> str:
        """What it has written since its last start."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    async def until(self, ready: Callable[[], Awaitable[bool]], patience_s: float, what: str = "ready") -> None:
        """Wait until it is so; raise `ServerFailed` when the process ends instead, or takes too long."""
        deadline = time.monotonic() + patience_s
        while not await ready():
            if not self.pid:
                raise self.failure(f"ended before it was {what}")
            if time.monotonic() > deadline:
                raise self.failure(f"was not {what} within {patience_s:g} s")
            await asyncio.sleep(POLL_S)

    def failure(self, what: str) -> ServerFailed:
        """An error that says what happened, and how the log ends."""
        return ServerFailed(f"{self.name} {what}. The end of {self.log}:\n{_tail(self.output())}")

    async def stop(self, how: signal.Signals, patience_s: float) -> None:
        """Ask it to end by a signal; kill it when it has not done so in time."""
        if pid := self.pid:
            os.kill(pid, how)
            await _wait(lambda: not self.pid, patience_s)
            await self.kill()

    async def kill(self) -> None:
        """End it at once, and the processes that it started."""
        if not (pid := self.pid):
            return
        os.kill(pid, signal.SIGSTOP)  # so that it starts no more of them
        family = [pid, *_children(pid)]
        for each in family:
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        await _wait(lambda: not self.pid and not any(map(is_alive, family)), KILL_S)


async def _wait(ended: Callable[[], bool], patience_s: float) -> None:
    deadline = time.monotonic() + patience_s
    while not ended():
        if time.monotonic() > deadline:
            return
        await asyncio.sleep(POLL_S)


def _tail(text: str) -> str:
    return "\n".join(text.splitlines()[-TAIL_LINES:])


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    if listed.exists():
        return [int(child) for child in listed.read_text().split()]
    listing = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(child) for child in listing.stdout.split()]


def is_alive(pid: int) -> bool:
    """Whether it can still hold anything: one that has ended but was not waited for, can't."""
    if Path("/proc/self/stat").exists():
        with suppress(FileNotFoundError, ProcessLookupError):
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
        return False
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return True
    return False
