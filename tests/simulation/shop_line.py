"""How one process of the simulated shop asks another, and how clients ask any of them.

A dead process can't be reached; one that is frozen, or dies meanwhile, does not answer in time: then nobody knows.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from amends.errors import AmendsError
from amends.service import Service
from amends.testing.processes import Life, Process
from amends.testing.worlds import World
from shop.calls import AnswerLost, CallFailed, Client, RoomUnavailable
from shop.calls.errors import answer_of, error_of
from shop.calls.wire import Method, encode
from shop.orders.counter import Counter
from shop.payments.gateway import Gateway
from shop.web.problems import Problem

R = TypeVar("R")

PATIENCE_S = 10.0


@dataclass
class Home:
    """What one life of a process serves: `desks` by the names under which they are asked, `counters` by saga."""

    process: Process
    services: dict[str, Service] = field(default_factory=dict)
    desks: dict[str, object] = field(default_factory=dict)
    counters: dict[str, Counter] = field(default_factory=dict)
    gateway: Gateway | None = None


class Line:
    """One for a world. `processes_of` says by room which processes have it: they are asked in turn."""

    def __init__(self, world: World, processes_of: dict[str, list[str]]) -> None:
        self.world = world
        self._processes_of = processes_of
        self._homes: dict[Process, Home] = {}

    def open(self, home: Home) -> None:
        """From now on it answers, as long as its process lives."""
        self._homes[home.process] = home

    def home(self, room: str) -> Home:
        """One that can be reached. Raises `RoomUnavailable`."""
        names = self._processes_of[room]
        names.append(names.pop(0))
        for process in [self.world.processes[name] for name in names]:
            home = self._homes.get(process)
            if home is not None and process.life is not Life.DEAD:
                return home
        raise RoomUnavailable(f"{room} can't be reached: {', '.join(sorted(names))} is down")

    async def ask(
        self, room: str, work: Callable[[Home], Awaitable[R]], patience_s: float = PATIENCE_S, lost: str = "answer lost"
    ) -> R:
        """What the work in the room's process comes to. Raises what it raises, `RoomUnavailable`, `AnswerLost`."""
        home = self.home(room)
        task = home.process.spawn(_kept(work, home), f"call of {room}")
        await asyncio.wait([task], timeout=patience_s)
        if not task.done() or task.cancelled() or self.world.chances.fires(lost):
            raise AnswerLost(f"{room} may have done it")
        results, error = task.result()
        if error is not None:
            raise error
        return results[0]


async def _kept(work: Callable[[Home], Awaitable[R]], home: Home) -> tuple[list[R], Exception | None]:
    """An error is the caller's business, not the process's."""
    try:
        return [await work(home)], None
    except Exception as error:
        return [], error


class SimulatedClient(Client):
    """A client for `remote_desks`, of whichever world is on the `line`.

    `wire`: arguments, results and errors travel as JSON, as between processes.
    """

    def __init__(self) -> None:
        self.line: Line | None = None
        self.wire = False

    async def call(self, url: str, method: Method, arguments: msgspec.Struct) -> Any:
        assert self.line is not None
        name = url.rpartition("/")[2]
        room = name.partition(".")[0]
        patience_s = PATIENCE_S + max(0.0, getattr(arguments, "wait_s", 0.0))
        work = _by_wire if self.wire else _directly
        return await self.line.ask(room, lambda home: work(home.desks[name], method, arguments), patience_s)


async def _directly(desk: object, method: Method, arguments: msgspec.Struct) -> Any:
    return await method.function(desk, *msgspec.structs.astuple(arguments))


async def _by_wire(desk: object, method: Method, arguments: msgspec.Struct) -> Any:
    taken = method.decode_arguments(encode(arguments))
    try:
        result = await _directly(desk, method, taken)
    except (Problem, AmendsError) as error:
        answer = answer_of(error)
        raise error_of(method.name, answer.status, answer.body) from error
    except Exception as error:
        raise CallFailed(f"{method.name}: {error}") from error
    return method.decode_result(encode(result))
