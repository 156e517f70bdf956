"""A disk in memory that loses what was not synced: for SQLite, by a VFS.

    with Disk(Random(7)) as disk:
        storage = SqliteStorage(Path("trips.db"), vfs=disk.name)
        ...
        disk.crash()                # power cut: what was open is dead, the files are what the disk has left of them
        storage = SqliteStorage(Path("trips.db"), vfs=disk.name)

A file has a durable image and the changes since its last sync. After a power cut each sector of it is as it was at some
moment between that sync and the cut, its size likewise, and a name that was made or removed since the last sync of the
directory is there or not. A sector is never half-written, and bytes that nobody wrote keep their value: this is what
SQLite takes for granted of a disk (`SQLITE_IOCAP_POWERSAFE_OVERWRITE`).

The same random gives the same losses, as long as one thread at a time uses the disk: a checkpoint that runs beside the
event loop has to be awaited (`SqliteStorage.close` does so) before a cut or a fault, where a run is to be replayed.
"""

import itertools
import shutil
import time
import weakref
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from amends.adapters.sqlite.vfs import Vfs, failed_sync, failure, missing, no_room, outdate
from amends.testing.images import Change, Cut, apply, survivors

_MEMORY = Path("/dev/shm")
_NUMBERS = itertools.count(1)


class Disk:
    """Files of one machine. `name` is the VFS to open them by; names without a folder lie in the root.

    `moments` counts what has happened to files: writes, truncations, removals, syncs. `crashes` counts the power cuts.
    While `full`, no file grows. Each sync takes `slow_s` seconds, really slept.
    """

    def __init__(self, random: Random) -> None:
        self.name = f"disk-{next(_NUMBERS)}"
        self.full = False
        self.slow_s = 0.0
        self.moments = 0
        self.crashes = 0
        self.directory = Directory({})
        self._random = random
        self._crash_at = 0
        self._failing = 0
        self._succeeding = 0
        self._made = 0
        self._folder = mkdtemp(prefix="disk-", dir=_MEMORY if _MEMORY.is_dir() else None)
        self._remove = weakref.finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._vfs = Vfs(self.name, self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """The files are gone. Connections that are still open are dead."""
        self._bury()
        self._vfs.unregister()
        self._remove()

    def crash(self) -> None:
        """A power cut. Connections of before raise `apsw.IOError` from now on; closing them is no error.

        Only a transaction that is open still reads what its connection has in memory.
        """
        self._crash_at = 0
        left = self.directory.left(Cut(self._random))
        images = {name: file.left(Cut(self._random)) for name, file in left.items()}
        self._bury()
        self.directory = Directory({name: self._make(name, image) for name, image in images.items()})

    def crash_at(self, moment: int) -> None:
        """The power is cut within the write, truncation, removal or sync number `moment`, counted from now."""
        self._crash_at = self.moments + moment

    def fail_syncs(self, times: int = 1, after: int = 0) -> None:
        """So many syncs fail, after the next `after` ones. As on Linux, what they were to save is clean afterwards.

        Some of it has reached the disk, some hasn't; what hasn't is still read, or is forgotten at once.
        """
        self._failing = times
        self._succeeding = after

    def full_name(self, name: str) -> str:
        """With the number of crashes before it: a connection of before can't reach files of after."""
        return f"/{self.crashes}/{name.lstrip('/')}"

    def find(self, name: str) -> "DiskFile | None":
        return self.directory.files.get(self._own_name(name))

    def create(self, name: str) -> "DiskFile":
        file = self._make(self._own_name(name), bytearray())
        self.directory.change(file.name, file)
        return file

    def unlink(self, name: str, directory: bool) -> None:
        file = self.find(name)
        if file is None:
            raise missing(f"no file {name}")
        self.directory.change(file.name, None)
        self.happen()
        Path(file.path).unlink()
        if directory:
            self.directory.sync()

    def happen(self) -> None:
        """Counts, and cuts the power when it is time."""
        self.moments += 1
        if self.moments == self._crash_at:
            self.crash()
            raise failure("the power was cut")

    def begin_sync(self) -> Cut | None:
        """Returns what the sync loses, or None when it succeeds."""
        if self.slow_s:
            time.sleep(self.slow_s)
        self.happen()
        if self._succeeding or not self._failing:
            self._succeeding = max(0, self._succeeding - 1)
            return None
        self._failing -= 1
        return Cut(self._random)

    def forgets(self) -> bool:
        return self._random.random() < 0.5

    def _own_name(self, name: str) -> str:
        crashes, _, own = name[1:].partition("/")
        if crashes != str(self.crashes):
            raise failure(f"{name}: the power was cut since")
        return own

    def _make(self, name: str, image: bytearray) -> "DiskFile":
        self._made += 1
        return DiskFile(self, name, f"{self._folder}/{self._made}.file", image)

    def _bury(self) -> None:
        self.crashes += 1
        for file in list(self.directory.files.values()):
            file.bury()


class Directory:
    """Names of files, and their changes since the last sync."""

    def __init__(self, files: "dict[str, DiskFile]") -> None:
        self.files = files
        self._durable = dict(files)
        self._changes: list[tuple[str, DiskFile | None]] = []

    def change(self, name: str, file: "DiskFile | None") -> None:
        self._changes.append((name, file))
        if file is None:
            del self.files[name]
        else:
            self.files[name] = file

    def sync(self) -> None:
        if self._changes:
            self._durable = dict(self.files)
            self._changes.clear()

    def left(self, cut: Cut) -> "dict[str, DiskFile]":
        """What a power cut leaves: each name as it was at some moment since the last sync."""
        versions: dict[str, list[DiskFile | None]] = {name: [file] for name, file in self._durable.items()}
        for name, file in self._changes:
            versions.setdefault(name, [None]).append(file)
        chosen = {name: files[cut.kept(len(files) - 1)] for name, files in versions.items()}
        return {name: file for name, file in chosen.items() if file is not None}


class DiskFile:
    """One file, in one life of the machine. `path` is where SQLite reads it, `image` what is durable of it."""

    def __init__(self, disk: Disk, name: str, path: str, image: bytearray) -> None:
        self.name = name
        self.path = path
        self.image = image
        self._disk = disk
        self._life = disk.crashes
        self._changes: list[Change] = []
        self._size = 0
        self._show()

    def reach(self) -> None:
        if self._life != self._disk.crashes:
            raise failure("the power was cut since")

    def write(self, offset: int, data: bytes) -> None:
        self.reach()
        end = offset + len(data)
        if end > self._size:
            if self._disk.full:
                raise no_room("the disk is full")
            self._size = end
        self._changes.append(Change(offset, data))
        self._disk.happen()

    def truncate(self, size: int) -> None:
        self.reach()
        self._size = size
        self._changes.append(Change(size, None))
        self._disk.happen()

    def sync(self, directory: bool) -> None:
        self.reach()
        loss = self._disk.begin_sync()
        if loss is not None:
            self._lose(loss)
            raise failed_sync("the sync failed")
        for change in self._changes:
            apply(self.image, change)
        self._changes.clear()
        if directory:
            self._disk.directory.sync()

    def left(self, cut: Cut) -> bytearray:
        return survivors(self.image, self._changes, cut)

    def bury(self) -> None:
        """Nobody finds it any more; who has read it has to read it anew."""
        Path(self.path).unlink()
        index = Path(f"{self.path}-shm")
        with suppress(FileNotFoundError):
            outdate(index)
            index.unlink()

    def _lose(self, cut: Cut) -> None:
        self.image = survivors(self.image, self._changes, cut)
        self._changes.clear()
        if self._disk.forgets():
            self._show()

    def _show(self) -> None:
        Path(self.path).write_bytes(self.image)
        self._size = len(self.image)
