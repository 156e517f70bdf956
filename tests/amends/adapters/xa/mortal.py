"""A runtime whose tasks die when a test says so, at any of their steps."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any

from amends.adapters.asyncio_runtime import AsyncioRuntime, AsyncioTask


class MortalRuntime(AsyncioRuntime):
    """The real one, `ahead_s` seconds ahead, whose tasks can be killed.

    Those whose name begins with `doomed` take `steps` steps, all together; then they stop where they are and `died` is
    set: what they have sent is on its way, what comes back finds nobody.
    """

    def __init__(self, doomed: str = "nobody", steps: int = 0) -> None:
        super().__init__()
        self.ahead_s = 0.0
        self.died = asyncio.Event()
        self._doomed = doomed
        self._steps = steps
        self._killed = False
        self._mortals: list[AsyncioTask] = []
        self._works: list[Coroutine[Any, Any, None]] = []

    def now(self) -> float:
        return super().now() + self.ahead_s

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> AsyncioTask:
        if name.startswith(self._doomed):
            self._works.append(work)
            work = self._run(work)
        task = super().spawn(work, name)
        self._mortals.append(task)
        return task

    async def kill(self) -> None:
        """Nobody is left who could do anything; the tasks end where they stand."""
        self._killed = True
        for task in self._mortals:
            task.cancel()
        for task in self._mortals:
            await task.join()
        for work in self._works:
            work.close()  # one may not even have begun

    def spare(self) -> None:
        """Those that come after may live."""
        self._doomed = "nobody"

    def dies(self) -> bool:
        """Whether a step is one too many."""
        self._steps -= 1
        if self._steps < 0 and not self._killed:
            self.died.set()
        return self.died.is_set() and not self._killed

    async def _run(self, work: Coroutine[Any, Any, None]) -> None:
        await _Steps(self, work)


class _Steps:
    """Passes a coroutine's awaits on, as long as its runtime lives."""

    def __init__(self, runtime: MortalRuntime, work: Coroutine[Any, Any, None]) -> None:
        self._runtime = runtime
        self._work = work

    def __await__(self) -> Generator[Any, Any, None]:
        thrown: BaseException | None = None
        while True:
            try:
                if self._runtime.dies():
                    yield from asyncio.get_running_loop().create_future()
            except BaseException as error:
                thrown = error
            try:
                waits_for = self._work.send(None) if thrown is None else self._work.throw(thrown)
            except StopIteration:
                return
            thrown = None
            try:
                yield waits_for
            except BaseException as error:  # a cancellation goes on into the coroutine
                thrown = error
