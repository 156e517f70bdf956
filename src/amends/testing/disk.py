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
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from types import TracebackType
from typing import Self

from amends.adapters.sqlite.vfs import Vfs, failure, missing
from amends.testing.disk_files import GONE, Directory, DiskFile
from amends.testing.images import Cut

_MEMORY = Path("/dev/shm")
_NUMBERS = itertools.count(1)


class Disk:
    """Files of one machine. `name` is the VFS to open them by; names without a folder lie in the root.

    `moments` counts what has happened to files: writes, truncations, removals, syncs. `crashes` counts the power cuts.
    While `full`, no file grows. Each sync takes `slow_s` seconds, really slept. While it `lies`, a sync saves nothing.
    `fails` is asked whether a sync does, `cut` is called after each power cut, `ended` when a process is to end.
    """

    def __init__(self, random: Random) -> None:
        self.name = f"disk-{next(_NUMBERS)}"
        self.full = False
        self.lies = False
        self.slow_s = 0.0
        self.fails: Callable[[], bool] = lambda: False
        self.cut: Callable[[], None] = lambda: None
        self.ended: Callable[[], None] = lambda: None
        self.moments = 0
        self.crashes = 0
        self.directory = Directory({})
        self._random = random
        self._crash_at = 0
        self._end_at = 0
        self._ends: Counter[str] = Counter()
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
        self.cut()

    def crash_at(self, moment: int) -> None:
        """The power is cut within the write, truncation, removal or sync number `moment`, counted from now.

        With 0 it is not cut any more.
        """
        self._crash_at = self.moments + moment if moment else 0

    def end(self, name: str) -> None:
        """The process that has this database open has ended: its connections are dead, its locks are gone.

        What it has written stays, and what was not synced of it is still lost by a power cut.
        """
        self._ends[name] += 1
        for file in [each for each in self.directory.files.values() if _database(each.name) == name]:
            self.directory.replace(file, file.renew(self._path()))
            file.bury()

    def end_at(self, moment: int) -> None:
        """`ended` is called before such a moment, counted from now; it does not come to it. With 0 no more."""
        self._end_at = self.moments + moment if moment else 0

    def place(self, name: str, image: bytes) -> None:
        """A file that is there, and durable."""
        self.directory.change(name, self._make(name, bytearray(image)))
        self.directory.sync()

    def here(self, name: str) -> Path:
        """By this path a database is opened as long as neither power is cut nor its process ends, and never later."""
        return Path(f"/{self._life(name)}/{name}")

    def fail_syncs(self, times: int = 1, after: int = 0) -> None:
        """So many syncs fail, after the next `after` ones. As on Linux, what they were to save is clean afterwards.

        Some of it has reached the disk, some hasn't; what hasn't is still read, or is forgotten at once.
        """
        self._failing = times
        self._succeeding = after

    def full_name(self, name: str) -> str:
        """With the number of its life before it: a connection of before can't reach files of after."""
        return name if name.startswith("/") else str(self.here(name))

    def find(self, name: str) -> DiskFile | None:
        return self.directory.files.get(self._own_name(name))

    def create(self, name: str) -> DiskFile:
        file = self._make(self._own_name(name), bytearray())
        self.directory.change(file.name, file)
        return file

    def unlink(self, name: str, directory: bool) -> None:
        file = self.find(name)
        if file is None:
            raise missing(f"no file {name}")
        self.come_to()
        self.directory.change(file.name, None)
        self.happen()
        Path(file.path).unlink()
        if directory:
            self.directory.sync()

    def come_to(self) -> None:
        """Before a change. Whoever is about to make it may end here."""
        if self.moments + 1 == self._end_at:
            self._end_at = 0
            self.ended()
            raise failure("the process has ended")

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
        if self.fails():
            return Cut(self._random)
        if self._succeeding or not self._failing:
            self._succeeding = max(0, self._succeeding - 1)
            return None
        self._failing -= 1
        return Cut(self._random)

    def forgets(self) -> bool:
        return self._random.random() < 0.5

    def _own_name(self, name: str) -> str:
        life, _, own = name[1:].partition("/")
        if life != str(self._life(own)):
            raise failure(f"{name}: {GONE}")
        return own

    def _life(self, name: str) -> int:
        """Counts power cuts, and the ends of the process that had it open."""
        return self.crashes + self._ends[_database(name)]

    def _make(self, name: str, image: bytearray) -> DiskFile:
        return DiskFile(self, name, self._path(), image)

    def _path(self) -> str:
        self._made += 1
        return f"{self._folder}/{self._made}.file"

    def _bury(self) -> None:
        self.crashes += 1
        for file in list(self.directory.files.values()):
            file.bury()


def _database(name: str) -> str:
    """To which database a file belongs."""
    return name.removesuffix("-wal").removesuffix("-journal")
