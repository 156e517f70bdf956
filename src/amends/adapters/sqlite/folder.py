"""The data folder: one process owns it."""

import fcntl
import os
from pathlib import Path
from typing import IO

from amends.errors import InUse


class DataFolder:
    """Holds the folder's lock from `open` to `close`, or to the end of the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    def open(self) -> None:
        """Makes the folder when it is missing. Raises `InUse` when another process owns it."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = (self.path / "lock").open("a+")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise InUse(f"{self.path} is in use by process {owner}: stop it first, or give another folder") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None
