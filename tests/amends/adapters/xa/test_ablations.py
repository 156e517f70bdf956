"""Every rule of XA taken out, one at a time: the scenario that guards it has to notice."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import pytest

from amends.adapters.postgres.xa import janitor, marks, operations
from amends.adapters.postgres.xa.transactions import XaTransactions
from amends.connections import Tx
from amends.decisions import Fate, LoggedDecisions
from amends.messages import Done, SagaId
from amends.participant import Answer
from tests.amends.adapters.xa import scenarios
from tests.amends.adapters.xa import travel as travels
from tests.amends.adapters.xa.booking import travel_saga
from tests.amends.adapters.xa.scenarios import Scenario
from tests.amends.adapters.xa.travel import Travel, databases
from tests.servers import PostgresServer

pytestmark = pytest.mark.servers
Patch = pytest.MonkeyPatch


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Scenario
    take_out: Callable[[Patch], None]
    says: str


def log_is_ignored(patch: Patch) -> None:
    """Whatever is old is aborted."""
    _deciding(patch, lambda fates: dict.fromkeys(fates, Fate.ABORT))


def undecided_counts_as_commit(patch: Patch) -> None:
    _deciding(
        patch, lambda fates: {id: Fate.ABORT if fate is Fate.ABORT else Fate.COMMIT for id, fate in fates.items()}
    )


def undecided_counts_as_abort(patch: Patch) -> None:
    _deciding(
        patch, lambda fates: {id: Fate.COMMIT if fate is Fate.COMMIT else Fate.ABORT for id, fate in fates.items()}
    )


def unknown_sagas_are_left(patch: Patch) -> None:
    """Nothing is presumed."""

    async def found(self: LoggedDecisions, sagas: Sequence[SagaId]) -> Mapping[SagaId, Fate]:
        fates: dict[SagaId, Fate] = {}
        for storage in self._storages:
            async with storage.reading() as reader:
                instances = await storage.sagas.load(reader, sagas)
            fates |= {id: self._fate(each) for id, each in instances.items()}
        return fates

    patch.setattr(LoggedDecisions, "__call__", found)


def there_is_no_janitor(patch: Patch) -> None:
    async def look(self: janitor.XaJanitor) -> None: ...

    patch.setattr(janitor.XaJanitor, "look", look)


def nobody_gives_alarm(patch: Patch) -> None:
    patch.setattr(janitor.XaJanitor, "_give_alarm", lambda self, found: None)


def commits_leave_no_mark(patch: Patch) -> None:
    async def commit(tx: Tx, gid: str) -> bool:
        return True

    patch.setattr(marks, "commit", commit)


def aborts_leave_no_mark(patch: Patch) -> None:
    async def abort(tx: Tx, gid: str) -> bool:
        return True

    patch.setattr(marks, "abort", abort)


def nobody_looks_whether_it_is_still_wanted(patch: Patch) -> None:
    head, _, tail = marks.insert_committed.partition("where exists")
    patch.setattr(marks, "insert_committed", f"{head}where true {tail[tail.index('on conflict') :]}")
    aborts_leave_no_mark(patch)


def nobody_looks_whether_it_is_prepared(patch: Patch) -> None:
    before, _, after = operations.claim_operations.partition("each.gid in (")
    patch.setattr(
        operations, "claim_operations", f"{before}false{after[after.index(')', after.index('()') + 2) + 1 :]}"
    )


def what_is_gone_counts_as_committed(patch: Patch) -> None:
    resolve = XaTransactions.commit

    async def commit(self: XaTransactions, gid: str) -> Answer:
        await resolve(self, gid)
        return Done()

    patch.setattr(XaTransactions, "commit", commit)


def what_is_gone_counts_as_aborted(patch: Patch) -> None:
    resolve = XaTransactions.abort

    async def abort(self: XaTransactions, gid: str) -> Answer:
        await resolve(self, gid)
        return Done()

    patch.setattr(XaTransactions, "abort", abort)


def nothing_is_taken_over(patch: Patch) -> None:
    """What a crash has left waits until its claim ends."""
    patch.setattr("amends.adapters.postgres.xa.runner.XaRunner._take_over", lambda self: None)


ABLATIONS = [
    Ablation(scenarios.janitor_commits_what_was_decided, log_is_ignored, "what was decided was not committed"),
    Ablation(scenarios.janitor_leaves_what_is_undecided, undecided_counts_as_commit, "decided for the coordinator"),
    Ablation(scenarios.janitor_leaves_what_is_undecided, undecided_counts_as_abort, "decided for the coordinator"),
    Ablation(scenarios.janitor_leaves_what_is_undecided, nobody_gives_alarm, "nobody gave alarm"),
    Ablation(scenarios.janitor_aborts_what_no_coordinator_knows, unknown_sagas_are_left, "an orphan keeps its locks"),
    Ablation(scenarios.janitor_aborts_what_no_coordinator_knows, there_is_no_janitor, "an orphan keeps its locks"),
    Ablation(scenarios.janitor_commits_what_was_decided, there_is_no_janitor, "what was decided was not committed"),
    Ablation(scenarios.janitor_aborts_what_was_turned_back, there_is_no_janitor, "is still prepared"),
    Ablation(scenarios.killed_between_commit_and_answer, commits_leave_no_mark, "it was stuck"),
    Ablation(scenarios.abort_meets_a_prepare_at_work, aborts_leave_no_mark, "a transaction stayed prepared"),
    Ablation(scenarios.late_prepare_is_not_wanted_any_more, nobody_looks_whether_it_is_still_wanted, "left an orphan"),
    Ablation(scenarios.killed_between_prepare_and_answer, nobody_looks_whether_it_is_prepared, "it was compensated"),
    Ablation(scenarios.commit_of_what_is_gone_is_never_silent, what_is_gone_counts_as_committed, "was not noticed"),
    Ablation(scenarios.abort_of_what_was_committed_is_never_silent, what_is_gone_counts_as_aborted, "was not noticed"),
    Ablation(scenarios.killed_before_it_prepares, nothing_is_taken_over, "it was compensated"),
]


@pytest.fixture
async def travel(postgres_server: PostgresServer, monkeypatch: Patch) -> AsyncIterator[Travel]:
    """Sagas that lose their patience soon: without its rule many a scenario would wait for long."""
    monkeypatch.setattr(travels, "PATIENCE_S", 20.0)
    travel = Travel(await databases(await postgres_server(18)), travel_saga(timeout_s=3.0))
    yield travel
    await travel.__aexit__()


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: f"{each.take_out.__name__}, {each.scenario.__name__}")
async def test_scenario_notices_that_its_rule_is_gone(travel: Travel, monkeypatch: Patch, ablation: Ablation) -> None:
    ablation.take_out(monkeypatch)
    await travel.open()
    with pytest.raises(AssertionError, match=ablation.says):
        await ablation.scenario(travel)


def _deciding(patch: Patch, instead: Callable[[dict[SagaId, Fate]], dict[SagaId, Fate]]) -> None:
    decide = LoggedDecisions.__call__

    async def decided(self: Any, sagas: Sequence[SagaId]) -> Mapping[SagaId, Fate]:
        return instead(dict(await decide(self, sagas)))

    patch.setattr(LoggedDecisions, "__call__", decided)
