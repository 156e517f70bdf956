"""Rounds in which one thing breaks while the distributed shop is at work; after each, everything has to add up.

A run is repeated with the seed that it prints: `AMENDS_CHAOS_SEED=… AMENDS_CHAOS_ROUNDS=… make soak`; a round alone, or
a run from there on, with `AMENDS_CHAOS_FIRST=…` besides. The same breaks then; the moment that it meets may be another.
After `AMENDS_CHAOS_SECONDS` no further round begins.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from random import Random, SystemRandom

import pytest
import pytest_asyncio

from tests.distributed.crowd import Crowd
from tests.distributed.faults import Fault, pick
from tests.distributed.running import RunningShop
from tests.system.reckoning import reckon

SEED = int(os.environ.get("AMENDS_CHAOS_SEED", "") or SystemRandom().randrange(10**6))
FIRST = int(os.environ.get("AMENDS_CHAOS_FIRST", "") or 1)
LAST = FIRST - 1 + int(os.environ.get("AMENDS_CHAOS_ROUNDS", "") or 30)
LONGEST_S = float(os.environ.get("AMENDS_CHAOS_SECONDS", "") or "inf")
RECKON_EVERY = 10
MOST_LATE = 0.5  # an outage of seconds may turn back whatever waited for it
AHEAD_S = (0.2, 0.6)

pytestmark = [
    pytest.mark.distributed,
    pytest.mark.chaos,
    pytest.mark.servers,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(300),
]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def crowd(shop: RunningShop) -> AsyncIterator[Crowd]:
    found = Crowd(shop)
    await found.open()
    found.until = time.monotonic() + LONGEST_S
    yield found


@pytest.mark.parametrize("round", range(FIRST, LAST + 1))
async def test_shop_loses_nothing_and_does_nothing_twice(crowd: Crowd, round: int) -> None:
    if crowd.broken:
        pytest.skip(crowd.broken)
    if time.monotonic() > crowd.until:
        pytest.skip(f"{LONGEST_S:g} s are over")
    chance = Random(f"{SEED}/{round}")
    fault = pick(crowd.running, chance)
    print(f"\nseed {SEED} round {round} of {LAST}: {fault.what} for {fault.seconds:.1f} s", end=" ", flush=True)
    try:
        await break_and_heal(crowd, fault, round, chance)
    except BaseException as error:
        crowd.broken = f"round {round} has failed"
        error.add_note(f"AMENDS_CHAOS_SEED={SEED} AMENDS_CHAOS_FIRST={round} AMENDS_CHAOS_ROUNDS=1 make soak")
        raise


async def break_and_heal(crowd: Crowd, fault: Fault, round: int, chance: Random) -> None:
    began, before = time.monotonic(), Counter(crowd.posts)
    await crowd.supply(round + 1)
    task = asyncio.create_task(crowd.run(chance))
    await work_on(task, chance.uniform(*AHEAD_S))
    async with fault.broken:
        await work_on(task, fault.seconds)
    await crowd.running.ready()
    healed = time.monotonic()
    crowd.enough()
    await task
    await crowd.come_to_rest()
    ends = await crowd.check()
    if round % RECKON_EVERY == 0 or round == LAST:
        ends = await reckon(crowd, MOST_LATE)
    answers = dict(sorted((crowd.posts - before).items()))
    now = time.monotonic()
    print(
        f"healed in {healed - began:.1f} s, at rest in {now - healed:.1f} s; answers {answers}, {ends.total()} orders"
    )


async def work_on(task: "asyncio.Task[None]", seconds: float) -> None:
    """Lets the crowd work; what it finds wrong ends the round at once."""
    done, _ = await asyncio.wait([task], timeout=seconds)
    if done:
        await task
