"""A runtime in a test's hands: the clock moves when it is told to, chance comes from a seed.

    runtime = VirtualRuntime(seed=7)
    service = Service(storage, transport, runtime, signals, definitions=[trip])
    await service.start()
    await runtime.settle()          # everything that can happen now has happened
    await runtime.advance(5.0)      # five seconds later

A task moves only while the test waits in `settle` or `advance`, so the same seed gives the same run.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable, Coroutine, Generator
from random import Random
from typing import Any, TypeVar

from amends.ids import UuidV7

T = TypeVar("T")

EPOCH = 2_000_000_000.0
_QUIET = 4


class VirtualTask:
    """A `Task` that counts its steps; `join` raises what it raised."""

    def __init__(self, runtime: "VirtualRuntime", work: Coroutine[Any, Any, None], name: str) -> None:
        self.name = name
        self._runtime = runtime
        self._work = work
        self.task = asyncio.get_running_loop().create_task(self._run(), name=name)

    @property
    def ended(self) -> bool:
        return self.task.done()

    @property
    def error(self) -> BaseException | None:
        """What has ended it early, or None."""
        return self.task.exception() if self.task.done() and not self.task.cancelled() else None

    def cancel(self) -> bool:
        return self.task.cancel()

    async def join(self) -> None:
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.result()

    async def _run(self) -> None:
        await _Steps(self._runtime, self._work)


class _Steps:
    """Passes a coroutine's awaits on, and tells the runtime of each."""

    def __init__(self, runtime: "VirtualRuntime", work: Coroutine[Any, Any, None]) -> None:
        self._runtime = runtime
        self._work = work

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            self._runtime.steps += 1
            try:
                waits_for = self._work.send(None) if thrown is None else self._work.throw(thrown)
            except StopIteration:
                return
            thrown = None
            try:
                yield waits_for
            except BaseException as error:  # a cancellation goes on into the coroutine
                thrown = error


class _Turn:
    """Lets every other ready task take its turn."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class VirtualRuntime:
    """A `Runtime`. `steps` counts what its tasks have done."""

    def __init__(self, seed: int = 0, now: float = EPOCH) -> None:
        self.random = Random(seed)
        self.steps = 0
        self.tasks: list[VirtualTask] = []
        self._now = now
        self._ids = UuidV7(self.now, Random(seed))
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._slept = 0

    def now(self) -> float:
        return self._now

    def roll(self) -> float:
        return self.random.random()

    def new_id(self) -> str:
        return self._ids()

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> VirtualTask:
        task = VirtualTask(self, work, name)
        self.tasks = [each for each in self.tasks if not each.ended or each.error] + [task]
        return task

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await _Turn()
            return
        awake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._slept += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._slept, awake))
        await awake

    async def within(self, seconds: float, work: Awaitable[T]) -> T | None:
        done = asyncio.ensure_future(work)
        bell = self.spawn(self.sleep(seconds), "within")
        await asyncio.wait([done, bell.task], return_when=asyncio.FIRST_COMPLETED)
        bell.cancel()
        if done.done():
            return done.result()
        done.cancel()
        return None

    def signal(self) -> asyncio.Event:
        return asyncio.Event()

    async def settle(self) -> None:
        """Returns when no task can go on without time moving."""
        quiet = 0
        while quiet < _QUIET:
            before = self.steps
            await _Turn()
            quiet = quiet + 1 if self.steps == before else 0

    async def advance(self, seconds: float, leap_s: float = 0.1) -> None:
        """Moves time in leaps; whoever sleeps through several of them wakes once, at the end of the last."""
        end = self._now + seconds
        await self.settle()
        while self._now < end:
            self._now = min(end, self._now + leap_s)
            self._wake()
            await self.settle()

    async def until(self, reached: Callable[[], bool], within_s: float = 600.0, leap_s: float = 0.1) -> None:
        """Moves time until `reached`. Raises `TimeoutError` when that takes longer than `within_s`."""
        end = self._now + within_s
        await self.settle()
        while not reached():
            if self._now >= end:
                raise TimeoutError(f"not reached within {within_s:g} s of virtual time")
            await self.advance(leap_s, leap_s)

    def jump(self, seconds: float) -> None:
        """The clock is set, also backwards; nobody wakes before the next leap."""
        self._now += seconds

    def kill(self) -> None:
        """Every task ends where it stands, as in a crash."""
        for task in self.tasks:
            task.cancel()
        self.tasks.clear()
        self._sleepers.clear()

    def _wake(self) -> None:
        while self._sleepers and self._sleepers[0][0] <= self._now:
            _, _, awake = heapq.heappop(self._sleepers)
            if not awake.done():
                awake.set_result(None)
