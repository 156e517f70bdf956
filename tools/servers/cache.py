"""What is made once and kept for every later run: jars, class archives, empty databases."""

import asyncio
import fcntl
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

LOCK_POLL_S = 0.1
LOCK_PATIENCE_S = 300


def cache_folder() -> Path:
    """The folder that `AMENDS_SERVERS_CACHE` names, or the user's own."""
    return Path(os.environ.get("AMENDS_SERVERS_CACHE") or Path.home() / ".cache" / "amends-servers").absolute()


def digest(*parts: str) -> str:
    """A short name for what something was made from."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


async def kept(name: str, fill: Callable[[Path], Awaitable[None]]) -> Path:
    """Return a folder of the cache; whoever asks first fills it, the others wait.

    `fill` gets an empty folder, which takes its place when it is complete.
    """
    folder = cache_folder() / name
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        async with _locked(folder.with_name(f"{name}.lock")):
            if not folder.exists():
                await _fill(folder, fill)
    return folder


async def _fill(folder: Path, fill: Callable[[Path], Awaitable[None]]) -> None:
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir()
    await fill(part)
    part.rename(folder)


@asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[None]:
    deadline = time.monotonic() + LOCK_PATIENCE_S
    with path.open("w") as lock:
        while not _take(lock.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"another process has held {path} for {LOCK_PATIENCE_S} s")
            await asyncio.sleep(LOCK_POLL_S)
        yield


def _take(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
