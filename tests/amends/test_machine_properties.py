"""Whatever is answered, lost, repeated, late, cancelled or mended: the machine keeps to its graph and its direction."""

import itertools
from random import Random

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from amends.draft import Ask
from amends.errors import CannotMend
from amends.machine import Answer, Decision, advance, expire, start, wake_at
from amends.mending import Action, mend
from amends.messages import Operation, Outcome
from amends.retry import Retry
from amends.saga import Kind, Saga
from amends.state import ENDED, Phase, SagaState, Status
from tests.amends.machine_cases import QUICK, Order, at, moving, saga_of, shapes

ACTION, COMPENSATION = Operation.ACTION, Operation.COMPENSATION

# From each phase, those that one call of the machine may lead to.
GRAPH = {
    Phase.WAITING: {Phase.ASKED},
    Phase.ASKED: {Phase.DONE, Phase.REFUSED, Phase.FAILED, Phase.STUCK, Phase.UNDOING},
    Phase.DONE: {Phase.UNDOING},
    Phase.REFUSED: set(),
    Phase.FAILED: set(),
    Phase.UNDOING: {Phase.UNDONE, Phase.STUCK},
    Phase.UNDONE: set(),
    Phase.STUCK: {Phase.ASKED, Phase.UNDOING, Phase.DONE, Phase.REFUSED, Phase.UNDONE, Phase.SKIPPED, Phase.RESOLVED},
    Phase.SKIPPED: set(),
    Phase.RESOLVED: set(),
}
SETTLED = {Phase.DONE, Phase.FAILED, Phase.SKIPPED, Phase.RESOLVED}
OVER = {Phase.WAITING, Phase.REFUSED, Phase.UNDONE, Phase.SKIPPED, Phase.RESOLVED}
ROLLS = st.floats(0.0, 0.999)

replies = st.tuples(
    st.just("reply"), st.integers(0, 5), st.sampled_from(Operation), st.integers(1, 3), st.sampled_from(Outcome)
)
fitting = st.tuples(st.just("fitting"), st.integers(0, 5), st.sampled_from(Outcome))
waits = st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 5.0, 6.0, 20_000.0]))
mends = st.tuples(st.just("mend"), st.sampled_from(Action), st.integers(-1, 5))
events = st.lists(st.one_of(fitting, fitting, fitting, replies, waits, waits, mends), max_size=30)


class Run:
    """A saga under events; every move is checked, every ask kept."""

    def __init__(self, saga: Saga[Order]) -> None:
        self.saga, self.now = saga, 1_000.0
        self.asks: list[Ask] = []
        begun = start(saga, at(self.now))
        self.state = begun.state
        self.asks += begun.asks
        self.mended = False

    def take(self, event: tuple[object, ...], roll: float) -> None:
        match event:
            case ("reply", int(step), Operation() as operation, int(attempt), Outcome() as outcome):
                self.answer(step, operation, attempt, outcome, roll)
            case ("fitting", int(number), Outcome() as outcome) if self.asks:
                ask = self.asks[-1 - number % len(self.asks)]
                self.answer(ask.step, ask.operation, ask.attempt, outcome, roll)
            case ("wait", float(seconds)):
                self.now += seconds
                self.move(expire(self.saga, self.state, at(self.now, roll)))
            case ("mend", Action() as action, int(step)):
                self._mend(action, step, roll)

    def answer(self, step: int, operation: Operation, attempt: int, outcome: Outcome, roll: float) -> None:
        answer = Answer(f"s{step}", operation, attempt, outcome, "NotToday")
        before = self.state
        self.move(advance(self.saga, self.state, answer, at(self.now, roll)))
        again = advance(self.saga, self.state, answer, at(self.now, roll))
        if outcome is not Outcome.FAILED and self.state != before:
            assert without_history(again.state) == without_history(self.state), "a duplicate changed something"
            assert again.asks == ()

    def _mend(self, action: Action, step: int, roll: float) -> None:
        name = f"s{step}" if step >= 0 else ""
        try:
            decision = mend(self.saga, self.state, action, "ann: why", at(self.now, roll), name)
        except CannotMend:
            return
        assert self.state.status not in ENDED
        self.mended = self.mended or action in (Action.SKIP, Action.RESOLVE)
        self.move(decision)

    def move(self, decision: Decision) -> None:
        before, self.state = self.state, decision.state
        check_move(self.saga, before, decision)
        check_state(self.saga, self.state)
        self.asks += decision.asks


def without_history(state: SagaState) -> SagaState:
    return msgspec.structs.replace(state, history=type(state.history)())


def check_move(saga: Saga[Order], before: SagaState, decision: Decision) -> None:
    now = decision.state
    if before.status in ENDED:
        assert now == before, "an end was left"
    assert not before.backward or now.backward, "turned forward again"
    assert not before.backward or all(ask.operation is COMPENSATION for ask in decision.asks)
    assert tuple(now.history)[: len(before.history)] == tuple(before.history), "history was rewritten"
    for number, (old, new) in enumerate(zip(before.steps, now.steps, strict=True)):
        reached = GRAPH[old.phase] | ({Phase.DONE} if saga.steps[number].ask is None else set())
        assert new.phase is old.phase or new.phase in reached, f"{old.phase} -> {new.phase}"
        assert new.attempts <= max(saga.steps[number].retry.attempts, saga.steps[number].undo_retry.attempts)
    if now.backward and not before.backward:
        assert before.group < saga.commit_group or saga.steps[saga.groups[before.group][0]].kind is Kind.PIVOT
    check_asks(before, decision)


def check_asks(before: SagaState, decision: Decision) -> None:
    last = {step: (each.phase, each.attempts) for step, each in enumerate(before.steps)}
    for ask in decision.asks:
        phase, attempts = last[ask.step]
        asked = Phase.ASKED if ask.operation is ACTION else Phase.UNDOING
        assert ask.attempt == (attempts + 1 if phase is asked else 1), "attempts neither grow by one nor start anew"
        last[ask.step] = (asked, ask.attempt)
        assert decision.state.steps[ask.step].phase in (asked, Phase.UNDOING)


def check_state(saga: Saga[Order], state: SagaState) -> None:
    phases = [each.phase for each in state.steps]
    match state.status:
        case Status.COMPLETED:
            assert set(phases) <= SETTLED
            assert not state.backward
        case Status.COMPENSATED:
            assert set(phases) <= OVER
            assert state.backward
            assert state.cause
        case Status.STUCK:
            assert Phase.STUCK in phases
            assert all(each.due is None for each in state.steps)
        case Status.RUNNING | Status.COMPENSATING:
            assert wake_at(saga, state) is not None, "nothing would ever wake it"
    if not state.backward:
        assert not {Phase.UNDOING, Phase.UNDONE} & set(phases)
    for number, step in enumerate(state.steps):
        compensatable = saga.steps[number].kind is Kind.COMPENSATABLE
        assert compensatable or step.phase not in (Phase.UNDOING, Phase.UNDONE), "a committed step was undone"
        assert state.backward or not (compensatable and step.phase in (Phase.STUCK, Phase.FAILED))
    check_order(saga, state)


def check_order(saga: Saga[Order], state: SagaState) -> None:
    """Forward no group is asked before the one ahead is settled; backward none is undone before the one behind.

    An undo that is stuck holds up no other; when a person has it retried, it comes after those ahead of it.
    """
    groups = [[state.steps[number].phase for number in group] for group in saga.groups]
    for ahead, behind in itertools.pairwise(groups):
        if set(behind) != {Phase.WAITING} and not state.backward:
            assert set(ahead) <= SETTLED
        if {Phase.UNDOING, Phase.UNDONE} & set(ahead) and all(entry.what != "retry" for entry in state.history):
            assert not {Phase.DONE, Phase.ASKED, Phase.UNDOING} & set(behind)


budgets = st.builds(Retry, attempts=st.integers(1, 3), base_s=st.just(0.1), cap_s=st.just(1.0))
quick = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@quick
@given(shape=shapes(), retry=budgets, events=events, rolls=st.lists(ROLLS, min_size=1, max_size=5))
def test_no_events_leave_the_graph(
    shape: str, retry: Retry, events: list[tuple[object, ...]], rolls: list[float]
) -> None:
    run = Run(saga_of(shape, retry))
    check_state(run.saga, run.state)
    for event, roll in zip(events, itertools.cycle(rolls), strict=False):
        run.take(event, roll)


@quick
@given(shape=shapes(), retry=budgets, events=events, roll=ROLLS)
def test_time_alone_brings_every_saga_to_an_end_or_to_a_person(
    shape: str, retry: Retry, events: list[tuple[object, ...]], roll: float
) -> None:
    run = Run(saga_of(shape, retry))
    for event in events:
        run.take(event, roll)
    bound = sum(step.retry.attempts + step.undo_retry.attempts + 2 for step in run.saga.steps)
    for _ in range(bound):
        if not moving(run.state):
            break
        run.now = max(run.now, wake_at(run.saga, run.state) or 0.0)
        run.take(("wait", 0.0), roll)
    assert not moving(run.state), f"still {run.state.status} after {bound} timers"


@quick
@given(shape=shapes(), outcomes=st.lists(st.sampled_from(Outcome), max_size=20), roll=ROLLS)
def test_answers_decide_the_end(shape: str, outcomes: list[Outcome], roll: float) -> None:
    """Every ask is answered, in the order of asking: all done is completed, a refusal before the commit compensated."""
    run = Run(saga_of(shape, QUICK))
    answered = 0
    for outcome in itertools.chain(outcomes, itertools.repeat(Outcome.DONE)):
        if answered == len(run.asks):
            if not moving(run.state):
                break
            run.now = wake_at(run.saga, run.state) or 0.0
            run.take(("wait", 0.0), roll)
            continue
        ask = run.asks[answered]
        answered += 1
        run.answer(ask.step, ask.operation, ask.attempt, outcome, roll)
    refused = [number for number, each in enumerate(run.state.steps) if each.phase is Phase.REFUSED]
    assert not refused or run.state.backward
    if set(outcomes) <= {Outcome.DONE}:
        assert run.state.status is Status.COMPLETED


@quick
@given(shape=shapes(), order=st.randoms(use_true_random=False), refusing=st.sets(st.integers(0, 5), min_size=1))
def test_cause_is_the_first_declared_refusal_whatever_the_order_of_answers(
    shape: str, order: Random, refusing: set[int]
) -> None:
    saga = saga_of(shape)
    run = Run(saga)
    while moving(run.state) and not run.state.backward:
        group = [number for number in saga.groups[run.state.group] if run.state.steps[number].phase is Phase.ASKED]
        order.shuffle(group)
        for number in group:
            outcome = Outcome.REFUSED if number in refusing else Outcome.DONE
            answer = Answer(f"s{number}", ACTION, 1, outcome, f"Reason{number}")
            run.move(advance(saga, run.state, answer, at(run.now)))
    refused = [number for number, each in enumerate(run.state.steps) if each.phase is Phase.REFUSED]
    assert not run.state.backward or run.state.cause == f"reason{min(refused)}"


@quick
@given(shape=shapes(), events=events, late=st.lists(replies, min_size=1, max_size=10))
def test_late_replies_never_change_an_end(
    shape: str, events: list[tuple[object, ...]], late: list[tuple[object, ...]]
) -> None:
    run = Run(saga_of(shape))
    for event in events:
        run.take(event, 0.5)
    while moving(run.state):
        run.now = wake_at(run.saga, run.state) or 0.0
        run.take(("wait", 0.0), 0.5)
    end = run.state
    if end.status in ENDED:
        for reply in late:
            run.take(reply, 0.5)
        assert run.state == end


@quick
@given(shape=shapes(), numbers=st.permutations(range(6)))
def test_refusals_after_a_cancel_do_not_rename_its_cause(shape: str, numbers: list[int]) -> None:
    run = Run(saga_of(shape))
    run.take(("mend", Action.CANCEL, -1), 0.5)
    for number in numbers:
        run.take(("reply", number, ACTION, 1, Outcome.REFUSED), 0.5)
    if any(entry.what == "cancel" for entry in run.state.history):
        assert run.state.cause == "cancelled"
