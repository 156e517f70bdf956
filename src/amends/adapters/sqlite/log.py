"""Makes a write-ahead log durable before anybody relies on it.

When a sync fails, Linux drops what it was to save, or keeps it in memory as if it were saved. The process that met the
failure doesn't count it as committed; the next one finds it in the log, and does. What that one commits stands behind
it, and would be lost with it when the power is cut. So whoever opens a database first writes its log anew.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import apsw

_CHUNK = 1 << 16  # of a longer write SQLite forgets the higher bits of the length
_OPEN = apsw.SQLITE_OPEN_READWRITE


def save_log(database: apsw.Connection, vfs: str | None) -> None:
    """Before the connection reads or writes. When others have it open, the first of them has done so.

    Raises `apsw.IOError` when the log can't be saved.
    """
    with (
        suppress(apsw.BusyError, apsw.CantOpenError, apsw.ReadOnlyError),
        _opened(vfs, database.filename, _OPEN | apsw.SQLITE_OPEN_MAIN_DB) as file,
        _alone(file),
        _opened(vfs, database.filename_wal, _OPEN | apsw.SQLITE_OPEN_WAL) as log,
    ):
        _write_anew(log)


@contextmanager
def _opened(vfs: str | None, name: str, flags: int) -> Iterator[apsw.VFSFile]:
    """Raises `apsw.ReadOnlyError`, too: SQLite opens for reading what it can't open for writing."""
    told = [flags, 0]
    file = apsw.VFSFile(vfs or "", name, told)
    try:
        if told[1] & apsw.SQLITE_OPEN_READONLY:
            raise apsw.ReadOnlyError(f"{name} can't be written")
        yield file
    finally:
        file.xClose()


@contextmanager
def _alone(file: apsw.VFSFile) -> Iterator[None]:
    """A connection holds a shared lock as long as it has the log open."""
    try:
        file.xLock(apsw.SQLITE_LOCK_SHARED)
        file.xLock(apsw.SQLITE_LOCK_EXCLUSIVE)
        yield
    finally:
        file.xUnlock(apsw.SQLITE_LOCK_NONE)


def _write_anew(log: apsw.VFSFile) -> None:
    size = log.xFileSize()
    for offset in range(0, size, _CHUNK):
        log.xWrite(log.xRead(min(_CHUNK, size - offset), offset), offset)
    if size:
        log.xSync(apsw.SQLITE_SYNC_NORMAL)
