"""Moves the write-ahead log into the database beside the event loop.

SQLite's own automatic checkpoint runs inside a commit: one commit in a thousand pages waits for two syncs of the disk.
Here a thread with a connection of its own does it (`PASSIVE`: nobody waits for it). Only a log that has grown past
`MOST_PAGES`, because writers never paused, is moved by the writer itself.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw

from amends.adapters.sqlite.connection import connect

PAGES = 4_000
MOST_PAGES = 16_000
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")


class Checkpoints:
    """Watches one writer's log: moved once it has `pages`, by the writer itself once it has more than `most_pages`."""

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        self._path = path
        self._vfs = vfs
        self.pages = PAGES
        self.most_pages = MOST_PAGES
        self._grown_to = 0
        self._running: asyncio.Future[None] | None = None

    def watch(self, writer: apsw.Connection) -> None:
        """Takes the place of the automatic checkpoint of this connection."""
        writer.set_wal_hook(self._grown)

    def after_commit(self, writer: apsw.Connection) -> None:
        """Begins a checkpoint when the log is long enough and none is under way."""
        if self._grown_to < self.pages:
            return
        if self._grown_to > self.most_pages:
            writer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            self._grown_to = 0
        elif self._running is None or self._running.done():
            self._grown_to = 0
            self._running = asyncio.get_running_loop().run_in_executor(_THREAD, _checkpoint, self._path, self._vfs)
            self._running.add_done_callback(_heed)

    async def settle(self) -> None:
        """Waits for the one under way."""
        if self._running is not None:
            await asyncio.wait([self._running])

    def _grown(self, _: apsw.Connection, __: str, pages: int) -> int:
        self._grown_to = pages
        return apsw.SQLITE_OK


def _heed(checkpoint: "asyncio.Future[None]") -> None:
    """One that fails takes nothing back: the log holds what was committed; the next one tries again."""
    if not checkpoint.cancelled():
        checkpoint.exception()


def _checkpoint(path: Path, vfs: str | None) -> None:
    connection = connect(path, vfs=vfs)
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    finally:
        connection.close()
