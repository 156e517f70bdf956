"""Whatever is killed in the middle: every event that was told is heard once, in the order of its key."""

import asyncio

import pytest

from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import Town

pytestmark = [pytest.mark.servers, pytest.mark.crash]

servers = fixtures.servers
town = fixtures.town

EVENTS = 200
KILLED_AT = 60


async def tell_all(town: Town, account: str) -> None:
    for number in range(EVENTS):
        await town.tell_surely(account, number)


@pytest.mark.parametrize("victim", ["connect", "postgres", "kafka"])
async def test_every_event_is_heard_once_although_a_server_is_killed(victim: str, town: Town) -> None:
    server = getattr(town.servers, victim)
    telling = [asyncio.create_task(tell_all(town, account)) for account in ("ann", "bob")]
    await town.heard("ann", KILLED_AT)
    assert not any(each.done() for each in telling)

    await server.kill()
    await server.start()

    await asyncio.gather(*telling)
    assert await town.heard("ann", EVENTS - 1) == list(range(EVENTS))
    assert await town.heard("bob", EVENTS - 1) == list(range(EVENTS))
