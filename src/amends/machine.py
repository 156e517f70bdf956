"""The state machine of a saga: pure functions from (definition, state, what happened) to (new state, what to ask).

    start ──▶ running ──last group settled──▶ completed
                 │  refusal, spent compensatable step, deadline, cancel; all before the commit group
                 ▼
            compensating: settle what is in flight, then undo every step that was asked, last group first
                 │
                 └──all undone──▶ compensated

A step that keeps failing past its budget is `stuck`; so is its saga, once nothing else can go on. No I/O, no clock, no
chance in here: `now` is Unix time in seconds, `roll` a number in [0, 1) that spreads the pauses.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from amends.draft import Ask, Draft
from amends.history import History
from amends.messages import Operation, Outcome, reason_of
from amends.saga import Saga
from amends.state import ENDED, Phase, SagaState, Status, StepState
from amends.steps import Kind

_NONE_HELD: Mapping[int, bool] = MappingProxyType({})


class Answered(Protocol):
    """What the machine reads of a reply; an `Envelope` has it, too."""

    @property
    def step(self) -> str: ...
    @property
    def operation(self) -> Operation: ...
    @property
    def attempt(self) -> int: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def type(self) -> str: ...
    @property
    def payload(self) -> bytes: ...


class Answer(NamedTuple):
    """A participant's reply to one ask."""

    step: str
    operation: Operation
    attempt: int
    outcome: Outcome
    type: str = ""
    payload: bytes = b"{}"


class Moment(NamedTuple):
    """When something happens, and the chance that goes with it."""

    now: float
    roll: float


class Decision(NamedTuple):
    """The state after, and the commands to send, in order."""

    state: SagaState
    asks: tuple[Ask, ...]


def start(saga: Saga[Any], moment: Moment) -> Decision:
    """The first state of an instance, with its first commands."""
    steps = tuple(StepState() for _ in saga.steps)
    state = SagaState(Status.RUNNING, False, 0, moment.now + saga.deadline_s, "", steps, History())
    draft = Draft(saga, state, moment.now, moment.roll)
    draft.note(-1, "started")
    draft.enter(0)
    return _decide(draft)


def advance(saga: Saga[Any], state: SagaState, answer: Answered, moment: Moment) -> Decision:
    """Takes a reply in. One that comes twice or too late changes nothing but, maybe, the history."""
    return advance_all(saga, state, (answer,), moment)


def advance_all(saga: Saga[Any], state: SagaState, answers: Sequence[Answered], moment: Moment) -> Decision:
    """Takes replies in, one after the other."""
    draft = Draft(saga, state, moment.now, moment.roll)
    for answer in answers:
        at = saga.index.get(answer.step, -1)
        if at >= 0 and draft.status not in ENDED:
            _take(draft, at, answer)
    return _decide(draft)


def expire(saga: Saga[Any], state: SagaState, moment: Moment, held: Mapping[int, bool] = _NONE_HELD) -> Decision:
    """Acts on every step whose patience has ended.

    Steps in `held` wait for their participant's circuit to close and spend nothing; True: they probe it.
    """
    if state.status in ENDED:
        return Decision(state, ())
    draft = Draft(saga, state, moment.now, moment.roll)
    for at in range(len(state.steps)):
        due = draft.steps[at].due
        if due is not None and due <= moment.now:
            _expire_step(draft, at, held.get(at))
    if not draft.committed and not draft.backward and moment.now >= state.deadline:
        draft.turn_back("deadline")
    return _decide(draft)


def wake_at(saga: Saga[Any], state: SagaState) -> float | None:
    """The Unix time at which `expire` has something to do, or None."""
    wake = state.deadline if state.status is Status.RUNNING and state.group < saga.commit_group else None
    for step in state.steps:
        if step.due is not None and (wake is None or step.due < wake):
            wake = step.due
    return wake


def _decide(draft: Draft) -> Decision:
    return Decision(draft.freeze(), tuple(draft.asks))


def _take(draft: Draft, at: int, answer: Answered) -> None:
    if answer.operation is Operation.COMPENSATION:
        _take_compensation(draft, at, answer)
    elif draft.backward:
        _take_late_action(draft, at, answer)
    else:
        _take_action(draft, at, answer)


def _take_action(draft: Draft, at: int, answer: Answered) -> None:
    """A reply to an action while the saga goes forward."""
    step = draft.steps[at]
    match step.phase, answer.outcome:
        case (Phase.ASKED | Phase.STUCK, Outcome.DONE):
            draft.put(at, Phase.DONE, reply=_kept(answer))
            draft.go_on()
        case (Phase.ASKED, Outcome.REFUSED):
            _refused(draft, at, answer)
        case (Phase.STUCK, Outcome.REFUSED) if draft.saga.steps[at].kind is Kind.PIVOT:
            _refused(draft, at, answer)
        case (Phase.ASKED, Outcome.FAILED) if answer.attempt == step.attempts:
            _failed(draft, at, answer)
        case _:
            draft.late(at, answer.outcome)


def _refused(draft: Draft, at: int, answer: Answered) -> None:
    kind, reason = draft.saga.steps[at].kind, reason_of(answer.type)
    if kind in (Kind.COMPENSATABLE, Kind.PIVOT):
        draft.put(at, Phase.REFUSED, detail=reason)
        draft.turn_back(reason)
    else:
        draft.put(at, Phase.FAILED if kind is Kind.BEST_EFFORT else Phase.STUCK, detail=reason)
        draft.go_on()


def _failed(draft: Draft, at: int, answer: Answered) -> None:
    """The participant says that nothing happened: ask again after a pause, while the budget lasts."""
    if draft.spent(at):
        _give_up(draft, at, "failed")
    else:
        draft.pause(at, answer.type)


def _take_late_action(draft: Draft, at: int, answer: Answered) -> None:
    """A reply to an action after the saga has turned back: what was done is queued for undo."""
    step = draft.steps[at]
    match step.phase, answer.outcome:
        case (Phase.ASKED, Outcome.DONE):
            draft.put(at, Phase.DONE, reply=_kept(answer))
            draft.unwind()
        case (Phase.ASKED, Outcome.REFUSED):
            draft.put(at, Phase.REFUSED, detail=reason_of(answer.type))
            draft.name_cause(at, reason_of(answer.type))
            draft.unwind()
        case (Phase.ASKED, Outcome.FAILED) if step.due is not None:
            draft.unknown(at)
            draft.unwind()
        case _:
            draft.late(at, answer.outcome)


def _take_compensation(draft: Draft, at: int, answer: Answered) -> None:
    step = draft.steps[at]
    undoing = draft.backward and step.phase in (Phase.UNDOING, Phase.STUCK)
    match answer.outcome:
        case Outcome.DONE if undoing:
            draft.put(at, Phase.UNDONE)
            draft.unwind()
        case Outcome.REFUSED if undoing and step.phase is Phase.UNDOING:
            draft.put(at, Phase.STUCK, detail=reason_of(answer.type))
            draft.unwind()
        case Outcome.FAILED if step.phase is Phase.UNDOING and answer.attempt == step.attempts:
            _failed(draft, at, answer)
        case _:
            draft.late(at, answer.outcome)


def _expire_step(draft: Draft, at: int, held: bool | None) -> None:
    settling = draft.backward and draft.steps[at].phase is Phase.ASKED
    if settling:
        draft.unknown(at)
        draft.unwind()
    elif held is not None:
        draft.hold(at, probe=held)
    elif draft.spent(at) or _past_deadline(draft):
        _give_up(draft, at, "timeout")
    else:
        draft.ask_again(at)


def _past_deadline(draft: Draft) -> bool:
    return not draft.backward and not draft.committed and draft.now >= draft.deadline


def _give_up(draft: Draft, at: int, why: str) -> None:
    """No attempt is left. Before the commit group the outcome counts as unknown and is undone; after it, stuck."""
    step = draft.saga.steps[at]
    if draft.backward:
        draft.put(at, Phase.STUCK, detail=why)
        draft.unwind()
    elif step.kind is Kind.COMPENSATABLE:
        draft.unknown(at)
        draft.turn_back(f"{why}: {step.name}")
    else:
        draft.put(at, Phase.FAILED if step.kind is Kind.BEST_EFFORT else Phase.STUCK, detail=why)
        draft.go_on()


def _kept(answer: Answered) -> bytes | None:
    """A reply that says more than done is kept for the builders of later commands."""
    return None if answer.payload == b"{}" else answer.payload
