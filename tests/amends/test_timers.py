"""A ticker stops between its chores' work, not in the middle of it."""

from amends.signals import Signals
from amends.testing.runtime import VirtualRuntime
from amends.timers import PATIENCE_S, TICK_S, Ticker


class Clock:
    def __init__(self, takes_s: float) -> None:
        self.runtime = VirtualRuntime()
        self.takes_s = takes_s
        self.told: list[str] = []
        self.ticker = Ticker([self.chore], self.runtime, Signals())
        self.ticker.start("clock")

    async def chore(self) -> None:
        self.told.append("begun")
        try:
            await self.runtime.sleep(self.takes_s)
            self.told.append("done")
        finally:
            self.told.append("left")

    async def stop(self) -> None:
        self.ticker.stop()
        await self.ticker.stopped()
        self.told.append("stopped")


async def test_tick_at_work_is_finished_and_is_the_last_one() -> None:
    clock = Clock(takes_s=1.0)
    await clock.runtime.advance(TICK_S)
    clock.runtime.spawn(clock.stop(), "stop")
    await clock.runtime.advance(3.0)
    assert clock.told == ["begun", "done", "left", "stopped"]


async def test_tick_that_takes_too_long_is_given_up() -> None:
    clock = Clock(takes_s=10 * PATIENCE_S)
    await clock.runtime.advance(TICK_S)
    clock.runtime.spawn(clock.stop(), "stop")
    await clock.runtime.advance(PATIENCE_S + 1.0)
    assert clock.told == ["begun", "left", "stopped"]


async def test_nothing_ticks_after_a_stop_between_ticks() -> None:
    clock = Clock(takes_s=0.0)
    await clock.runtime.advance(TICK_S)
    clock.runtime.spawn(clock.stop(), "stop")
    await clock.runtime.advance(1.0)
    assert clock.told == ["begun", "done", "left", "stopped"]
