"""Processes of one shop may start in any order."""

import pytest

from amends.errors import AmendsError, Elsewhere, Overloaded, Unavailable
from amends.testing.runtime import VirtualRuntime
from shop.patience import TRIES, patiently

LATER = [Unavailable("billing is away"), Elsewhere("no shard is held here yet"), Overloaded("too much", 1.0)]


@pytest.mark.parametrize("error", LATER, ids=lambda each: type(each).__name__)
async def test_room_that_is_not_there_yet_is_asked_again(error: AmendsError) -> None:
    runtime, refusals = VirtualRuntime(), [error] * 3

    async def ask() -> str:
        if refusals:
            raise refusals.pop()
        return "answer"

    answers: list[str] = []

    async def wait() -> None:
        answers.append(await patiently(ask, runtime))

    runtime.spawn(wait(), "waiting")
    await runtime.until(lambda: answers == ["answer"], within_s=1.0)


async def test_patience_has_an_end() -> None:
    runtime, tries = VirtualRuntime(), 0

    async def ask() -> str:
        nonlocal tries
        tries += 1
        raise Unavailable("away for good")

    async def wait() -> None:
        with pytest.raises(Unavailable):
            await patiently(ask, runtime)

    waiting = runtime.spawn(wait(), "waiting")
    await runtime.until(lambda: waiting.ended)
    await waiting.join()
    assert tries == TRIES + 1
