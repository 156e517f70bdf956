"""A state being changed: the moves that the machine is made of. Lives only inside one call of the machine."""

from typing import Any, NamedTuple

import msgspec

from amends.history import Entry
from amends.messages import Operation
from amends.retry import Retry
from amends.saga import Saga
from amends.state import Phase, SagaState, Status, StepState
from amends.steps import Step

_SETTLED = frozenset({Phase.DONE, Phase.FAILED, Phase.SKIPPED, Phase.RESOLVED})


class Ask(NamedTuple):
    """A command to send: which step, its action or its compensation, the how-manieth time."""

    step: int
    operation: Operation
    attempt: int
    again: bool = False


class Draft:
    __slots__ = (
        "_before",
        "_entries",
        "asks",
        "backward",
        "cause",
        "deadline",
        "group",
        "now",
        "roll",
        "saga",
        "status",
        "steps",
    )

    def __init__(self, saga: Saga[Any], state: SagaState, now: float, roll: float) -> None:
        self.saga, self.now, self.roll = saga, now, roll
        self.status, self.backward, self.group = state.status, state.backward, state.group
        self.deadline, self.cause = state.deadline, state.cause
        self.steps = list(state.steps)
        self.asks: list[Ask] = []
        self._before = state.history
        self._entries: list[Entry] = []

    @property
    def committed(self) -> bool:
        """The pivot, or the first step that can't be undone, was asked: only forward."""
        return self.group >= self.saga.commit_group

    def freeze(self) -> SagaState:
        steps, history = tuple(self.steps), self._before.plus(self._entries)
        return SagaState(self.status, self.backward, self.group, self.deadline, self.cause, steps, history)

    def note(self, step: int, what: str, detail: str = "") -> None:
        self._entries.append(Entry(self.now, step, what, detail))

    def put(self, at: int, phase: Phase, detail: str = "", reply: bytes | None = None) -> None:
        """A step reaches a phase in which it waits for nobody."""
        old = self.steps[at]
        self.steps[at] = StepState(phase, old.attempts, self.now, None, reply or old.reply)
        self.note(at, phase, detail)

    def late(self, at: int, outcome: str) -> None:
        """An answer that decides nothing any more; a repeated one is not worth a line."""
        if self.steps[at].phase is Phase.DONE and outcome == "done":
            return
        last = self._entries[-1] if self._entries else self._before.last
        if (last.step, last.what, last.detail) != (at, "late", outcome):
            self.note(at, "late", outcome)

    def enter(self, group: int) -> None:
        """Asks every step of a group; a begun step is done already."""
        self.group = group
        for at in self.saga.groups[group]:
            if self.saga.steps[at].ask is None:
                self.put(at, Phase.DONE)
            else:
                self._send(at, Phase.ASKED, 1)
        self.go_on()

    def go_on(self) -> None:
        """Forward: enters the next group, or ends, once every step of this one is settled."""
        stuck = False
        for at in self.saga.groups[self.group]:
            phase = self.steps[at].phase
            if phase is Phase.ASKED:
                return
            stuck = stuck or phase not in _SETTLED
        if stuck:
            self.end(Status.STUCK)
        elif self.group + 1 < len(self.saga.groups):
            self.status = Status.RUNNING
            self.enter(self.group + 1)
        else:
            self.end(Status.COMPLETED)

    def turn_back(self, cause: str) -> None:
        """The one-way decision: from here on only backward."""
        self.backward, self.status, self.cause = True, Status.COMPENSATING, cause
        self.note(-1, "turned back", cause)
        self.unwind()

    def name_cause(self, at: int, reason: str) -> None:
        """Of a group's refusals the first declared names the cause, whichever came first; other causes stand."""
        others = [step for step in self.saga.groups[self.group] if step != at]
        refused = [step for step in others if self.steps[step].phase is Phase.REFUSED]
        if refused and at < min(refused) and self._turned_by_refusal():
            self.cause = reason

    def _turned_by_refusal(self) -> bool:
        lines = (*self._before, *self._entries)
        turn = next(number for number, line in enumerate(lines) if line.what == "turned back")
        return bool(lines[turn - 1].what == Phase.REFUSED)

    def unwind(self) -> None:
        """Backward: waits for what is in flight, then undoes group after group; a stuck undo holds up no other."""
        if any(step.phase is Phase.ASKED and step.due is not None for step in self.steps):
            return
        while not any(step.phase is Phase.UNDOING for step in self.steps):
            if self.group < 0:
                stuck = any(step.phase is Phase.STUCK for step in self.steps)
                self.end(Status.STUCK if stuck else Status.COMPENSATED)
                return
            self._undo_group()

    def _undo_group(self) -> None:
        for at in reversed(self.saga.groups[self.group]):
            if self.steps[at].phase in (Phase.DONE, Phase.ASKED):
                self._send(at, Phase.UNDOING, 1)
        self.group -= 1

    def end(self, status: Status) -> None:
        if self.status is status:
            return
        self.status = status
        self.note(-1, status, self.cause if status is Status.COMPENSATED else "")

    def unknown(self, at: int) -> None:
        """No answer in time: the step may have happened. It waits no more and is undone like one that did."""
        self.steps[at] = msgspec.structs.replace(self.steps[at], due=None, at=self.now)
        self.note(at, "unknown")

    def spent(self, at: int) -> bool:
        return self._budget(at).spent(self.steps[at].attempts)

    def pause(self, at: int, why: str) -> None:
        """Asks again later."""
        self._wait(at, self._budget(at).pause_s(self.steps[at].attempts, self.roll))
        self.note(at, "failed", why)

    def hold(self, at: int, probe: bool) -> None:
        """Waits for the participant's circuit without spending an attempt; a probe is the same attempt once more."""
        step = self.steps[at]
        self._wait(at, self.definition(at).timeout_s * (0.5 + self.roll))
        if probe:
            undo = step.phase is Phase.UNDOING
            self.asks.append(Ask(at, Operation.COMPENSATION if undo else Operation.ACTION, step.attempts))

    def ask_again(self, at: int) -> None:
        """The same command, a further attempt; patience grows by the back-off."""
        old = self.steps[at]
        patience = self._budget(at).pause_s(old.attempts, self.roll)
        self._send(at, old.phase, old.attempts + 1, patience, old.again)

    def reopen(self, at: int, again: bool) -> None:
        """A person has a stuck step asked afresh, with a whole budget."""
        self.status = Status.COMPENSATING if self.backward else Status.RUNNING
        self._send(at, Phase.UNDOING if self.backward else Phase.ASKED, 1, again=again)

    def definition(self, at: int) -> Step[Any]:
        return self.saga.steps[at]

    def _budget(self, at: int) -> Retry:
        step = self.definition(at)
        return step.undo_retry if self.steps[at].phase is Phase.UNDOING else step.retry

    def _wait(self, at: int, seconds: float) -> None:
        self.steps[at] = msgspec.structs.replace(self.steps[at], due=self.now + seconds)

    def _send(self, at: int, phase: Phase, attempt: int, patience: float = 0.0, again: bool = False) -> None:
        due = self.now + self.saga.steps[at].timeout_s + patience
        reply = self.steps[at].reply
        self.steps[at] = StepState(phase, attempt, self.now, due, reply, again)
        undo = phase is Phase.UNDOING
        self.asks.append(Ask(at, Operation.COMPENSATION if undo else Operation.ACTION, attempt, again))
        self.note(at, phase, str(attempt) if attempt > 1 else "")
