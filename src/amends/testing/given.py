"""Given, when, then: one saga in the hands of a test, over the pure machine; no event loop, no database.

    saga = given(buy_ticket, Ticket(90))
    assert saga.asked == {"pay": Pay(90)}
    saga.answers("pay", Done()).answers("take seat", SoldOut())
    assert saga.asked == {"pay": Pay(-90)}
    saga.answers("pay", Done()).then("compensated", undone=["pay"], cause="sold-out")

Time stands still until it `passes`, or until something `times_out`.
"""

from collections.abc import Collection
from difflib import get_close_matches
from typing import Generic, Self

from amends import machine
from amends.asking import build, open_asks
from amends.draft import Ask
from amends.machine import Answer, Decision, Moment
from amends.messages import Command, Outcome, Refusal, Reply, encode, type_name
from amends.saga import Saga
from amends.state import ENDED, Phase, SagaState
from amends.steps import I

_BEGAN = 2_000_000_000.0
_MIDDLE = 0.5


def given(saga: Saga[I], input: I) -> "GivenSaga[I]":
    """The saga as it has just been started, with its first steps asked. Raises `TypeError` for another input."""
    if not isinstance(input, saga.input):
        raise TypeError(f"{saga.name} is started with a {saga.input.__name__}, not with {input!r}")
    return GivenSaga(saga, input)


class GivenSaga(Generic[I]):
    """A saga that goes on as the test answers. `state` is all that the machine knows, `now` a Unix time in seconds.

    What is done to it returns it. Raises `AssertionError` for a step not asked now, `ValueError` for an unknown one.
    """

    def __init__(self, saga: Saga[I], input: I) -> None:
        self.saga = saga
        self.input = input
        self.now = _BEGAN
        self.state: SagaState
        self._take(machine.start(saga, self._moment()))

    @property
    def asked(self) -> dict[str, Command]:
        """The commands that wait for an answer, by their steps; on the way back they are compensations."""
        asks = {self.saga.steps[ask.step].name: ask for ask in self._open()}
        return {name: self._command(ask) for name, ask in asks.items()}

    @property
    def status(self) -> str:
        """ "running", "compensating", "completed", "compensated" or "stuck"."""
        return self.state.status.value

    @property
    def cause(self) -> str:
        """Why it turned back: a refusal's reason, or `timeout: pay`, `failed: pay`, `deadline`; "" when it has not."""
        return self.state.cause

    @property
    def done(self) -> list[str]:
        """The steps that are done and not being undone, in their order."""
        return self._in(Phase.DONE)

    @property
    def undone(self) -> list[str]:
        """The steps whose compensation is done, in their order."""
        return self._in(Phase.UNDONE)

    @property
    def history(self) -> list[str]:
        """What has happened, a line each: `asked pay`, `turned back (sold-out)`."""
        return [_line(self.saga, entry.step, entry.what, entry.detail) for entry in self.state.history]

    def answers(self, step: str, answer: Reply | Refusal) -> Self:
        """The participant has carried out what it is asked, or refuses it."""
        outcome = Outcome.REFUSED if isinstance(answer, Refusal) else Outcome.DONE
        return self._answered(step, outcome, type_name(type(answer)), encode(answer))

    def fails(self, step: str, why: str = "Error") -> Self:
        """The participant's handler raises: nothing has happened, and it is asked again or given up."""
        return self._answered(step, Outcome.FAILED, why, b"{}")

    def times_out(self, step: str) -> Self:
        """Nothing is heard until patience with this attempt ends: it is asked again, or given up. Time passes."""
        due = self.state.steps[self._ask_of(step).step].due
        assert due is not None
        return self.passes(due - self.now)

    def never_answers(self, step: str) -> Self:
        """It times out until it is given up: undone on the way back, or stuck."""
        operation = self._ask_of(step).operation
        while any((self._name(ask), ask.operation) == (step, operation) for ask in self._open()):
            self.times_out(step)
        return self

    def passes(self, seconds: float) -> Self:
        """Time passes; whatever is due meanwhile is asked again or given up."""
        end = self.now + seconds
        while (wake := self._wake()) is not None and wake <= end:
            self.now = max(self.now, wake)
            self._take(machine.expire(self.saga, self.state, self._moment()))
        self.now = max(self.now, end)
        return self

    def then(
        self,
        status: str,
        *,
        done: Collection[str] | None = None,
        undone: Collection[str] | None = None,
        cause: str | None = None,
    ) -> Self:
        """Asserts how it stands, and which steps are done and undone, in any order; None: whatever they are."""
        __tracebackhide__ = True
        wrong = [f"status is {self.status}, not {status}"] if status != self.status else []
        if cause is not None and cause != self.cause:
            wrong.append(f"cause is {self.cause or 'none'}, not {cause or 'none'}")
        for what, wanted, found in (("done", done, self.done), ("undone", undone, self.undone)):
            if wanted is not None and set(map(self._known, wanted)) != set(found):
                wrong.append(f"{what} is {_listed(found)}, not {_listed(wanted)}")
        if wrong:
            raise AssertionError("\n".join([f"{self.saga.name}: {'; '.join(wrong)}", *self._told()]))
        return self

    def __repr__(self) -> str:
        return f"<{self.saga.name}: {self.status}, {self._waits_for()}>"

    def _answered(self, step: str, outcome: Outcome, type: str, payload: bytes) -> Self:
        ask = self._ask_of(step)
        answer = Answer(step, ask.operation, ask.attempt, outcome, type, payload)
        self._take(machine.advance(self.saga, self.state, answer, self._moment()))
        return self

    def _take(self, decision: Decision) -> None:
        self.state = decision.state

    def _moment(self) -> Moment:
        return Moment(self.now, _MIDDLE)

    def _wake(self) -> float | None:
        return None if self.state.status in ENDED else machine.wake_at(self.saga, self.state)

    def _open(self) -> list[Ask]:
        return open_asks(self.state)

    def _command(self, ask: Ask) -> Command:
        return build(self.saga.steps[ask.step], self.input, self.state, self.saga, ask.operation)

    def _ask_of(self, step: str) -> Ask:
        at = self.saga.index[self._known(step)]
        for ask in self._open():
            if ask.step == at:
                return ask
        wrong = f"{self.saga.name}: {step!r} is not asked now, it is {self.state.steps[at].phase.value}"
        raise AssertionError("\n".join([wrong, *self._told()]))

    def _known(self, step: str) -> str:
        if step in self.saga.index:
            return step
        near = get_close_matches(step, self.saga.index, 1)
        meant = f"; is {near[0]!r} meant?" if near else ""
        raise ValueError(f"{self.saga.name} has no step {step!r}: there are {_listed(self.saga.index)}{meant}")

    def _in(self, phase: Phase) -> list[str]:
        pairs = zip(self.saga.steps, self.state.steps, strict=True)
        return [step.name for step, state in pairs if state.phase is phase]

    def _name(self, ask: Ask) -> str:
        return self.saga.steps[ask.step].name

    def _waits_for(self) -> str:
        return f"asked now: {', '.join(f'{step}: {command!r}' for step, command in self.asked.items()) or 'nothing'}"

    def _told(self) -> list[str]:
        return [f"  {self._waits_for()}", f"  so far: {' → '.join(self.history)}"]


def _line(saga: Saga[I], step: int, what: str, detail: str) -> str:
    name = f" {saga.steps[step].name}" if step >= 0 else ""
    return f"{what}{name} ({detail})" if detail else f"{what}{name}"


def _listed(names: Collection[str]) -> str:
    return ", ".join(names) or "nothing"
