"""Callers that come together share a batch, and each gets its own result."""

import asyncio
from collections.abc import Sequence

import pytest

from amends.errors import AmendsError, Fenced, Unavailable
from amends.intake import MOST_PATIENCE_S, OVERLAP, Intake
from amends.ports import Task
from amends.rest import AT_ONCE, Rest
from amends.testing.runtime import VirtualRuntime


class Counter:
    def __init__(self, error: Exception | None = None, rest: Rest = AT_ONCE) -> None:
        self.runtime = VirtualRuntime()
        self.batches: list[list[int]] = []
        self.results: dict[int, int | BaseException] = {}
        self.error = error
        self.takes_s = 0.0
        self.intake: Intake[int, int] = Intake(self.handle, self.runtime, most=10, rest=rest)

    async def handle(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.runtime.sleep(self.takes_s)
        if 13 in items:
            raise self.error or ValueError("13 is unlucky")
        return [item * 2 for item in items]

    def bring(self, *items: int) -> list[Task]:
        return [self.runtime.spawn(self._bring(item), f"caller {item}") for item in items]

    async def _bring(self, item: int) -> None:
        try:
            self.results[item] = await self.intake.submit(item)
        except Exception as error:
            self.results[item] = error


async def test_callers_together_are_one_batch_each_with_its_result() -> None:
    counter = Counter()
    counter.bring(1, 2, 3)
    counter.intake.start("counter")
    await counter.runtime.settle()
    assert (counter.batches, counter.results) == ([[1, 2, 3]], {1: 2, 2: 4, 3: 6})
    await counter.intake.stop()


async def test_batch_is_bounded() -> None:
    counter = Counter()
    counter.bring(*range(100, 125))
    counter.intake.start("counter")
    await counter.runtime.settle()
    assert [len(batch) for batch in counter.batches] == [10, 10, 5]
    await counter.intake.stop()


async def test_what_comes_while_the_intake_rests_is_one_batch() -> None:
    counter = Counter(rest=Rest(2.0, 10.0))
    counter.takes_s = 1.0
    counter.intake.start("counter")
    for item in (1, 2, 3, 4):  # taken at 0, then again at 3
        counter.bring(item)
        await counter.runtime.advance(0.9)
    await counter.runtime.advance(5.0)
    assert counter.batches == [[1], [2, 3, 4]]
    await counter.intake.stop()


async def test_intake_does_not_rest_after_a_full_batch() -> None:
    counter = Counter(rest=Rest(2.0, 10.0))
    counter.takes_s = 1.0
    counter.bring(*range(100, 125))
    counter.intake.start("counter")
    await counter.runtime.advance(2.5)
    assert [len(batch) for batch in counter.batches] == [10, 10, 5]
    await counter.runtime.advance(10.0)
    await counter.intake.stop()


async def test_only_the_culprit_sees_the_error() -> None:
    counter = Counter()
    counter.bring(12, 13, 14)
    counter.intake.start("counter")
    await counter.runtime.settle()
    assert (counter.results[12], counter.results[14]) == (24, 28)
    assert isinstance(counter.results[13], ValueError)
    await counter.intake.stop()


async def test_stop_still_handles_what_was_brought() -> None:
    counter = Counter()
    counter.intake.start("counter")
    counter.bring(*range(100, 125))
    await counter.runtime.settle()
    await counter.intake.stop()
    assert len(counter.results) == 25


async def test_caller_that_comes_after_the_stop_is_told_so() -> None:
    counter = Counter()
    counter.intake.start("counter")
    await counter.runtime.settle()
    await counter.intake.stop()
    counter.bring(1)
    await counter.runtime.settle()
    assert isinstance(counter.results.get(1), AmendsError)


@pytest.mark.parametrize("error", [Fenced("replaced"), Unavailable("away")], ids=lambda error: type(error).__name__)
async def test_callers_are_told_of_what_is_nobodys_fault_and_later_ones_are_served(error: AmendsError) -> None:
    counter = Counter(error=error)
    counter.bring(12, 13, *range(100, 120))
    counter.intake.start("counter")
    await counter.runtime.settle()
    assert len(counter.results) == 22
    assert type(counter.results[12]) is type(counter.results[13]) is type(error)
    assert counter.results[119] == 238
    counter.bring(200)
    await counter.runtime.settle()
    assert counter.results[200] == 400
    await counter.intake.stop()


class UnderWay:
    """Messages that have been sent: `but_for` waits until no more than so many are left."""

    def __init__(self, *, overlapping: bool = False) -> None:
        self.counter = Counter()
        self.asked: list[int] = []
        self.left = 0
        self.fewer = asyncio.Event()
        self.counter.intake = Intake(
            self.counter.handle, self.counter.runtime, self.but_for, most=10, overlapping=overlapping
        )

    async def but_for(self, left: int) -> None:
        self.asked.append(left)
        while self.left > left:
            self.fewer.clear()
            await self.fewer.wait()

    def are(self, left: int) -> None:
        self.left = left
        self.fewer.set()


async def test_batch_waits_for_the_end_of_what_is_under_way_but_not_for_long() -> None:
    line = UnderWay()
    runtime, line.left = line.counter.runtime, 1
    line.counter.intake.start("counter")
    line.counter.bring(1, 2, 3)
    await runtime.settle()
    assert line.counter.batches == []
    line.are(0)
    await runtime.settle()
    assert line.counter.batches == [[1, 2, 3]]
    line.are(1)
    line.counter.bring(4, 5)
    await runtime.advance(MOST_PATIENCE_S / 2)
    assert line.counter.batches == [[1, 2, 3]]
    await runtime.advance(MOST_PATIENCE_S)
    assert line.counter.batches == [[1, 2, 3], [4, 5]]
    assert set(line.asked) == {0}
    line.are(0)
    await line.counter.intake.stop()


async def test_overlapping_batch_begins_while_some_of_the_last_one_is_left() -> None:
    line = UnderWay(overlapping=True)
    runtime = line.counter.runtime
    line.counter.intake.start("counter")
    line.counter.bring(1, 2, 3)
    await runtime.settle()
    line.are(3 * OVERLAP + 1)
    line.counter.bring(4, 5)
    await runtime.settle()
    assert line.counter.batches == [[1, 2, 3]]
    line.are(3 * OVERLAP)
    await runtime.settle()
    assert line.counter.batches == [[1, 2, 3], [4, 5]]
    assert line.asked == [0, 3 * OVERLAP]
    line.are(0)
    await line.counter.intake.stop()
