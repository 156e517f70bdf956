"""Counts what becomes of each step: commands, replies, time-outs, and how long an answer takes."""

from amends.adapters.prometheus.values import Counted, Counts, Histogram
from amends.hops import Moved
from amends.messages import Operation
from amends.pages import Change
from amends.state import Phase

SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_STEP = ("saga", "step", "operation")
_ASKED = (Phase.ASKED, Phase.UNDOING)
_SAMPLE = 100


class Steps:
    """Told of each hop of a coordinator; a fraction of a microsecond a message."""

    def __init__(self) -> None:
        self._commands = Counts("amends_step_commands", "Commands asked", _STEP)
        self._retries = Counts("amends_step_retries", "Commands asked once more", _STEP)
        self._replies = Counts("amends_step_replies", "Replies that moved a saga", (*_STEP, "outcome"))
        self._timeouts = Counts("amends_step_timeouts", "Commands that were not answered in time", _STEP)
        self._took = Histogram("amends_step_duration_seconds", "From command to reply", _STEP, SECONDS)
        counts: list[Counted] = [self._commands, self._retries, self._replies, self._timeouts]
        self.values = [*counts, self._took]

    def moved(self, hop: Moved) -> None:
        if hop.commands:
            self._count_commands(hop)
        if hop.replies:
            self._count_replies(hop)
        elif not hop.fresh:
            self._count_timeouts(hop)

    def _count_commands(self, hop: Moved) -> None:
        changes = hop.changes
        asked = [(changes[each.saga].after.name, each.step, each.operation) for each in hop.commands]
        self._commands.update(asked)
        again = [labels for labels, each in zip(asked, hop.commands, strict=True) if each.attempt > 1]
        if again:
            self._retries.update(again)

    def _count_replies(self, hop: Moved) -> None:
        """All are counted; past some number, how long they took is that of an evenly spread sample."""
        changes = hop.changes
        moving = [each for each in hop.replies if each.saga in changes]
        self._replies.update(
            [(changes[each.saga].before.name, each.step, each.operation, each.outcome) for each in moving]
        )
        every = len(moving) // _SAMPLE + 1
        for reply in moving[::every]:
            saga = changes[reply.saga].before
            at = hop.definitions[saga.name, saga.version].index.get(reply.step)
            step = None if at is None else saga.state.steps[at]
            if step is not None and step.due is not None and step.phase in _ASKED:
                self._took.add((saga.name, reply.step, reply.operation), hop.began - step.at, every)

    def _count_timeouts(self, hop: Moved) -> None:
        """No begin and no replies: timers have moved these, or persons."""
        for change in hop.changes.values():
            saga, state = hop.definitions[change.before.name, change.before.version], change.before.state
            for at, step in enumerate(saga.steps):
                if _timed_out(change, at, hop.began) and not _failed(change, at):
                    undo = state.steps[at].phase is Phase.UNDOING
                    self._timeouts[saga.name, step.name, Operation.COMPENSATION if undo else Operation.ACTION] += 1


def _timed_out(change: Change, at: int, now: float) -> bool:
    """Its patience has ended, and something came of it; one that waits for its participant's circuit is left out."""
    before, after = change.before.state.steps[at], change.after.state.steps[at]
    if before.due is None or before.due > now:
        return False
    return after.due is None or (after.phase, after.attempts) != (before.phase, before.attempts)


def _failed(change: Change, at: int) -> bool:
    """It was answered: with a failure, after which it only made a pause."""
    lines = [line.what for line in change.before.state.history if line.step == at]
    return bool(lines) and lines[-1] == "failed"
