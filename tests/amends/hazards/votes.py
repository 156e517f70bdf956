"""Scenarios of the first table of hazards: a manager that dies between the phases of two-phase commit, or of TCC."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from amends import Saga
from amends.state import Status
from tests.amends.hazards.worlds import command, reply_of
from tests.amends.travel import Travel, Wish, by_reservations, by_votes

TAKEN = {"hotel": "taken", "plane": "taken"}
HELD = {"hotel": "held", "plane": "held"}


@asynccontextmanager
async def travelling(folder: Path, twice: bool, made: Callable[[], Saga[Wish]]) -> AsyncIterator[Travel]:
    travel = await Travel(folder, made(), twice).open()
    yield travel
    await travel.crash()


async def decision_outlives_its_manager(folder: Path, twice: bool) -> None:
    await _outlives(folder, twice, by_votes, "prepare plane")


async def confirmation_outlives_its_manager(folder: Path, twice: bool) -> None:
    await _outlives(folder, twice, by_reservations, "try plane")


async def _outlives(folder: Path, twice: bool, made: Callable[[], Saga[Wish]], vote: str) -> None:
    """The hotel has committed, the plane has not heard of it, and after the crash nobody hears its vote again."""
    async with travelling(folder, twice, made) as travel:
        travel.hold = command("SettleSeat")
        await travel.start(Wish("w"))
        assert await travel.seats() == {"hotel": "taken", "plane": "held"}
        await travel.crash()
        travel.hold = reply_of(vote)
        await travel.open()
        assert await travel.ended() is Status.COMPLETED, "a decision that was carried out is forgotten"
        assert await travel.seats() == TAKEN


async def no_decision_is_none(folder: Path, twice: bool) -> None:
    await _is_none(folder, twice, by_votes)


async def no_confirmation_is_none(folder: Path, twice: bool) -> None:
    await _is_none(folder, twice, by_reservations)


async def _is_none(folder: Path, twice: bool, made: Callable[[], Saga[Wish]]) -> None:
    """The plane was never reached; the manager dies, its successor doesn't reach it either."""
    async with travelling(folder, twice, made) as travel:
        travel.hold = command("HoldSeat")
        await travel.start(Wish("w"))
        assert await travel.seats() == {"hotel": "held", "plane": ""}
        await travel.crash()
        await travel.open()
        assert await travel.ended() is Status.COMPENSATED, "silence was taken for a vote"
        assert await travel.seats() == {"hotel": "free", "plane": ""}


async def nobody_commits_before_the_last_vote(folder: Path, twice: bool) -> None:
    await _waits(folder, twice, by_votes, "prepare plane")


async def nobody_confirms_before_the_last_try(folder: Path, twice: bool) -> None:
    await _waits(folder, twice, by_reservations, "try plane")


async def _waits(folder: Path, twice: bool, made: Callable[[], Saga[Wish]], vote: str) -> None:
    async with travelling(folder, twice, made) as travel:
        travel.hold = reply_of(vote)
        await travel.start(Wish("w"))
        assert await travel.seats() == HELD, "somebody committed before all had voted"
        travel.wire.heal()
        assert await travel.ended() is Status.COMPLETED
        assert await travel.seats() == TAKEN


SCENARIOS = [
    decision_outlives_its_manager,
    confirmation_outlives_its_manager,
    no_decision_is_none,
    no_confirmation_is_none,
    nobody_commits_before_the_last_vote,
    nobody_confirms_before_the_last_try,
]
