"""Scenarios of two-phase commit by prepared transactions: each is run, and run again with its rule taken out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from amends.messages import Envelope, Kind, Operation
from amends.state import Status
from tests.amends.adapters.xa.booking import Wish
from tests.amends.adapters.xa.travel import Travel, within

Scenario = Callable[[Travel], Awaitable[None]]
BOTH = {"hotel": ["w"], "plane": ["w"]}
NONE: dict[str, list[str]] = {"hotel": [], "plane": []}


def is_vote(each: Envelope) -> bool:
    return each.kind is Kind.REPLY and each.operation is Operation.ACTION and each.step.startswith("prepare")


def is_commit(each: Envelope) -> bool:
    return ".Take" in each.type


def is_abort(each: Envelope) -> bool:
    return ".Free" in each.type


async def nothing_is_left(travel: Travel) -> None:
    assert await travel.prepared() == [], "a transaction stayed prepared"
    assert await travel.open_operations() == [], "an operation was never answered"


async def voted(travel: Travel) -> None:
    """A saga whose participants have prepared, and whose coordinator has not heard of it."""
    travel.hold = is_vote
    await travel.start(Wish("w"))
    await travel.held(2)
    assert len(await travel.prepared()) == 2


async def decided(travel: Travel) -> None:
    """A saga whose coordinator has decided to commit, and nobody has heard of it."""
    travel.hold = is_commit
    await travel.start(Wish("w"))
    await travel.held(2)
    assert len(await travel.prepared()) == 2


async def turned_back(travel: Travel) -> None:
    """A saga that is to be aborted, which the one that has prepared has not heard of."""
    travel.hold = is_abort
    await travel.start(Wish("w", hotel="no"))
    await travel.held(1)
    assert len(await travel.prepared()) == 1


async def all_vote_yes(travel: Travel) -> None:
    assert await travel.run(Wish("w")) is Status.COMPLETED
    assert await travel.stays() == BOTH
    await nothing_is_left(travel)


async def one_refuses(travel: Travel) -> None:
    assert await travel.run(Wish("w", hotel="no")) is Status.COMPENSATED
    assert await travel.stays() == NONE
    await nothing_is_left(travel)


async def no_decision_logged_means_none(travel: Travel) -> None:
    """The coordinator is killed before it has all votes: its successor gives up what is not answered."""
    await voted(travel)
    await travel.crash()
    await travel.open()
    travel.runtime.ahead_s = 30.0
    assert await travel.ended() == [Status.COMPENSATED]
    assert await travel.stays() == NONE
    await nothing_is_left(travel)


async def decision_that_was_logged_is_carried_out(travel: Travel) -> None:
    """The coordinator is killed when it has decided and nobody has heard of it."""
    await decided(travel)
    await travel.crash()
    travel.hold = lambda _: False
    await travel.open()
    assert await travel.ended() == [Status.COMPLETED]
    assert await travel.stays() == BOTH
    await nothing_is_left(travel)


async def janitor_commits_what_was_decided(travel: Travel) -> None:
    """The commits are on their way for too long: the log says that they will come."""
    await decided(travel)
    for runner in travel.runners.values():
        await runner.janitor.look()
    assert (await travel.stays(), await travel.prepared()) == (BOTH, []), "what was decided was not committed"
    assert [each["verb"] for each in travel.named("xa.resolved")] == ["commit", "commit"]
    travel.let_go()
    assert await travel.ended() == [Status.COMPLETED]
    await nothing_is_left(travel)


async def janitor_aborts_what_was_turned_back(travel: Travel) -> None:
    await turned_back(travel)
    await travel.runners["plane"].janitor.look()
    assert await travel.prepared() == [], "what was turned back is still prepared"
    travel.let_go()
    assert await travel.ended() == [Status.COMPENSATED]
    assert await travel.stays() == NONE
    await nothing_is_left(travel)


async def janitor_aborts_what_no_coordinator_knows(travel: Travel) -> None:
    """Presumed abort: there is no such saga, so it was never decided."""
    await voted(travel)
    await travel.services["travel"].stop()
    await travel.fetch("travel", "delete from sagas")
    for runner in travel.runners.values():
        await runner.janitor.look()
    assert (await travel.stays(), await travel.prepared()) == (NONE, []), "an orphan keeps its locks"


async def janitor_leaves_what_is_undecided(travel: Travel) -> None:
    """It gives alarm, and waits for the coordinator."""
    await voted(travel)
    for runner in travel.runners.values():
        await runner.janitor.look()
    assert len(await travel.prepared()) == 2, "the janitor decided for the coordinator"
    assert [each["participant"] for each in travel.named("xa.old")] == ["hotel", "plane"], "nobody gave alarm"
    assert [runner.in_doubt.transactions for runner in travel.runners.values()] == [1, 1]
    travel.let_go()
    assert await travel.ended() == [Status.COMPLETED]
    await nothing_is_left(travel)


async def commit_of_what_is_gone_is_never_silent(travel: Travel) -> None:
    await decided(travel)
    [hotel, _] = await travel.prepared()
    await travel.fetch("hotel", f"rollback prepared '{hotel}'")
    travel.let_go()
    assert await travel.ended() == [Status.STUCK], "what was decided and is lost was not noticed"
    assert [each["gid"] for each in travel.named("xa.contradicted")] == [hotel]


async def abort_of_what_was_committed_is_never_silent(travel: Travel) -> None:
    await turned_back(travel)
    [plane] = await travel.prepared()
    await travel.fetch("plane", f"commit prepared '{plane}'")
    travel.let_go()
    assert await travel.ended() == [Status.STUCK], "what was turned back and stands was not noticed"
    assert [each["gid"] for each in travel.named("xa.contradicted")] == [plane]


async def killed_before_it_prepares(travel: Travel) -> None:
    await frozen(travel, "prepare", before=True)
    await goes_on(travel)


async def killed_between_prepare_and_answer(travel: Travel) -> None:
    await frozen(travel, "prepare", before=False)
    await goes_on(travel)


async def killed_before_it_commits(travel: Travel) -> None:
    await frozen(travel, "commit", before=True)
    await goes_on(travel)


async def killed_between_commit_and_answer(travel: Travel) -> None:
    await frozen(travel, "commit", before=False)
    assert (await travel.stays())["hotel"] == ["w"]
    await goes_on(travel)


async def late_prepare_is_not_wanted_any_more(travel: Travel) -> None:
    """It was put off so long that its abort was answered before it began."""
    thaw = await frozen(travel, "prepare", before=True)
    travel.runtime.ahead_s = 30.0
    assert await travel.ended() == [Status.COMPENSATED]
    await thaw()
    assert await travel.prepared() == [], "a late prepare left an orphan"
    assert await travel.stays() == NONE


async def abort_meets_a_prepare_at_work(travel: Travel) -> None:
    """The abort has found nothing to roll back, and may not be answered as long as something may still be prepared."""
    at_work, thawed, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    transactions: Any = travel.runners["hotel"]._transactions
    prepare = transactions.prepare

    async def gate(name: str) -> None:
        if name == "hotel":
            at_work.set()
            await thawed.wait()

    async def prepares(*arguments: Any) -> object:
        try:
            return await prepare(*arguments)
        finally:
            done.set()

    travel.gate, transactions.prepare = gate, prepares
    await travel.start(Wish("w"))
    await within(at_work.wait())
    blocked, ended = (
        asyncio.ensure_future(each) for each in (travel.heard("xa.blocked", verb="abort"), travel.ended())
    )
    travel.runtime.ahead_s = 30.0
    await asyncio.wait([blocked, ended], return_when=asyncio.FIRST_COMPLETED)
    thawed.set()
    assert await ended == [Status.COMPENSATED]
    await within(done.wait())
    blocked.cancel()
    assert await travel.stays() == NONE
    await nothing_is_left(travel)


async def frozen(travel: Travel, verb: str, before: bool) -> Callable[[], Awaitable[object]]:
    """A saga whose hotel does not go on before or after it has carried something out; returns how it would."""
    transactions: Any = travel.runners["hotel"]._transactions
    carry_out, stopped = getattr(transactions, verb), asyncio.Event()
    left: list[Callable[[], Awaitable[object]]] = []

    async def freezes(*arguments: Any) -> None:
        left.append(lambda: carry_out(*arguments))
        if not before:
            await left[0]()
        stopped.set()
        await asyncio.get_running_loop().create_future()

    setattr(transactions, verb, freezes)
    await travel.start(Wish("w"))
    await within(stopped.wait())
    return left[0]


async def goes_on(travel: Travel) -> None:
    """The process is killed; the next one brings the saga to its end, once."""
    await travel.crash()
    await travel.open()
    [end] = await travel.ended()
    assert end is Status.COMPLETED, f"it was {end} after a crash"
    assert await travel.stays() == BOTH
    await nothing_is_left(travel)


SCENARIOS: list[Scenario] = [
    all_vote_yes,
    one_refuses,
    no_decision_logged_means_none,
    decision_that_was_logged_is_carried_out,
    janitor_commits_what_was_decided,
    janitor_aborts_what_was_turned_back,
    janitor_aborts_what_no_coordinator_knows,
    janitor_leaves_what_is_undecided,
    commit_of_what_is_gone_is_never_silent,
    abort_of_what_was_committed_is_never_silent,
    killed_before_it_prepares,
    killed_between_prepare_and_answer,
    killed_before_it_commits,
    killed_between_commit_and_answer,
    late_prepare_is_not_wanted_any_more,
    abort_meets_a_prepare_at_work,
]
