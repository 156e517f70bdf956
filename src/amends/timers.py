"""Durable timers: what is due is in the database; this looks, again and again."""

from collections.abc import Awaitable, Callable, Sequence

from amends.ports import Runtime, Task
from amends.signals import Signals

TICK_S = 0.1
PATIENCE_S = 5.0
Chore = Callable[[], Awaitable[object]]


class Ticker:
    """Runs chores every `tick_s` seconds; one that fails is told and tried again with the next tick."""

    def __init__(self, chores: Sequence[Chore], runtime: Runtime, signals: Signals, tick_s: float = TICK_S) -> None:
        self._chores = chores
        self._runtime = runtime
        self._signals = signals
        self._tick_s = tick_s
        self._task: Task | None = None
        self._stopping = False
        self._ticks = False

    def start(self, name: str) -> None:
        self._task = self._runtime.spawn(self._run(), name)

    def stop(self) -> None:
        """The present tick is the last one."""
        self._stopping = True
        if self._task is not None and not self._ticks:
            self._task.cancel()

    async def stopped(self) -> None:
        """Waits for that tick, at most `PATIENCE_S`; then it is given up, and its transaction rolled back."""
        if self._task is not None:
            await self._runtime.within(PATIENCE_S, self._task.join())
            self._task.cancel()
            await self._task.join()

    async def tick(self) -> None:
        for chore in self._chores:
            try:
                await chore()
            except Exception as error:  # the database may be away, a shard may have moved: the next tick tries again
                self._signals.emit("chore.failed", error=f"{type(error).__name__}: {error}"[:500])

    async def _run(self) -> None:
        while not self._stopping:
            await self._runtime.sleep(self._tick_s)
            self._ticks = True
            await self.tick()
            self._ticks = False
