"""For each phase, direction and event the machine has one outcome: all of them, as a table."""

import itertools

import msgspec
import pytest

from amends.asking import open_asks
from amends.draft import Ask
from amends.errors import CannotMend
from amends.history import Entry, History
from amends.machine import Answer, Decision, advance, expire, start, wake_at
from amends.mending import Action, mend
from amends.messages import Operation, Outcome, Reply
from amends.saga import Given, Saga, retriable
from amends.state import ENDED, Phase, SagaState, Status, StepState
from tests.amends.machine_cases import FAR, NOW, QUICK, Do, Order, at, do, phases, saga_of

ACTION, COMPENSATION = Operation.ACTION, Operation.COMPENSATION
DONE, REFUSED, FAILED = Outcome.DONE, Outcome.REFUSED, Outcome.FAILED

# The step under test and where it stands in its saga.
SHAPES = {"compensatable": ("c c p r", 1), "pivot": ("c p r", 1), "retriable": ("c p r r", 2), "best": ("c p e r", 2)}
FORWARD_PHASES = [Phase.WAITING, Phase.ASKED, Phase.DONE, Phase.REFUSED, Phase.FAILED, Phase.STUCK, Phase.SKIPPED]
BACKWARD_PHASES = [*FORWARD_PHASES, Phase.UNDOING, Phase.UNDONE, Phase.RESOLVED]

# (kind or any, backward, phase, operation, outcome, budget spent or any) -> phase after. All others: as before.
MOVES: dict[tuple[str, bool, Phase, Operation, Outcome, bool | None], Phase] = {
    ("any", False, Phase.ASKED, ACTION, DONE, None): Phase.DONE,
    ("any", False, Phase.STUCK, ACTION, DONE, None): Phase.DONE,
    ("compensatable", False, Phase.ASKED, ACTION, REFUSED, None): Phase.REFUSED,
    ("pivot", False, Phase.ASKED, ACTION, REFUSED, None): Phase.REFUSED,
    ("pivot", False, Phase.STUCK, ACTION, REFUSED, None): Phase.REFUSED,
    ("retriable", False, Phase.ASKED, ACTION, REFUSED, None): Phase.STUCK,
    ("best", False, Phase.ASKED, ACTION, REFUSED, None): Phase.FAILED,
    ("compensatable", False, Phase.ASKED, ACTION, FAILED, True): Phase.UNDOING,
    ("pivot", False, Phase.ASKED, ACTION, FAILED, True): Phase.STUCK,
    ("retriable", False, Phase.ASKED, ACTION, FAILED, True): Phase.STUCK,
    ("best", False, Phase.ASKED, ACTION, FAILED, True): Phase.FAILED,
    ("any", True, Phase.ASKED, ACTION, DONE, None): Phase.UNDOING,
    ("any", True, Phase.ASKED, ACTION, REFUSED, None): Phase.REFUSED,
    ("any", True, Phase.ASKED, ACTION, FAILED, None): Phase.UNDOING,
    ("any", True, Phase.UNDOING, COMPENSATION, DONE, None): Phase.UNDONE,
    ("any", True, Phase.STUCK, COMPENSATION, DONE, None): Phase.UNDONE,
    ("any", True, Phase.UNDOING, COMPENSATION, REFUSED, None): Phase.STUCK,
    ("any", True, Phase.UNDOING, COMPENSATION, FAILED, True): Phase.STUCK,
}
TIMEOUTS: dict[tuple[str, bool, Phase, bool], Phase] = {
    ("compensatable", False, Phase.ASKED, True): Phase.UNDOING,
    ("pivot", False, Phase.ASKED, True): Phase.STUCK,
    ("retriable", False, Phase.ASKED, True): Phase.STUCK,
    ("best", False, Phase.ASKED, True): Phase.FAILED,
    ("compensatable", True, Phase.ASKED, False): Phase.UNDOING,
    ("compensatable", True, Phase.ASKED, True): Phase.UNDOING,
    ("compensatable", True, Phase.UNDOING, True): Phase.STUCK,
}


def state_with(kind: str, backward: bool, phase: Phase, spent: bool) -> tuple[Saga[Order], SagaState, int]:
    """The step of that kind in that phase; those before it are done, those after it wait."""
    shape, target = SHAPES[kind]
    saga = saga_of(shape)
    waits = phase in (Phase.ASKED, Phase.UNDOING)
    tried = StepState(phase, 2 if spent else 1, NOW, NOW + 5.0 if waits else None)
    steps = (*[StepState(Phase.DONE)] * target, tried, *[StepState()] * (len(saga.steps) - target - 1))
    status = Status.COMPENSATING if backward else Status.STUCK if phase is Phase.STUCK else Status.RUNNING
    group = target - 1 if phase is Phase.UNDOING else target
    history = History(fresh=(Entry(NOW, -1, "started"),))
    return saga, SagaState(status, backward, group, FAR, "why" if backward else "", steps, history), target


def cases() -> list[tuple[str, bool, Phase, bool]]:
    forward = itertools.product(SHAPES, [False], FORWARD_PHASES, [False, True])
    return [*forward, *itertools.product(["compensatable"], [True], BACKWARD_PHASES, [False, True])]


@pytest.mark.parametrize(("kind", "backward", "phase", "spent"), cases(), ids=str)
@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("outcome", Outcome)
def test_every_reply_has_one_outcome(
    kind: str, backward: bool, phase: Phase, spent: bool, operation: Operation, outcome: Outcome
) -> None:
    saga, state, target = state_with(kind, backward, phase, spent)
    answer = Answer(f"s{target}", operation, state.steps[target].attempts, outcome, "OutOfStock")

    after = advance(saga, state, answer, at(NOW + 1)).state

    keys = itertools.product([kind, "any"], [backward], [phase], [operation], [outcome], [spent, None])
    expected = next((MOVES[key] for key in keys if key in MOVES), phase)
    assert after.steps[target].phase is expected
    if expected is phase and outcome is not FAILED:
        assert msgspec.structs.replace(after, history=state.history) == state


@pytest.mark.parametrize(("kind", "backward", "phase", "spent"), cases(), ids=str)
def test_every_timeout_has_one_outcome(kind: str, backward: bool, phase: Phase, spent: bool) -> None:
    saga, state, target = state_with(kind, backward, phase, spent)

    decision = expire(saga, state, at(NOW + 6))

    expected = TIMEOUTS.get((kind, backward, phase, spent), phase)
    assert decision.state.steps[target].phase is expected
    if expected is phase and phase in (Phase.ASKED, Phase.UNDOING):
        assert decision.asks == (Ask(target, ACTION if phase is Phase.ASKED else COMPENSATION, 2),)


@pytest.mark.parametrize(("kind", "backward", "phase", "spent"), cases(), ids=str)
def test_patience_is_kept_until_its_end(kind: str, backward: bool, phase: Phase, spent: bool) -> None:
    saga, state, _ = state_with(kind, backward, phase, spent)
    assert expire(saga, state, at(NOW + 4.9)) == Decision(state, ())


@pytest.mark.parametrize("status", sorted(ENDED))
@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("phase", Phase)
def test_an_ended_saga_is_final(status: Status, operation: Operation, outcome: Outcome, phase: Phase) -> None:
    saga = saga_of("c p r")
    state = SagaState(status, False, 1, FAR, "", (StepState(phase),) * 3, History(fresh=(Entry(NOW, -1, "x"),)))

    assert advance(saga, state, Answer("s1", operation, 1, outcome), at()) == Decision(state, ())
    assert expire(saga, state, at(FAR)) == Decision(state, ())
    assert wake_at(saga, state) is None


def test_reply_to_an_unknown_step_changes_nothing() -> None:
    saga = saga_of("c p r")
    begun = start(saga, at()).state
    assert advance(saga, begun, Answer("other", ACTION, 1, DONE), at()) == Decision(begun, ())


def test_start_asks_the_whole_first_group_at_once() -> None:
    decision = start(saga_of("cc p"), at())
    assert decision.asks == (Ask(0, ACTION, 1), Ask(1, ACTION, 1))
    assert phases(decision.state) == [Phase.ASKED, Phase.ASKED, Phase.WAITING]


def test_begun_step_is_done_when_the_saga_starts() -> None:
    decision = start(saga_of("b c"), at())
    assert phases(decision.state) == [Phase.DONE, Phase.ASKED]
    assert decision.asks == (Ask(1, ACTION, 1),)


def test_saga_of_a_begun_step_alone_is_completed_at_once() -> None:
    assert start(saga_of("b"), at()).state.status is Status.COMPLETED


def test_held_step_waits_without_spending_an_attempt() -> None:
    saga, state, target = state_with("retriable", False, Phase.ASKED, spent=True)
    decision = expire(saga, state, at(NOW + 6), {target: False})
    assert decision.asks == ()
    assert (decision.state.steps[target].phase, decision.state.steps[target].attempts) == (Phase.ASKED, 2)
    assert (wake_at(saga, decision.state) or 0) > NOW + 6


def test_probe_asks_the_same_attempt_once_more() -> None:
    saga, state, target = state_with("retriable", False, Phase.ASKED, spent=True)
    decision = expire(saga, state, at(NOW + 6), {target: True})
    assert decision.asks == (Ask(target, ACTION, 2),)
    assert decision.state.steps[target].attempts == 2


def test_deadline_turns_a_waiting_saga_back() -> None:
    saga = saga_of("c cc p")
    state = advance(saga, start(saga, at()).state, Answer("s0", ACTION, 1, DONE), at()).state
    state = msgspec.structs.replace(state, deadline=NOW + 1)
    decision = expire(saga, state, at(NOW + 2))
    assert (decision.state.status, decision.state.cause) == (Status.COMPENSATING, "deadline")


def test_deadline_does_not_touch_a_committed_saga() -> None:
    saga, state, _ = state_with("pivot", False, Phase.ASKED, spent=False)
    state = msgspec.structs.replace(state, deadline=NOW - 1)
    assert not expire(saga, state, at(NOW + 6)).state.backward


def test_reply_that_says_more_than_done_is_kept() -> None:
    saga = saga_of("c p")
    state = advance(saga, start(saga, at()).state, Answer("s0", ACTION, 1, DONE, "Ok", b'{"x":1}'), at()).state
    assert bytes(state.steps[0].reply or b"") == b'{"x":1}'


@pytest.mark.parametrize("action", [Action.SKIP, Action.RESOLVE], ids=str)
def test_step_whose_reply_a_later_one_is_given_can_only_be_retried(action: Action) -> None:
    def do_given(order: Order, seat: Seat) -> Do:
        return Do(f"{order.id}{seat.number}")

    saga = Saga("case", Order, retriable("a", do, retry=QUICK), retriable("b", do_given, given=Given("a", Seat)))
    stuck = start(saga, at()).state
    for _ in range(2):
        stuck = expire(saga, stuck, at(wake_at(saga, stuck) or 0.0)).state
    assert stuck.status is Status.STUCK
    with pytest.raises(CannotMend, match="'b' is given the reply of 'a': retry it"):
        mend(saga, stuck, action, "ann: why", at())
    assert mend(saga, stuck, Action.RETRY, "ann: why", at()).asks == (Ask(0, ACTION, 1, again=True),)


class Seat(Reply):
    number: int


def test_parallel_refusal_waits_for_what_is_in_flight_then_undoes_in_reverse() -> None:
    saga = saga_of("c ccc p")
    state = advance(saga, start(saga, at()).state, Answer("s0", ACTION, 1, DONE), at()).state
    refused = advance(saga, state, Answer("s2", ACTION, 1, REFUSED, "OutOfStock"), at())
    assert refused.asks == ()
    one = advance(saga, refused.state, Answer("s1", ACTION, 1, DONE), at())
    assert one.asks == ()
    both = advance(saga, one.state, Answer("s3", ACTION, 1, DONE), at())
    assert both.asks == (Ask(3, COMPENSATION, 1), Ask(1, COMPENSATION, 1))


def test_first_declared_refusal_names_the_cause_whichever_came_first() -> None:
    saga = saga_of("ccc p")
    state = start(saga, at()).state
    for name, reason in (("s1", "NoCourier"), ("s2", "NoMoney"), ("s0", "OutOfStock")):
        state = advance(saga, state, Answer(name, ACTION, 1, REFUSED, reason), at()).state
    assert (state.status, state.cause) == (Status.COMPENSATED, "out-of-stock")


def test_replies_of_old_attempts_do_not_count_as_failures_of_the_present_one() -> None:
    saga, state, target = state_with("retriable", False, Phase.ASKED, spent=True)
    after = advance(saga, state, Answer(f"s{target}", ACTION, 1, FAILED), at()).state
    assert after.steps[target].phase is Phase.ASKED


def test_pause_after_a_failure_is_spread_by_the_roll() -> None:
    saga = saga_of("c p")
    state = start(saga, at()).state
    dues = [
        advance(saga, state, Answer("s0", ACTION, 1, FAILED), at(roll=roll)).state.steps[0].due for roll in (0.0, 0.9)
    ]
    assert dues == pytest.approx([NOW, NOW + 0.09])


def test_step_that_a_person_has_asked_anew_stays_so_until_it_is_answered() -> None:
    saga = saga_of("c r")
    state = advance(saga, start(saga, at()).state, Answer("s0", ACTION, 1, DONE), at()).state
    state = advance(saga, state, Answer("s1", ACTION, 1, REFUSED, "OutOfStock"), at()).state
    state = mend(saga, state, Action.RETRY, "ann: it is mended", at()).state
    assert [ask.again for ask in open_asks(state)] == [True]
    assert [ask.again for ask in expire(saga, state, at(NOW + 100)).asks] == [True]
