"""Rules that only the simulator takes out, each by a patch; the others are in `tests.amends.hazards`."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from amends import machine, participant_hop
from amends.adapters.sqlite.connection import SqliteTx
from amends.barrier import Verdict, judge
from amends.connections import Tx
from amends.coordinator import Coordinator
from amends.decisions import Fate, LoggedDecisions
from amends.draft import Draft
from amends.halving import in_halves
from amends.idempotency import IdempotencyKeys
from amends.messages import Envelope, Kind, MessageId, Operation
from amends.outbox import OutboxRelay
from amends.pages import Instance, KeyScope, StoredAnswer
from amends.shards import Shards
from amends.state import Phase, Status
from amends.steps import Kind as StepKind
from amends.worker import Worker
from tests.amends.hazards import ablations as hazards

Patch = pytest.MonkeyPatch
Judge = Callable[[Envelope, Verdict], Verdict]


def _judging(patch: Patch, other: Judge) -> None:
    def judged(envelope: Envelope, *rest: Any) -> Verdict:
        return other(envelope, judge(envelope, *rest))

    patch.setattr(participant_hop, "judge", judged)


def _instead(verdict: Verdict, other: Verdict, applies: Callable[[Envelope], bool] = lambda _: True) -> Judge:
    return lambda envelope, judged: other if judged is verdict and applies(envelope) else judged


def refused_actions_are_undone(patch: Patch) -> None:
    _judging(patch, _instead(Verdict.NOTHING, Verdict.RUN))


def pending_operations_run_again(patch: Patch) -> None:
    _judging(patch, _instead(Verdict.SILENCE, Verdict.RUN))


def what_began_with_the_saga_is_buried(patch: Patch) -> None:
    begun = lambda envelope: envelope.begun and envelope.operation is Operation.COMPENSATION  # noqa: E731
    _judging(patch, _instead(Verdict.RUN, Verdict.BURY, begun))


def duplicates_get_no_answer(patch: Patch) -> None:
    _judging(patch, _instead(Verdict.REPEAT, Verdict.SILENCE))


def events_are_heard_again(patch: Patch) -> None:
    _judging(patch, _instead(Verdict.REPEAT, Verdict.RUN, lambda envelope: envelope.kind is Kind.EVENT))


def late_actions_are_carried_out(patch: Patch) -> None:
    """After the saga's deadline."""
    _judging(patch, _instead(Verdict.LATE, Verdict.RUN))


def copies_in_a_batch_are_judged_together(patch: Patch) -> None:
    patch.setattr(participant_hop, "waves", lambda batch: [list(batch)])


def effects_outlive_their_transaction(patch: Patch) -> None:
    """Every effect is durable at once; there is nothing to roll back."""
    run = SqliteTx.run

    async def durable(self: SqliteTx, sql: str, params: Any = ()) -> int:
        changed = await run(self, sql, params)
        if "effects" in sql:
            self._connection.execute("release hop")
            self._connection.execute("savepoint hop")
        return changed

    patch.setattr(SqliteTx, "run", durable)


def barrier_is_in_memory(patch: Patch) -> None:
    """A process knows what it has done; a crash forgets it."""

    async def record(self: participant_hop.ParticipantHop, tx: Tx, known: object, written: Any) -> None:
        memory = vars(self).setdefault("memory", {})
        memory.update(written)

    take = participant_hop.ParticipantHop._take

    async def taken(self: Any, tx: Tx, wave: Any, known: Any, written: Any) -> Any:
        known.update(vars(self).get("memory", {}))
        return await take(self, tx, wave, known, written)

    patch.setattr(participant_hop.ParticipantHop, "_record", record)
    patch.setattr(participant_hop.ParticipantHop, "_take", taken)


def commands_leave_before_the_commit(patch: Patch) -> None:
    async def put(self: OutboxRelay, tx: Tx, envelopes: Sequence[Envelope]) -> None:
        self._transport.send(envelopes, self._taken.extend)
        await insert(self, tx, envelopes)

    insert = OutboxRelay.put
    patch.setattr(OutboxRelay, "put", put)


def outbox_is_in_memory(patch: Patch) -> None:
    """Messages are handed over after the commit; nothing of them is in the database."""

    async def insert(self: object, tx: Tx, envelopes: Sequence[Envelope], taken: object = ()) -> None: ...

    patch.setattr("amends.adapters.sqlite.outbox.SqliteOutbox.insert", insert)


def rows_go_when_they_are_handed_over(patch: Patch) -> None:
    """Not when the transport has taken them."""
    hand_over = OutboxRelay._hand_over

    def handed(self: OutboxRelay, envelopes: Sequence[Envelope], before: Sequence[MessageId] = ()) -> None:
        hand_over(self, envelopes, before)
        self._taken.extend(each.id for each in envelopes)

    patch.setattr(OutboxRelay, "_hand_over", handed)


def nothing_is_swept(patch: Patch) -> None:
    async def sweep(self: OutboxRelay, *, everything: bool = False) -> int:
        return 0

    patch.setattr(OutboxRelay, "sweep", sweep)


def unheard_commits_are_forgotten(patch: Patch) -> None:
    async def find_out(self: OutboxRelay, unsure: Sequence[MessageId]) -> None: ...

    patch.setattr(OutboxRelay, "_find_out", find_out)


def unheard_commits_are_overtaken(patch: Patch) -> None:
    async def unheard(self: OutboxRelay, tx: Tx, envelopes: Sequence[Envelope]) -> list[MessageId]:
        return []

    patch.setattr(OutboxRelay, "_unheard", unheard)


def batches_are_acknowledged_first(patch: Patch) -> None:
    async def run(self: Worker) -> None:
        while not self._stopping:
            batch = await self._subscription.receive(self._most)
            await self._subscription.acknowledge(batch)
            await self._made_durable(batch)

    patch.setattr(Worker, "_run", run)


def failed_messages_are_dropped(patch: Patch) -> None:
    hazards.key_goes_on_without_its_poisoned_message(patch)


def failed_messages_are_overtaken(patch: Patch) -> None:
    """What failed is tried again later; its key goes on meanwhile."""

    async def take(self: Worker, batch: Sequence[Envelope]) -> None:
        await in_halves(batch, self._hop, self._defer)

    patch.setattr(Worker, "take", take)


def unheard_deferrals_are_forgotten(patch: Patch) -> None:
    """A worker does not look whether a message was set aside after all."""
    patch.setattr(Worker, "_unsure", property(lambda self: False, lambda self, value: None), raising=False)


def timers_never_fire(patch: Patch) -> None:
    async def expire(self: Coordinator) -> int:
        return 0

    patch.setattr(Coordinator, "expire", expire)


def nothing_is_asked_anew(patch: Patch) -> None:
    """By who takes sagas over."""
    patch.setattr(Coordinator, "_asked_anew", lambda self, instance, epochs, now: [])


def stale_sagas_are_not_doubted(patch: Patch) -> None:
    patch.setattr(Shards, "doubt", lambda self, ids: None)


def keys_are_not_looked_at(patch: Patch) -> None:
    async def first(self: IdempotencyKeys, tx: Tx, scope: object, wanted: bytes) -> None: ...

    patch.setattr(IdempotencyKeys, "first", first)
    hazards.last_insert_of_a_key_wins(patch)


def deadline_counts_after_the_pivot(patch: Patch) -> None:
    patch.setattr(Draft, "committed", property(lambda self: False))
    wake_at = machine.wake_at

    def wakes(saga: Any, state: Any) -> float | None:
        wake = wake_at(saga, state)
        return wake if state.status is not Status.RUNNING else min(wake or state.deadline, state.deadline)

    for module in ("amends.machine", "amends.moves", "amends.coordinator"):
        patch.setattr(f"{module}.wake_at", wakes)


def silent_pivot_turns_back(patch: Patch) -> None:
    """No answer of the pivot in time counts as no."""
    hazards.pivot_counts_as_undoable(patch)
    spent = Draft.spent
    patch.setattr(Draft, "spent", lambda self, at: self.definition(at).kind is StepKind.PIVOT or spent(self, at))


def groups_are_undone_together(patch: Patch) -> None:
    def unwind(self: Draft) -> None:
        if any(step.phase is Phase.ASKED and step.due is not None for step in self.steps):
            return
        while self.group >= 0:
            self._undo_group()
        if not any(step.phase is Phase.UNDOING for step in self.steps):
            self.end(Status.COMPENSATED)

    patch.setattr(Draft, "unwind", unwind)


def silence_counts_as_refusal(patch: Patch) -> None:
    """A step that did not answer in time is not undone: nothing has happened, it is hoped."""
    patch.setattr(Draft, "unknown", lambda self, at: self.put(at, Phase.REFUSED))


def next_group_does_not_wait(patch: Patch) -> None:
    """One of a group that is done is enough."""
    go_on = Draft.go_on

    def hasty(self: Draft) -> None:
        group = self.saga.groups[self.group]
        if any(self.steps[at].phase is Phase.DONE for at in group) and self.group + 1 < len(self.saga.groups):
            self.enter(self.group + 1)
        else:
            go_on(self)

    patch.setattr(Draft, "go_on", hasty)


def coordinators_ignore_epochs(patch: Patch) -> None:
    hazards.coordinator_ignores_epochs(patch)


def epochs_are_ignored(patch: Patch) -> None:
    """By coordinators and by participants."""
    coordinators_ignore_epochs(patch)
    hazards.participants_ignore_epochs(patch)


def nobody_checks_who_writes(patch: Patch) -> None:
    """Neither epochs nor revisions."""
    coordinators_ignore_epochs(patch)
    hazards.revisions_are_not_checked(patch)


def only_coordinators_check_epochs(patch: Patch) -> None:
    hazards.participants_ignore_epochs(patch)
    hazards.revisions_are_not_checked(patch)


def nobody_checks_anything(patch: Patch) -> None:
    """Neither epochs nor revisions, and participants take what comes from whom."""
    nobody_checks_who_writes(patch)
    hazards.participants_ignore_epochs(patch)


def undecided_counts_as_abort(patch: Patch) -> None:
    fate = LoggedDecisions._fate

    def hasty(self: LoggedDecisions, instance: Instance) -> Fate:
        decided = fate(self, instance)
        return Fate.ABORT if decided is Fate.UNDECIDED else decided

    patch.setattr(LoggedDecisions, "_fate", hasty)


def answers_are_replaced(patch: Patch) -> None:
    """Whoever finishes last is right."""

    async def finish(self: IdempotencyKeys, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> StoredAnswer:
        await self._pages.replace(tx, scope, answer)
        return answer

    patch.setattr(IdempotencyKeys, "finish", finish)
