"""Kills: of the process at every step of its runner, of the server at any time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from amends.adapters.postgres.xa import XaRunner
from amends.errors import Unavailable
from amends.participant import Answer
from amends.state import Status
from tests.amends.adapters.xa.booking import Wish, travel_saga
from tests.amends.adapters.xa.mortal import MortalRuntime
from tests.amends.adapters.xa.scenarios import decided, is_vote, nothing_is_left, voted
from tests.amends.adapters.xa.travel import Travel, databases, within
from tests.servers import PostgresServer, require
from tools.servers import Postgres, missing_for_postgres, running

pytestmark = pytest.mark.servers


@pytest.fixture(params=[15, 18], ids=lambda version: f"postgres-{version}")
async def postgres(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Postgres]:
    """A server of the test's own, to be killed."""
    require(missing_for_postgres(request.param))
    postgres = Postgres(tmp_path / "postgres", request.param)
    async with running(postgres):
        yield postgres


@pytest.fixture
async def travel(postgres: Postgres) -> AsyncIterator[Travel]:
    async with Travel(await databases(postgres)) as travel:
        yield travel


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("doomed", "hotel"),
    [
        pytest.param("hotel", "yes", id="it commits"),
        pytest.param("hotel", "no", id="it refuses", marks=pytest.mark.long),
        pytest.param("plane", "no", id="it aborts", marks=pytest.mark.long),
    ],
)
async def test_process_may_be_killed_at_every_step(postgres_server: PostgresServer, doomed: str, hotel: str) -> None:
    """At the nth await of all that a participant's runner does; n grows until the saga ends before it is reached."""
    async with Travel(await databases(await postgres_server(18))) as travel:
        steps = 0
        while await _killed_at(travel, doomed, steps, Wish(f"w{steps:03}", hotel=hotel)):
            steps += 1
        assert steps > 20
        ids = [f"w{nth:03}" for nth in range(steps + 1)] if hotel == "yes" else []
        assert await travel.stays() == {"hotel": ids, "plane": ids}


async def _killed_at(travel: Travel, doomed: str, steps: int, wish: Wish) -> bool:
    """False when it has come to its end before."""
    await travel.close()
    await travel.open(MortalRuntime(f"{doomed} xa", steps))
    [id] = await travel.start(wish)
    died = await travel.died_or_ended(id)
    if died:
        await travel.crash()
        await travel.open()
    assert await travel.ended(id) == [Status.COMPLETED if wish.hotel == "yes" else Status.COMPENSATED]
    await nothing_is_left(travel)
    return died


async def test_server_killed_before_the_decision(travel: Travel, postgres: Postgres) -> None:
    await voted(travel)
    await postgres.kill()
    await postgres.start()
    assert len(await travel.prepared()) == 2
    travel.let_go()
    assert await travel.ended() == [Status.COMPLETED]
    await nothing_is_left(travel)


async def test_server_killed_between_decision_and_commit(travel: Travel, postgres: Postgres) -> None:
    """With the process that ran beside it."""
    await decided(travel)
    await postgres.kill()
    await travel.crash()
    await postgres.start()
    assert len(await travel.prepared()) == 2
    travel.hold = lambda _: False
    await travel.open()
    assert await travel.ended() == [Status.COMPLETED]
    assert await travel.stays() == {"hotel": ["w"], "plane": ["w"]}
    await nothing_is_left(travel)


async def test_server_killed_while_many_are_under_way(travel: Travel, postgres: Postgres) -> None:
    """The process lives on, finds out what became of what it had asked for, and brings all to their ends."""
    await travel.close()
    travel.saga = travel_saga(timeout_s=4.0)
    await travel.open()
    travel.hold = lambda each: is_vote(each) and len(travel.wire.held) < 10
    ids = await travel.start(*[Wish(f"w{nth:02}", f"room {nth}") for nth in range(30)])
    await travel.held(10)
    await postgres.kill()
    await postgres.start()
    travel.let_go()
    ends = dict(zip(ids, await travel.ended(*ids), strict=True))
    stood = [f"w{nth:02}" for nth, id in enumerate(ids) if ends[id] is Status.COMPLETED]
    assert {*ends.values()} <= {Status.COMPLETED, Status.COMPENSATED}
    assert await travel.stays() == {"hotel": stood, "plane": stood}
    await nothing_is_left(travel)


async def test_what_could_not_be_noted_is_taken_up_once_the_database_is_back(
    travel: Travel, postgres: Postgres
) -> None:
    await decided(travel)
    travel.runners["hotel"]._transactions.commit = _away  # type: ignore[method-assign]
    failed = asyncio.ensure_future(travel.heard("xa.failed", verb="commit"))
    travel.let_go()
    await failed
    await postgres.kill()
    await postgres.start()
    del travel.runners["hotel"]._transactions.commit
    assert await travel.ended() == [Status.COMPLETED]
    await nothing_is_left(travel)


async def _away(gid: str) -> Answer:
    raise Unavailable(f"{gid}: there is no connection")


async def test_stuck_process_is_helped_by_another_one(postgres_server: PostgresServer) -> None:
    """It has claimed what it never does: the next one that starts takes it up."""
    async with Travel(await databases(await postgres_server(18))) as travel:
        await travel.close()
        await travel.open(MortalRuntime("hotel xa prepares", 0))
        [id] = await travel.start(Wish("w"))
        await within(travel.runtime.died.wait())
        travel.runtime.spare()
        other = travel.runner(travel.xa["hotel"], travel.services["hotel"])
        await other.start()
        assert await travel.ended(id) == [Status.COMPLETED]
        await nothing_is_left(travel)
        await other.stop()


async def test_several_processes_and_janitors_at_the_same_time(postgres_server: PostgresServer) -> None:
    """All take everything over again and again, and end what they find prepared: each effect takes place once."""
    async with Travel(await databases(await postgres_server(18))) as travel:
        others = [
            travel.runner(travel.xa[name], travel.services[name]) for name in ("hotel", "plane") for _ in range(2)
        ]
        hotel, plane = travel.runners.values()
        noted = hotel._xa.noted, plane._xa.noted
        for other in others:
            await other.start()
        hotel._xa.noted, plane._xa.noted = noted
        crowd = [hotel, plane, *others]
        busy = asyncio.create_task(_hurry(crowd))
        ids = await travel.start(
            *[Wish(f"w{nth:02}", f"room {nth}", "no" if nth % 3 == 0 else "yes") for nth in range(24)]
        )
        ends = await travel.ended(*ids)
        busy.cancel()
        await asyncio.wait([busy])
        assert ends == [Status.COMPENSATED if nth % 3 == 0 else Status.COMPLETED for nth in range(24)]
        stood = [f"w{nth:02}" for nth in range(24) if nth % 3]
        assert await travel.stays() == {"hotel": stood, "plane": stood}
        assert travel.named("xa.contradicted") == []
        await nothing_is_left(travel)
        for other in others:
            await other.stop()


async def _hurry(crowd: Sequence[XaRunner]) -> None:
    while True:
        for runner in crowd:
            runner._take_over()
            await runner.sweep()
            await runner.janitor.look()
