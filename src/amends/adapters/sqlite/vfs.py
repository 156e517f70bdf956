"""A VFS of SQLite that asks a disk before it changes a file. The bytes lie in files of the usual VFS.

Locks, reads and shared memory are the usual VFS's own: a write-ahead log has readers beside its writer here, too.
"""
# ruff: noqa: N802 - the names are SQLite's

import struct
from pathlib import Path
from typing import Protocol

import apsw

_USUAL = ""
_INDEX = struct.Struct("=12I")
_LOGS = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL


class File(Protocol):
    """A file of a disk. When a method raises, SQLite meets that error, and nothing is changed."""

    path: str

    def reach(self) -> None:
        """Before each read and each lock."""

    def write(self, offset: int, data: bytes) -> None: ...

    def truncate(self, size: int) -> None: ...

    def sync(self, directory: bool) -> None:
        """`directory`: the entries of the directory, too."""


class Files(Protocol):
    """A disk. Names are those that `full_name` has given."""

    def full_name(self, name: str) -> str: ...

    def find(self, name: str) -> File | None: ...

    def create(self, name: str) -> File: ...

    def unlink(self, name: str, directory: bool) -> None:
        """Raises `missing` when there is no such file. `directory`: the entries are synced as well."""


class Vfs(apsw.VFS):
    """What SQLite knows as `name` from now on, until `unregister`."""

    def __init__(self, name: str, files: Files) -> None:
        super().__init__(name, _USUAL)
        self._files = files

    def xFullPathname(self, name: str) -> str:
        return self._files.full_name(name)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        if name is None:
            return apsw.VFSFile(_USUAL, name, flags)
        return _Handle(
            self._file(str(name.filename() if isinstance(name, apsw.URIFilename) else name), flags[0]), flags
        )

    def xAccess(self, pathname: str, flags: int) -> bool:
        file = self._files.find(pathname)
        return file is not None and super().xAccess(file.path, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._files.unlink(filename, syncdir)

    def xSleep(self, microseconds: int) -> int:
        """Who waits for a lock waits a thousandth of the time: this process holds it, mostly in the same thread."""
        super().xSleep(microseconds // 1000)
        return microseconds

    def _file(self, name: str, flags: int) -> File:
        file = self._files.find(name)
        if file is not None:
            return file
        if not flags & apsw.SQLITE_OPEN_CREATE:
            raise apsw.CantOpenError(f"no file {name}")
        return self._files.create(name)


class _Handle(apsw.VFSFile):
    """A file that a connection holds open. As on Unix, the first sync of a log or a journal syncs the directory."""

    def __init__(self, file: File, flags: list[int]) -> None:
        opened = [flags[0] & ~apsw.SQLITE_OPEN_URI, 0]
        super().__init__(_USUAL, file.path, opened)
        flags[1] = opened[1]
        self._file = file
        self._directory = bool(flags[0] & _LOGS)
        self._readonly = bool(flags[0] & apsw.SQLITE_OPEN_READONLY)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._file.reach()
        return super().xRead(amount, offset)

    def xLock(self, level: int) -> None:
        """A reader that closes last asks for a lock that its file can't have: that is no failure of the disk."""
        self._file.reach()
        if self._readonly and level == apsw.SQLITE_LOCK_EXCLUSIVE:
            raise apsw.BusyError(f"{self._file.path} is open for reading")
        super().xLock(level)

    def xFileSize(self) -> int:
        self._file.reach()
        return super().xFileSize()

    def xWrite(self, data: bytes | bytearray | memoryview, offset: int) -> None:
        self._file.write(offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._file.truncate(newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002
        self._file.sync(self._directory)
        self._directory = False


def failure(text: str, code: int = apsw.SQLITE_IOERR) -> Exception:
    """What SQLite takes for a failure of the disk."""
    error = apsw.exception_for(code)
    error.args = (text,)
    return error


def failed_sync(text: str) -> Exception:
    return failure(text, apsw.SQLITE_IOERR_FSYNC)


def missing(text: str) -> Exception:
    return failure(text, apsw.SQLITE_IOERR_DELETE_NOENT)


def no_room(text: str) -> Exception:
    return failure(text, apsw.SQLITE_FULL)


def outdate(index: Path) -> None:
    """Makes connections that have the index of a log in shared memory read their pages anew.

    Its header is there twice: ten words, of which the third counts changes, and their checksum
    (https://sqlite.org/walformat.html#the_wal_index_file_format).
    """
    with index.open("r+b") as file:
        header = file.read(_INDEX.size)
        if len(header) == _INDEX.size:
            words = list(_INDEX.unpack(header))[:10]
            words[2] = (words[2] + 1) & 0xFFFFFFFF
            file.seek(0)
            file.write(_INDEX.pack(*words, *_checksum(words)) * 2)


def _checksum(words: list[int]) -> tuple[int, int]:
    first = second = 0
    for one, other in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & 0xFFFFFFFF
        second = (second + other + first) & 0xFFFFFFFF
    return first, second
