"""A machine of a simulated world: its processes keep their databases in files of one disk, which fails by seed.

    world = World(seed=7, highest={**HIGHEST, **HIGHEST_ON_DISK})
    machine = Machine(world)
    machine.database("rooms", [ROOMS])
    world.process("rooms", lambda process: serve(world, process))       # on `storage_of(world, "rooms")`
    world.run(story(world))
    machine.heal()
    world.heal()

The storage is the adapter that runs in production, with its group commit and its checkpoints: one that runs beside the
event loop there has a turn of the loop of its own here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from random import Random

import apsw

from amends.adapters.sqlite import SqliteStorage, schema
from amends.adapters.sqlite.connection import connect
from amends.schema import Migration
from amends.testing.disk import Disk
from amends.testing.loop import PROCESS
from amends.testing.processes import Life, Process
from amends.testing.worlds import World

HIGHEST_ON_DISK: Mapping[str, float] = {
    "power cut": 0.5,
    "killed at a write": 0.5,
    "disk full": 0.3,
    "sync failed": 0.1,
}
"""The highest rate of each kind: how many a second; of syncs, the share that fails."""

_STRIKES = ("power cut", "killed at a write", "disk full")
_AT_REST = 0.2
_WITHIN = 150
_FULL_S = 4.0
_NEVER = 1_000_000
_CHECKPOINTS = ((1, 0), (31, 30), (30, _NEVER), (300, _NEVER), (_NEVER, _NEVER))


class Machine:
    """One for a world: a power cut ends all of its processes. `disk` is theirs.

    By chance checkpoints come within commits, or beside them, often, seldom, or never.
    """

    def __init__(self, world: World) -> None:
        self.disk = Disk(Random(f"{world.seed} disk"))
        self.cuts = 0
        self._world = world
        self._checkpoints = Random(f"{world.seed} checkpoints").choice(_CHECKPOINTS)
        self.disk.cut = self._cut
        self.disk.ended = self._ended
        self.disk.fails = self._fails
        for kind in _STRIKES:
            self._expect(kind)

    def database(self, name: str, migrations: Sequence[Migration] = ()) -> "DiskDatabase":
        made = DiskDatabase(name, migrations, self.disk, self._checkpoints)
        self._world.databases[name] = made
        return made

    def heal(self) -> None:
        """From now on it keeps what it is given."""
        self.disk.crash_at(0)
        self.disk.end_at(0)
        self.disk.full = False

    def close(self) -> None:
        """After its world."""
        self.disk.close()

    def _expect(self, kind: str) -> None:
        """The next trouble of a kind, some time from now."""
        if rate := self._world.chances.rates.get(kind, 0.0):
            self._world.loop.outside(self._world.chances.of(kind).expovariate(rate), self._strike, kind)

    def _strike(self, kind: str) -> None:
        size = self._world.chances.of(kind).random()
        if self._world.chances.happens(kind):
            self._trouble(kind, size)
        self._expect(kind)

    def _trouble(self, kind: str, size: float) -> None:
        if kind == "disk full":
            self._world.tell("disk", "full")
            self.disk.full = True
            self._world.loop.outside(size * _FULL_S, self._make_room)
        elif kind == "killed at a write":
            self.disk.end_at(1 + int(size * _WITHIN))
        elif size < _AT_REST:
            self.disk.crash()
        else:
            self.disk.crash_at(1 + int(size * _WITHIN))

    def _make_room(self) -> None:
        self.disk.full = False

    def _cut(self) -> None:
        self._world.tell("disk", "power cut")
        self.cuts += 1
        for name in sorted(self._world.processes):
            self._world.crash(name, "power cut")

    def _ended(self) -> None:
        process = PROCESS.get()
        if isinstance(process, Process):
            self._world.crash(process.name, "killed at a write")

    def _fails(self) -> bool:
        fails = self._world.chances.fires("sync failed")
        if fails:
            self._world.tell("disk", "sync failed")
        return fails


class DiskDatabase:
    """A database of one process, in a file. `checkpoints`: at how many pages of log, and at how many within commits."""

    def __init__(self, name: str, migrations: Sequence[Migration], disk: Disk, checkpoints: tuple[int, int]) -> None:
        self.name = name
        self._migrations = migrations
        self._disk = disk
        self._checkpoints = checkpoints
        self._file = f"{name}.db"
        self._opened: list[tuple[object, SqliteStorage]] = []
        self._seen: tuple[str, apsw.Connection] | None = None
        disk.place(self._file, _image(name, tuple(migrations)))

    @property
    def connection(self) -> apsw.Connection:
        path = self._disk.here(self._file)
        if self._seen is None or self._seen[0] != str(path):
            self._seen = (str(path), connect(path, readonly=True, vfs=self._disk.name))
        return self._seen[1]

    def storage(self) -> SqliteStorage:
        """To be closed by who asks for it, if it lives."""
        storage = SqliteStorage(self._disk.here(self._file), self._migrations, self._disk.name)
        storage.checkpoints.pages, storage.checkpoints.most_pages = self._checkpoints
        self._abandon()
        self._opened.append((PROCESS.get(), storage))
        return storage

    def lose(self, process: Process) -> None:
        """One that is only frozen keeps its files open."""
        if process.life is Life.DEAD and any(who is process for who, _ in self._opened):
            self._disk.end(self._file)

    def close(self) -> None:
        for _, storage in self._opened:
            _abandon(storage)
        if self._seen is not None:
            self._seen[1].close(True)

    def _abandon(self) -> None:
        """What the dead had open."""
        dead = [each for each in self._opened if isinstance(each[0], Process) and each[0].life is Life.DEAD]
        self._opened = [each for each in self._opened if each not in dead]
        for _, storage in dead:
            _abandon(storage)


def _abandon(storage: SqliteStorage) -> None:
    with suppress(apsw.Error):
        storage.abandon()


@cache
def _image(name: str, migrations: tuple[Migration, ...]) -> bytes:
    """The file of a database in which nothing has happened yet."""
    with Disk(Random(0)) as disk:
        connection = connect(disk.here(name), vfs=disk.name)
        schema.migrate(connection, name, migrations)
        connection.close()
        return bytes(disk.directory.files[name].image)
