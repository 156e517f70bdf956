"""Whatever is killed in the middle: every event that was told is heard once, in the order of its key."""

import asyncio

import pytest

from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import Town

pytestmark = [pytest.mark.servers, pytest.mark.crash]

servers = fixtures.servers
town = fixtures.town

KILLED_AT = 20
PACE_S = 0.05


async def tell_on(town: Town, account: str, enough: asyncio.Event) -> int:
    """The bank tells one event after the other; returns how many."""
    told = 0
    while not enough.is_set():
        await town.tell_surely(account, told)
        told += 1
        await town.runtime.sleep(PACE_S)
    return told


@pytest.mark.parametrize("victim", ["connect", "postgres", "kafka"])
async def test_every_event_is_heard_once_although_a_server_is_killed(victim: str, town: Town) -> None:
    server, enough = getattr(town.servers, victim), asyncio.Event()
    telling = [asyncio.create_task(tell_on(town, account, enough)) for account in ("ann", "bob")]
    await town.heard("ann", KILLED_AT)

    await server.kill()
    await server.start()

    enough.set()
    for account, told in zip(("ann", "bob"), await asyncio.gather(*telling), strict=True):
        assert await town.heard(account, told - 1) == list(range(told))
