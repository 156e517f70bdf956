"""An event loop whose time is virtual and whose order of events comes from a seed.

    loop = SimulatedLoop(Random(7))
    loop.run(main())

Everything of asyncio runs on it unchanged. Of the callbacks that are ready it takes one by chance; when none is, time
leaps to the next timer. A callback belongs to the process in whose context it was made (`PROCESS`): that of a frozen
process waits until it wakes, that of a dead one never runs.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any, Protocol, TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

EPOCH = 2_000_000_000.0


class Admitting(Protocol):
    """A process, as the loop sees it."""

    def admits(self, call: "Call") -> bool:
        """Whether it may run now; a call that is kept for later is not lost."""


PROCESS: ContextVar[Admitting | None] = ContextVar("PROCESS", default=None)


class NothingLeft(Exception):
    """Whoever waits, waits for ever: nothing is ready and no timer is set."""


class TooLong(Exception):
    """More turns than allowed: something goes round and round."""


class Call(asyncio.TimerHandle):
    """A callback that waits for its turn; `when` is virtual. A handle without what asyncio's own cost to make."""

    __slots__ = ("args", "callback", "context", "is_cancelled", "time")

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context, when: float) -> None:
        self.callback = callback
        self.args = args
        self.context = context
        self.is_cancelled = False
        self.time = when

    def cancel(self) -> None:
        self.is_cancelled = True

    def cancelled(self) -> bool:
        return self.is_cancelled

    def when(self) -> float:
        return self.time


class SimulatedLoop(asyncio.AbstractEventLoop):
    """`shuffled` is the share of turns in which chance chooses; in the others, whoever has waited longest goes on.

    `failures` are what callbacks raised and nobody heard of.
    """

    def __init__(self, random: Random, shuffled: float = 1.0, most_turns: int = 5_000_000) -> None:
        self.shuffled = shuffled
        self.turns = 0
        self.failures: list[str] = []
        self._random = random.random
        self._most_turns = most_turns
        self._now = EPOCH
        self._ready: deque[Call] = deque()
        self._timers: list[tuple[float, int, Call]] = []
        self._timed = 0
        self._closed = False
        self._outside = copy_context()
        self._outside.run(PROCESS.set, None)

    def outside(self, delay_s: float, action: Callable[..., object], *args: Any) -> None:
        """Later, as the world's own doing, whoever asks for it: no crash undoes it."""
        self.call_later(delay_s, action, *args, context=self._outside)

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> Call:
        call = Call(callback, args, copy_context() if context is None else context, 0.0)
        self._ready.append(call)
        return call

    def call_later(
        self, delay: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> Call:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Arguments], object], *args: *Arguments, context: Context | None = None
    ) -> Call:
        call = Call(callback, args, copy_context() if context is None else context, when)
        self._timed += 1
        heapq.heappush(self._timers, (when, self._timed, call))
        return call

    def create_future(self) -> "asyncio.Future[Any]":
        return asyncio.Future(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: Context | None = None, **_: Any
    ) -> "asyncio.Task[Any]":
        return asyncio.Task(coro, loop=self, name=name, context=context)

    def run_in_executor(self, _: object, func: Callable[[*Arguments], T], *args: *Arguments) -> "asyncio.Future[T]":
        """What a thread would do beside the loop is one turn of it."""
        future: asyncio.Future[T] = asyncio.Future(loop=self)
        self.call_soon(_work, future, func, args)
        return future

    def resume(self, calls: list[Call]) -> None:
        """Calls that a frozen process has kept get their turn."""
        self._ready.extend(calls)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """Raises `NothingLeft`, `TooLong`, and what the coroutine raises."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            task: asyncio.Task[T] = self.create_task(story)
            while not task.done():
                self.turn()
            return task.result()
        finally:
            asyncio._set_running_loop(before)

    def turn(self) -> None:
        """One callback, or one leap of time."""
        ready = self._ready
        if not ready:
            self._leap()
            return
        self.turns += 1
        if self.turns > self._most_turns:
            raise TooLong(f"{self.turns} turns")
        count = len(ready)
        if count > 1 and self._random() < self.shuffled:
            ready.rotate(-int(self._random() * count))
        call = ready.popleft()
        if call.is_cancelled:
            return
        process = call.context.get(PROCESS)
        if process is None or process.admits(call):
            try:
                call.context.run(call.callback, *call.args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # as asyncio does: one callback must not end the loop
                self.call_exception_handler({"message": "a callback failed", "exception": error})

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return not self._closed

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        self._closed = True
        self._ready.clear()
        self._timers.clear()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        told = f": {type(error).__name__}: {error}" if error is not None else ""
        self.failures.append(f"{context.get('message')}{told}")

    def _timer_handle_cancelled(self, handle: object) -> None: ...

    def _leap(self) -> None:
        while self._timers and self._timers[0][2].is_cancelled:
            heapq.heappop(self._timers)
        if not self._timers:
            raise NothingLeft("nothing is ready, no timer is set")
        self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            self._ready.append(heapq.heappop(self._timers)[2])


def _work(future: "asyncio.Future[Any]", work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        result = work(*args)
    except Exception as error:
        if not future.done():
            future.set_exception(error)
    else:
        if not future.done():
            future.set_result(result)


def simulated_loop(random: Random, shuffled: float = 1.0) -> SimulatedLoop:
    """Of an event loop, it has what services use: no sockets, no threads, no signals."""
    return SimulatedLoop(random, shuffled)  # type: ignore[abstract]
