"""A world in which everything that may go wrong does so by seed: time, order, processes, databases, the network.

    world = World(seed=7)
    rooms = world.database("rooms", [ROOMS])
    world.process("rooms", lambda process: serve(world, process, rooms))
    world.run(story(world))         # faults happen meanwhile
    world.heal()                    # and from here on none

The same seed gives the same run, to the last event, in every process.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from amends.messages import Envelope
from amends.ports import Storage
from amends.schema import Migration
from amends.testing.chances import HIGHEST, Chances, Fault, drawn
from amends.testing.databases import Database, SimulatedDatabase
from amends.testing.histories import Record
from amends.testing.loop import EPOCH, PROCESS, simulated_loop
from amends.testing.network import SESSION_S, Network
from amends.testing.points import Crash, Point
from amends.testing.processes import Life, Process

T = TypeVar("T")
Boot = Callable[[Process], Awaitable[None]]

_TROUBLES = ("crash", "freeze", "clock jump", "cut off", "stop", "stall")
_DOWN_S = 3.0
_FROZEN_S = 20.0
_CUT_OFF_S = 10.0
_JUMP_S = 120.0
_FALL_WITHIN = 300
_BOOT_AGAIN_S = 1.0


class World:
    """Made of databases and processes; `rates` are drawn by seed unless given; `without` are faults to leave out.

    Of all faults none but `only` happen, when that is given.

    `record` holds what happened. Close it when it is over.
    """

    def __init__(
        self,
        seed: int,
        rates: Mapping[str, float] | None = None,
        without: Collection[Fault] = (),
        *,
        only: Collection[Fault] | None = None,
        shards: int = 1,
        highest: Mapping[str, float] = HIGHEST,
    ) -> None:
        shape = Random(f"{seed} shape")
        self.seed = seed
        self.chances = Chances(seed, drawn(seed, highest) if rates is None else rates, without, only)
        self.loop = simulated_loop(Random(f"{seed} order"), shape.choice([0.0, 0.1, 1.0]))
        self.record = Record()
        self.network = Network(self.loop, self.chances, self._told_of_message, self.pass_point, shards)
        self.databases: dict[str, Database] = {}
        self.processes: dict[str, Process] = {}
        self.crashes: Collection[Point] = ()
        self.points: list[Point] = []
        self._passed: Counter[str] = Counter()
        self._boots: dict[str, Boot] = {}
        self._lives: list[Process] = []
        self._grain_s = 0.0
        self._healed = False
        for kind in _TROUBLES:
            self._expect(kind)

    @property
    def now(self) -> float:
        """Seconds since it began."""
        return self.loop.time() - EPOCH

    def database(self, name: str, migrations: Sequence[Migration] = ()) -> SimulatedDatabase:
        made = SimulatedDatabase(name, migrations, self.chances, self._told_of_database, self.pass_point)
        self.databases[name] = made
        return made

    def process(self, name: str, boot: Boot) -> Process:
        """Started, and started again whenever it has crashed, by `boot`."""
        self._boots[name] = boot
        return self._begin(name)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """Raises what the story raises, `NothingLeft`, `TooLong`."""
        return self.loop.run(story)

    def tell(self, who: str, what: str, detail: str = "", saga: str = "") -> None:
        """Notes what happened."""
        self.record.add(self.now, who, what, detail, saga)

    def heal(self) -> None:
        """From now on nothing goes wrong: the frozen wake, the dead live again, everybody reaches everybody."""
        self._healed = True
        self.chances.heal()
        self.network.cut_off.clear()
        for process in list(self.processes.values()):
            process.stand()
            self._wake(process)
        self.tell("world", "healed")

    def hurry(self, grain_s: float) -> None:
        """Nobody sleeps for less than that any more: what is at rest is seen to be so in fewer turns."""
        self._grain_s = grain_s
        for process in self.processes.values():
            process.runtime.grain_s = grain_s

    def pass_point(self, what: str) -> None:
        """A process is about to write or send something durable, or just has. Raises `Crash` where it has to end."""
        process = PROCESS.get()
        if isinstance(process, Process) and process.life is Life.RUNNING and not self._healed:
            point = Point(process.name, self._passed[process.name], what)
            self._passed[process.name] += 1
            self.points.append(point)
            if point in self.crashes:
                self.crash(process.name)
                raise Crash

    def crash(self, name: str, kind: str = "crash") -> None:
        """It ends where it stands, by a fault of that kind, and comes back some time later."""
        process = self.processes[name]
        if process.life is not Life.DEAD:
            self.tell(name, "crashed")
            self._end(process, kind)

    def stop(self, name: str) -> None:
        """It finishes what it is at, as at a deployment, and ends; it comes back some time later."""
        process = self.processes[name]
        leave, process.leave = process.leave, None
        if process.life is Life.RUNNING and leave is not None:
            self.tell(name, "stops")
            process.spawn(self._leave(process, leave), f"end of {name}")

    def freeze(self, name: str, seconds: float) -> None:
        """It does nothing for so long; when that is too long for the broker, others take its shards over."""
        process = self.processes[name]
        if process.life is Life.RUNNING:
            self.tell(name, "froze")
            process.freeze()
            for database in self.databases.values():
                database.lose(process)
            self.loop.outside(SESSION_S, self._give_up, process)
            self.loop.outside(seconds, self._wake, process)

    def failures(self) -> list[str]:
        """What nobody has heard of: callbacks that failed, and tasks of services that have died of an error."""
        dead = [
            f"{task.get_name()} of {process.name}: {task.exception()!r}"
            for process in self._lives
            for task in process.ended()
            if not task.cancelled() and not isinstance(task.exception(), Crash | None)
        ]
        return [*self.loop.failures, *dead]

    def close(self) -> None:
        """Lets go of everything that still waits; the databases are as new."""
        self._healed = True
        self.chances.heal()
        for process in self._lives:
            process.bury()
        with suppress(Exception):
            self.loop.run(_ended([task for each in self._lives for task in each.tasks]))
        self.loop.close()
        for database in self.databases.values():
            database.close()

    def _begin(self, name: str) -> Process:
        life = sum(each.name == name for each in self._lives)
        process = Process(name, self.loop, Random(f"{self.seed} {name} {life}"))
        process.runtime.grain_s = self._grain_s
        self._lives.append(process)
        self.processes[name] = process
        process.spawn(self._boot(process), f"boot of {name}")
        return process

    async def _boot(self, process: Process) -> None:
        """What can't start now is started again, as by whoever looks after processes."""
        try:
            await self._boots[process.name](process)
        except Exception as error:
            self.tell(process.name, "did not start", f"{type(error).__name__}: {error}")
            process.end()
            self._lose(process)
            self.loop.outside(_BOOT_AGAIN_S, self._restart, process.name)

    async def _leave(self, process: Process, leave: Callable[[], Awaitable[None]]) -> None:
        await leave()
        self.tell(process.name, "stopped")
        self._end(process, "stop")

    def _end(self, process: Process, kind: str) -> None:
        process.end()
        self._lose(process)
        back_s = self.chances.of(kind).random() * _DOWN_S
        self.loop.outside(0.0 if self._healed else back_s, self._restart, process.name)

    def _restart(self, name: str) -> None:
        if self.processes[name].life is Life.DEAD:
            self.tell(name, "restarted")
            self._begin(name)

    def _lose(self, process: Process) -> None:
        for database in self.databases.values():
            database.lose(process)
        self.network.leave(process)

    def _give_up(self, process: Process) -> None:
        if process.life is Life.FROZEN:
            self.network.leave(process)

    def _wake(self, process: Process) -> None:
        if process.life is Life.FROZEN:
            self.tell(process.name, "woke")
            process.wake()
            self.network.return_of(process)

    def _expect(self, kind: str) -> None:
        """The next trouble of a kind, some time from now."""
        if rate := self.chances.rates.get(kind, 0.0):
            self.loop.outside(self.chances.of(kind).expovariate(rate), self._strike, kind)

    def _strike(self, kind: str) -> None:
        if self._healed:
            return
        random = self.chances.of(kind)
        name, size = random.choice(sorted(self.processes) or [""]), random.random()
        if name and self.chances.happens(kind):
            self._trouble(kind, name, size)
        self._expect(kind)

    def _trouble(self, kind: str, name: str, size: float) -> None:
        process = self.processes[name]
        if kind == "crash":
            process.fall_in(int(size * _FALL_WITHIN), lambda: self.crash(name))
        elif kind == "stall":
            process.fall_in(int(size * _FALL_WITHIN), lambda: self.freeze(name, size * _FROZEN_S))
        elif kind == "freeze":
            self.freeze(name, size * _FROZEN_S)
        elif kind == "stop":
            self.stop(name)
        elif kind == "clock jump":
            process.runtime.skew_s += (size - 0.5) * _JUMP_S
            self.tell(name, "clock jumped", f"{(size - 0.5) * _JUMP_S:+.1f} s")
        else:
            self.tell(name, "cut off")
            self.network.cut_off.add(name)
            self.loop.outside(size * _CUT_OFF_S, self.network.cut_off.discard, name)

    def _told_of_message(self, what: str, envelope: Envelope, who: str) -> None:
        detail = {"message": envelope.id, "type": envelope.type or envelope.kind, "to": envelope.to}
        self.record.add(self.now, who, what, detail, envelope.saga)

    def _told_of_database(self, what: str, name: str) -> None:
        self.record.add(self.now, name, what, "", "")


def storage_of(world: World, name: str) -> Storage:
    """A client of one of the world's databases."""
    return world.databases[name].storage()


async def _ended(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=60.0)
