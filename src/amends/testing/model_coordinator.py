"""The coordinator in the model: the real machine, on states without time.

A step that waits has a `due`, and any of them may come next. Attempts that decide nothing are left out: those of which
there are always more.
"""

from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import NamedTuple, cast

import msgspec

from amends.asking import Asker, open_asks
from amends.draft import Ask
from amends.errors import CannotMend
from amends.history import Entry, History
from amends.machine import Answer, Decision, Moment, advance, expire, start, wake_at
from amends.mending import Action, mend
from amends.messages import Envelope, Operation, Outcome, SagaId
from amends.pages import Instance
from amends.ports import Runtime
from amends.saga import Saga
from amends.state import ENDED, Phase, SagaState, StepState
from amends.testing.model_words import FAR, NEVER_SPENT, Numbered, Order, Sent
from amends.traces import Untraced

Message = Sent | Answer

DEADLINE = -1
_NOW = Moment(0.0, 0.0)
_STARTED = History(fresh=(Entry(0.0, -1, "started"),))
_TURNED = _STARTED.plus([Entry(0.0, 0, "refused"), Entry(0.0, -1, "turned back")])


class Written(NamedTuple):
    """What one transaction of the coordinator leaves, by number: the saga's state, the commands in its outbox."""

    saga: int
    asks: tuple[int, ...]


class Ids:
    """A runtime whose messages are all the same."""

    def new_id(self) -> str:
        return ""


class CoordinatorModel:
    """Decides as the real one does, each case once.

    With `fails` attempts travel, for answers that nothing happened. `wrong` are writes that no saga may see, by the
    states before and after.
    """

    def __init__(self, saga: Saga[Order], messages: Numbered[Message], *, fails: bool) -> None:
        self.definition = saga
        self.states = Numbered[SagaState]()
        self.wrong: dict[tuple[int, int], str] = {}
        self._messages = messages
        self._fails = fails
        self.begun = self._written(start(saga, _NOW), 1)
        self.take = cache(self._take)
        self.expire = cache(self._expire)
        self.retry = cache(self._retry)
        self.anew = cache(self._anew)
        self.waiting = cache(self._waiting)
        self.ended = cache(self._ended)
        self.spent = cache(self._spent)
        self._follow = cache(self._followers)

    def replace(self, before: int, after: int) -> None:
        """One state is written over another."""
        was, now = self.states.values[before], self.states.values[after]
        if was.backward and not now.backward:
            self.wrong[before, after] = "the saga goes forward again after it has turned back"
        if was.status in ENDED and before != after:
            self.wrong[before, after] = f"the saga was {was.status} and is {now.status}"

    def envelope(self, sent: Sent) -> Envelope:
        """The command as it travels."""
        state, definition = self.states.values[self.begun.saga], self.definition
        instance = Instance(SagaId("saga"), definition.name, definition.version, b"{}", state, 1, None, "", 0.0)
        ask = Ask(sent.step, sent.operation, sent.attempt, sent.again)
        asker = Asker("coordinator", cast(Runtime, Ids()), Untraced())
        return asker.envelopes(definition, instance, [ask], sent.epoch, 0.0)[0]

    def _take(self, saga: int, message: int, epoch: int) -> Written:
        """A reply arrives."""
        answer = cast(Answer, self._messages.values[message])
        return self._decided(saga, advance(self.definition, self.states.values[saga], answer, _NOW), epoch)

    def _expire(self, saga: int, at: int, epoch: int) -> Written:
        """Patience has ended with a step or, at `DEADLINE`, with the saga."""
        state = self.states.values[saga]
        if at == DEADLINE:
            due = msgspec.structs.replace(state, deadline=-1.0)
        else:
            late = msgspec.structs.replace(state.steps[at], due=-1.0)
            due = msgspec.structs.replace(state, steps=(*state.steps[:at], late, *state.steps[at + 1 :]))
        return self._decided(saga, expire(self.definition, due, _NOW), epoch)

    def _retry(self, saga: int, epoch: int) -> Written | None:
        """A person has what is stuck asked afresh; None when nothing is."""
        try:
            mended = mend(self.definition, self.states.values[saga], Action.RETRY, "", _NOW)
        except CannotMend:
            return None
        return self._decided(saga, mended, epoch)

    def _anew(self, saga: int, epoch: int) -> tuple[int, ...]:
        """What a successor asks as it takes over."""
        return () if self._ended(saga) else self._numbers(open_asks(self.states.values[saga]), epoch)

    def _waiting(self, saga: int) -> tuple[tuple[int, Operation], ...]:
        """Steps with which patience may end, and what they wait for, as long as anything wakes the saga."""
        state = self.states.values[saga]
        if self._ended(saga) or wake_at(self.definition, state) is None:
            return ()
        return tuple((at, _operation(step)) for at, step in enumerate(state.steps) if step.due is not None)

    def _ended(self, saga: int) -> bool:
        return self.states.values[saga].status in ENDED

    def _spent(self, saga: int, step: int, operation: Operation) -> bool:
        """Whether no answer to this changes the saga any more, whatever else comes first."""
        name = self.definition.steps[step].name
        answers = [self._messages.number(each) for each in self._answers() if each[:2] == (name, operation)]
        seen, left = {saga}, [saga]
        while left:
            each = left.pop()
            if any(self.take(each, answer, 1) != (each, ()) for answer in answers):
                return False
            fresh = self._follow(each) - seen
            seen |= fresh
            left += fresh
        return True

    def _followers(self, saga: int) -> frozenset[int]:
        """The states after anything that may come, and more than may come."""
        written = [self.take(saga, self._messages.number(answer), 1) for answer in self._answers()]
        written += [self.expire(saga, at, 1) for at in (DEADLINE, *(at for at, _ in self.waiting(saga)))]
        mended = self.retry(saga, 1)
        return frozenset(each.saga for each in (*written, mended) if each is not None)

    def _answers(self) -> list[Answer]:
        """Every answer that a participant may give."""
        outcomes = [(0, Outcome.DONE), (0, Outcome.REFUSED)]
        outcomes += [(1, Outcome.FAILED), (2, Outcome.FAILED)] if self._fails else []
        every = product(self.definition.steps, Operation, outcomes)
        return [Answer(step.name, operation, *outcome) for step, operation, outcome in every]

    def _decided(self, saga: int, decision: Decision, epoch: int) -> Written:
        written = self._written(decision, epoch)
        self.replace(saga, written.saga)
        return written

    def _written(self, decision: Decision, epoch: int) -> Written:
        return Written(self.states.number(self._timeless(decision.state)), self._numbers(decision.asks, epoch))

    def _numbers(self, asks: Iterable[Ask], epoch: int) -> tuple[int, ...]:
        return tuple(self._messages.number(self._sent(ask, epoch)) for ask in asks)

    def _sent(self, ask: Ask, epoch: int) -> Sent:
        return Sent(ask.step, ask.operation, min(ask.attempt, 2) if self._fails else 0, epoch, ask.again)

    def _timeless(self, state: SagaState) -> SagaState:
        steps = tuple(self._still(at, step) for at, step in enumerate(state.steps))
        history = _TURNED if state.backward else _STARTED
        return SagaState(state.status, state.backward, state.group, FAR, "", steps, history)

    def _still(self, at: int, step: StepState) -> StepState:
        if step.due is None:
            return StepState(step.phase, again=step.again)
        definition = self.definition.steps[at]
        budget = definition.undo_retry if step.phase is Phase.UNDOING else definition.retry
        attempts = min(step.attempts, 2 if self._fails else 1) if budget is NEVER_SPENT else step.attempts
        return StepState(step.phase, attempts, due=1.0, again=step.again)


def _operation(step: StepState) -> Operation:
    return Operation.COMPENSATION if step.phase is Phase.UNDOING else Operation.ACTION
