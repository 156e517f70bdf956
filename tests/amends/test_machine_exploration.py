"""Every interleaving of a small saga: replies, duplicates, losses, timeouts, cancels and retries by a person.

The network is a set: what was sent may arrive at any time, any number of times, or never. Participants keep the real
barrier. Time is abstract: any step that waits may run out of patience at any moment. So every state that the machine
and the barrier can reach together is reached, also after the saga has ended.
"""

from collections import deque
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import msgspec
import pytest

from amends.barrier import NOTHING_TO_UNDO, TOMBSTONE, Verdict, judge
from amends.draft import Ask
from amends.errors import CannotMend
from amends.history import Entry, History
from amends.machine import Answer, Decision, advance, expire, start, wake_at
from amends.mending import Action, mend
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome, SagaId
from amends.pages import BarrierKey, BarrierRow
from amends.retry import Retry
from amends.saga import Kind as StepKind
from amends.saga import Saga
from amends.state import Phase, SagaState, Status, StepState
from tests.amends.machine_cases import FAR, Order, at, moving, saga_of

ACTION, COMPENSATION = Operation.ACTION, Operation.COMPENSATION
ONCE = Retry(attempts=1, base_s=0.0)
TWICE = Retry(attempts=2, base_s=0.0)
PAST = History(fresh=(Entry(0.0, -1, "started"),))
TURNED = PAST.plus([Entry(0.0, 0, "refused"), Entry(0.0, -1, "turned back")])

Rows = frozenset[tuple[int, Operation, str]]


class World(NamedTuple):
    """The saga, what was sent either way, what each participant has recorded."""

    saga: SagaState
    asks: frozenset[Ask]
    rows: Rows
    replies: frozenset[tuple[int, Operation, int, Outcome]]
    mends: int


def first(saga: Saga[Order]) -> World:
    decision = start(saga, at(0.0, 0.0))
    return World(timeless(decision.state), frozenset(decision.asks), frozenset(), frozenset(), 0)


def timeless(state: SagaState) -> SagaState:
    steps = tuple(StepState(each.phase, each.attempts, 0.0, each.due and 1.0) for each in state.steps)
    return msgspec.structs.replace(state, deadline=FAR, steps=steps, history=TURNED if state.backward else PAST)


def after(world: World, decision: Decision, mends: int = 0) -> World:
    asks = world.asks | frozenset(decision.asks)
    return world._replace(saga=timeless(decision.state), asks=asks, mends=world.mends + mends)


def next_worlds(saga: Saga[Order], world: World, retries: int) -> Iterator[World]:
    for ask in sorted(world.asks):
        yield from arrivals(world, ask, begun=saga.steps[ask.step].ask is None)
    for index, operation, attempt, outcome in sorted(world.replies):
        answer = Answer(f"s{index}", operation, attempt, outcome, "No")
        yield after(world, advance(saga, world.saga, answer, at(0.0, 0.0)))
    yield from timeouts(saga, world)
    yield from people(saga, world, retries)


def arrivals(world: World, ask: Ask, begun: bool) -> Iterator[World]:
    """The participant takes a command: what it may answer, and record."""
    rows = {(step, operation): word for step, operation, word in world.rows}
    own, action = rows.get((ask.step, ask.operation)), rows.get((ask.step, ACTION))
    match verdict(ask.operation, own, action, ask.again, begun):
        case Verdict.RUN:
            for word in ("done", "refused"):
                yield recorded(world, ask, {(ask.step, ask.operation): word})
        case Verdict.BURY:
            yield recorded(world, ask, {(ask.step, ACTION): "tombstone", (ask.step, COMPENSATION): "nothing"})
        case Verdict.NOTHING:
            yield recorded(world, ask, {(ask.step, COMPENSATION): "nothing"})
        case _:
            yield recorded(world, ask, {})


def recorded(world: World, ask: Ask, fresh: dict[tuple[int, Operation], str]) -> World:
    rows = {(step, operation): word for step, operation, word in world.rows} | fresh
    refused = rows[ask.step, ask.operation] in ("refused", "tombstone")
    reply = (ask.step, ask.operation, ask.attempt, Outcome.REFUSED if refused else Outcome.DONE)
    kept = frozenset((step, operation, word) for (step, operation), word in rows.items())
    return world._replace(rows=kept, replies=world.replies | {reply})


@cache
def verdict(operation: Operation, own: str | None, action: str | None, again: bool, begun: bool) -> Verdict:
    envelope = Envelope(
        id=MessageId("m"), kind=Kind.COMMAND, type="t", to="p", key="k", at=0.0, payload=b"{}", saga=SagaId("k"),
        step="s", operation=operation, again=again, begun=begun,
    )  # fmt: skip
    words = {
        "done": BarrierRow(Outcome.DONE, "Done", b"{}"),
        "refused": BarrierRow(Outcome.REFUSED, "No", b"{}"),
        "tombstone": TOMBSTONE,
        "nothing": NOTHING_TO_UNDO,
    }
    found = {(operation, own), (ACTION, action)} - {(operation, None), (ACTION, None)}
    known = {BarrierKey("k", "s", which): words[word] for which, word in found if word}
    return judge(envelope, known, 0.0)


def timeouts(saga: Saga[Order], world: World) -> Iterator[World]:
    for index, step in enumerate(world.saga.steps):
        if step.due is not None:
            steps = list(world.saga.steps)
            steps[index] = msgspec.structs.replace(step, due=-1.0)
            state = msgspec.structs.replace(world.saga, steps=tuple(steps))
            yield after(world, expire(saga, state, at(0.0, 0.0)))


def people(saga: Saga[Order], world: World, retries: int) -> Iterator[World]:
    actions = [Action.CANCEL, *([Action.RETRY] if world.mends < retries else [])]
    for action in actions:
        try:
            yield after(world, mend(saga, world.saga, action, "ann: why", at(0.0, 0.0)), action is Action.RETRY)
        except CannotMend:
            continue


def explore(saga: Saga[Order], retries: int) -> tuple[int, int]:
    """Visits every world; returns how many there are, and how many moves between them."""
    begin = first(saga)
    seen, waiting, moves = {begin}, deque([begin]), 0
    while waiting:
        world = waiting.popleft()
        check(saga, world)
        for other in next_worlds(saga, world, retries):
            moves += 1
            check_move(world, other)
            if other not in seen:
                seen.add(other)
                waiting.append(other)
    return len(seen), moves


def check(saga: Saga[Order], world: World) -> None:
    rows = {(step, operation): word for step, operation, word in world.rows}
    done = {step for (step, operation), word in rows.items() if operation is ACTION and word == "done"}
    done |= {at for at, step in enumerate(saga.steps) if step.ask is None and world.saga.steps[at].phase is Phase.DONE}
    undone = {step for (step, operation), word in rows.items() if operation is COMPENSATION and word == "done"}
    if world.saga.status is Status.COMPENSATED:
        assert done <= undone, f"compensated, but {done - undone} stands: {world}"
    if world.saga.status is Status.COMPLETED:
        needed = {at for at, step in enumerate(saga.steps) if step.kind is not StepKind.BEST_EFFORT}
        assert needed <= done, f"completed, but only {done} is done: {world}"
    if world.saga.group >= saga.commit_group and not world.saga.backward:
        assert not undone, f"going forward, but {undone} is undone: {world}"
    if moving(world.saga):
        assert wake_at(saga, world.saga) is not None, f"nothing would ever wake {world}"


def check_move(before: World, now: World) -> None:
    assert not (before.saga.backward and not now.saga.backward), f"turned forward again: {before} -> {now}"
    if before.saga.status in (Status.COMPLETED, Status.COMPENSATED):
        assert now.saga == before.saga, f"an end was left: {before} -> {now}"
    for old, new in zip(before.saga.steps, now.saga.steps, strict=True):
        assert not (old.phase in (Phase.UNDONE, Phase.REFUSED) and new.phase is not old.phase)


@pytest.mark.parametrize(
    ("shape", "retry", "retries", "size"),
    [
        ("c p r", TWICE, 1, (5_365, 54_241)),
        ("cc p", ONCE, 1, (6_336, 60_909)),
        ("b c p", ONCE, 1, (1_342, 11_618)),
        pytest.param("c c p", TWICE, 0, (38_431, 530_063), marks=pytest.mark.long),
        ("p rr", ONCE, 1, (352, 2_956)),
        ("c p e", TWICE, 0, (1_171, 9_675)),
        ("c c c", ONCE, 0, (1_081, 11_499)),
        ("c d r", TWICE, 1, (1_553, 12_237)),
        ("cc d rr", ONCE, 0, (1_502, 11_617)),
        pytest.param("cc p", TWICE, 0, (151_944, 2_012_396), marks=pytest.mark.long),
    ],
)
def test_no_interleaving_breaks_a_small_saga(shape: str, retry: Retry, retries: int, size: tuple[int, int]) -> None:
    seen, moves = explore(saga_of(shape, retry), retries)
    assert (seen, moves) == size


def test_the_exploration_notices_a_barrier_without_tombstones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The exploration itself can fail: an action that runs after its compensation is found."""
    forgetful = {Verdict.BURY: Verdict.NOTHING}
    with_tombstones = verdict
    monkeypatch.setattr(
        "tests.amends.test_machine_exploration.verdict",
        lambda *seen: forgetful.get(with_tombstones(*seen), with_tombstones(*seen)),
    )
    with pytest.raises(AssertionError, match="compensated, but"):
        explore(saga_of("c p", ONCE), 0)
