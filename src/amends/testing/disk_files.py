"""The files of a simulated disk, and their names."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from amends.adapters.sqlite.vfs import failed_sync, failure, no_room, outdate
from amends.testing.images import Change, Cut, apply, survivors

if TYPE_CHECKING:
    from amends.testing.disk import Disk

GONE = "the power was cut since, or the process has ended"


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

    def replace(self, old: "DiskFile", new: "DiskFile") -> None:
        self.files = {name: new if file is old else file for name, file in self.files.items()}
        self._durable = {name: new if file is old else file for name, file in self._durable.items()}
        self._changes = [(name, new if file is old else file) for name, file in self._changes]

    def left(self, cut: Cut) -> "dict[str, DiskFile]":
        """What a power cut leaves: each name as it was at some moment since the last sync."""
        versions: dict[str, list[DiskFile | None]] = {name: [file] for name, file in self._durable.items()}
        for name, file in self._changes:
            versions.setdefault(name, [None]).append(file)
        chosen = {name: files[cut.kept(len(files) - 1)] for name, files in versions.items()}
        return {name: file for name, file in chosen.items() if file is not None}


class DiskFile:
    """One file, in one life of its process. `path` is where SQLite reads it, `image` what is durable of it."""

    def __init__(self, disk: "Disk", name: str, path: str, image: bytearray) -> None:
        self.name = name
        self.path = path
        self.image = image
        self._disk = disk
        self._buried = False
        self._changes: list[Change] = []
        self._size = 0
        self._show()

    def reach(self) -> None:
        if self._buried:
            raise failure(GONE)

    def write(self, offset: int, data: bytes) -> None:
        self._come_to_change()
        end = offset + len(data)
        if end > self._size:
            if self._disk.full:
                raise no_room("the disk is full")
            self._size = end
        self._changes.append(Change(offset, data))
        self._disk.happen()

    def truncate(self, size: int) -> None:
        self._come_to_change()
        self._size = size
        self._changes.append(Change(size, None))
        self._disk.happen()

    def sync(self, directory: bool) -> None:
        self._come_to_change()
        loss = self._disk.begin_sync()
        if self._disk.lies:
            return
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

    def renew(self, path: str) -> "DiskFile":
        """The same file as another process finds it."""
        file = DiskFile(self._disk, self.name, path, self.image)
        shutil.copyfile(self.path, path)
        file._changes, file._size = list(self._changes), self._size
        return file

    def bury(self) -> None:
        """Nobody finds it any more; who has read it has to read it anew."""
        self._buried = True
        Path(self.path).unlink()
        index = Path(f"{self.path}-shm")
        with suppress(FileNotFoundError):
            outdate(index)
            index.unlink()

    def _come_to_change(self) -> None:
        self.reach()
        self._disk.come_to()

    def _lose(self, cut: Cut) -> None:
        self.image = survivors(self.image, self._changes, cut)
        self._changes.clear()
        if self._disk.forgets():
            self._show()

    def _show(self) -> None:
        Path(self.path).write_bytes(self.image)
        self._size = len(self.image)
