"""What is prepared keeps its locks: who wants the same waits, asks again, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from amends.messages import Envelope, SagaId
from amends.state import Status
from tests.amends.adapters.xa.booking import Wish, travel_saga
from tests.amends.adapters.xa.scenarios import is_commit, is_vote, nothing_is_left
from tests.amends.adapters.xa.travel import HASTY, Travel, databases
from tests.servers import PostgresServer

pytestmark = pytest.mark.servers


@pytest.fixture(params=[15, 18], ids=lambda version: f"postgres-{version}")
async def travel(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> AsyncIterator[Travel]:
    async with Travel(await databases(await postgres_server(request.param))) as travel:
        yield travel


async def test_who_wants_the_same_row_is_asked_again_until_it_is_free(travel: Travel) -> None:
    travel.hold = is_vote
    [first] = await travel.start(Wish("first"))
    await travel.held(2)
    blocked = asyncio.ensure_future(travel.heard("xa.blocked", participant="hotel", verb="prepare"))
    [second] = await travel.start(Wish("second"))
    await blocked
    assert len(await travel.prepared()) == 2
    travel.let_go()
    assert await travel.ended(first, second) == [Status.COMPLETED, Status.COMPLETED]
    assert await travel.stays() == {"hotel": ["first", "second"], "plane": ["first", "second"]}
    await nothing_is_left(travel)


async def test_who_waits_for_too_long_is_turned_back(travel: Travel) -> None:
    travel.hold = is_commit
    [first] = await travel.start(Wish("first"))
    await travel.held(2)
    blocked = asyncio.ensure_future(travel.heard("xa.blocked", participant="hotel", verb="prepare"))
    [second] = await travel.start(Wish("second"))
    await blocked
    travel.runtime.ahead_s = 30.0
    assert await travel.ended(second) == [Status.COMPENSATED]
    travel.let_go()
    assert await travel.ended(first) == [Status.COMPLETED]
    await nothing_is_left(travel)


async def test_two_that_wait_for_each_other_do_not_do_so_for_ever(travel: Travel) -> None:
    """Each has prepared where the other one wants to: no database can see that, patience ends it."""
    await travel.close()
    travel.saga = travel_saga(timeout_s=2.0)
    await travel.open()
    first, second = await _crossed(travel)
    ends = await travel.ended(first, second)
    assert {*ends} <= {Status.COMPLETED, Status.COMPENSATED}
    assert ends.count(Status.COMPLETED) < 2
    stood = [name for name, end in zip(("first", "second"), ends, strict=True) if end is Status.COMPLETED]
    assert await travel.stays() == {"hotel": stood, "plane": stood}
    await nothing_is_left(travel)


async def _crossed(travel: Travel) -> tuple[SagaId, SagaId]:
    """The first has prepared in the hotel and not in the plane, the second the other way round."""

    def crossing(each: Envelope) -> bool:
        """Votes too, so that both have prepared before they go on."""
        return is_vote(each) or each.type == ("plane.HoldSeat" if b'"first"' in each.payload else "hotel.HoldRoom")

    travel.hold = crossing
    first, second = await travel.start(Wish("first"), Wish("second"))
    await travel.held(4)
    assert len(await travel.prepared()) == 2
    travel.let_go()
    return first, second


async def test_commits_do_not_wait_behind_those_who_wait_for_them(postgres_server: PostgresServer) -> None:
    """Every connection for prepares waits for a lock, and goes on doing so: the commit that frees it has its own."""
    settings = replace(HASTY, prepares=2, lock_wait_s=600.0)
    async with Travel(await databases(await postgres_server(18)), settings=settings) as travel:
        travel.hold = is_vote
        [first] = await travel.start(Wish("first"))
        await travel.held(2)
        await travel.start(*[Wish(f"w{nth}") for nth in range(4)])
        await travel.until_waiting("hotel", 2)
        travel.let_go()
        assert await travel.ended(first) == [Status.COMPLETED]
