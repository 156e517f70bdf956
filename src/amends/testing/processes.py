"""A process of a simulated world: what it runs ends with it, and a restart makes it anew from what is durable."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from enum import Enum
from random import Random
from typing import Any, TypeVar

from amends.adapters.asyncio_runtime import AsyncioRuntime, AsyncioTask
from amends.testing.loop import PROCESS, Call, SimulatedLoop

T = TypeVar("T")


def _nothing() -> None: ...


class Life(Enum):
    RUNNING = "running"
    FROZEN = "frozen"
    DEAD = "dead"


class Process:
    """One life of a process; the next one is another object.

    `leave` is how it ends in good order, when whoever boots it says so.
    What it does runs in its own context: the loop knows by that whose turn it is.
    """

    def __init__(self, name: str, loop: SimulatedLoop, random: Random, skew_s: float = 0.0) -> None:
        self.name = name
        self.life = Life.RUNNING
        self.runtime = SimulatedRuntime(self, loop, random, skew_s)
        self.tasks: list[asyncio.Task[Any]] = []
        self.leave: Callable[[], Awaitable[None]] | None = None
        self._loop = loop
        self._kept: list[Call] = []
        self._left: int | None = None
        self._fall: Callable[[], None] = _nothing
        self._cut_off: frozenset[asyncio.Task[Any]] = frozenset()
        self._context = copy_context()
        self._context.run(PROCESS.set, self)

    def admits(self, call: Call) -> bool:
        if self.life is Life.RUNNING and (self._left is None or self._counts_down()):
            return True
        self._kept.append(call)
        return False

    def spawn(self, work: Coroutine[Any, Any, T], name: str = "") -> "asyncio.Task[T]":
        task = self._loop.create_task(work, name=name or self.name, context=self._context.copy())
        self.tasks.append(task)
        return task

    def call(self, delay_s: float, action: Callable[[], None]) -> None:
        """Later, if it lives then; when it is frozen, as soon as it wakes."""
        self._loop.call_later(delay_s, action, context=self._context)

    def fall_in(self, turns: int, fall: Callable[[], None]) -> None:
        """`fall` ends or freezes it before its own `turns`th turn from now, wherever that is."""
        self._left, self._fall = turns, fall

    def stand(self) -> None:
        """It falls no more."""
        self._left = None

    def freeze(self) -> None:
        self.life = Life.FROZEN

    def wake(self) -> None:
        if self.life is Life.FROZEN:
            self.life = Life.RUNNING
            kept, self._kept = self._kept, []
            self._loop.resume(kept)

    def end(self) -> None:
        """It does nothing any more, not even clean up."""
        if self.life is not Life.DEAD:
            self.life = Life.DEAD
            self._cut_off = frozenset(task for task in self.tasks if not task.done())

    def ended(self) -> list["asyncio.Task[Any]"]:
        """What came to an end of itself, before the process did."""
        return [task for task in self.tasks if task.done() and task not in self._cut_off]

    def bury(self) -> None:
        """When the world is over: everything that hangs is let go of."""
        self.life, self._left = Life.RUNNING, None
        self._loop.resume(self._kept)
        for task in self.tasks:
            task.cancel()

    def _counts_down(self) -> bool:
        assert self._left is not None
        self._left -= 1
        if self._left >= 0:
            return True
        self._left = None
        self._fall()
        return False


class SimulatedRuntime(AsyncioRuntime):
    """Virtual time, chance by seed. `skew_s` is how far its clock is off; sleep does not follow the clock.

    `grain_s` is the shortest sleep: a timer may always be late, and a world at rest is settled faster by that.
    """

    def __init__(self, process: Process, loop: SimulatedLoop, random: Random, skew_s: float) -> None:
        super().__init__(random)
        self.skew_s = skew_s
        self.grain_s = 0.0
        self._process = process
        self._loop = loop

    def now(self) -> float:
        return self._loop.time() + self.skew_s

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(seconds, self.grain_s) if seconds > 0 else 0)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> AsyncioTask:
        return AsyncioTask(self._process.spawn(work, name))
