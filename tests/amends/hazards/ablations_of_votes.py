"""Rules of two-phase commit and TCC, each taken out by a patch."""

from collections.abc import Sequence

import pytest

from amends import machine
from amends.connections import Tx
from amends.coordinator import Coordinator
from amends.draft import Draft
from amends.pages import Change
from amends.state import Phase
from amends.steps import Kind

Patch = pytest.MonkeyPatch


def decision_is_kept_in_memory(patch: Patch) -> None:
    """The commits are asked for all the same; what is decided dies with the manager."""
    save = Coordinator._save

    async def forgetful(self: Coordinator, tx: Tx, changes: Sequence[Change]) -> None:
        await save(self, tx, [each for each in changes if not _decided(self, each)])

    patch.setattr(Coordinator, "_save", forgetful)


def _decided(coordinator: Coordinator, change: Change) -> bool:
    return change.after.state.group >= coordinator._of(change.after).commit_group


def silence_counts_as_a_vote(patch: Patch) -> None:
    give_up = machine._give_up

    def presume(draft: Draft, at: int, why: str) -> None:
        if draft.definition(at).kind is Kind.COMPENSATABLE and not draft.backward:
            draft.put(at, Phase.DONE)
            draft.go_on()
        else:
            give_up(draft, at, why)

    patch.setattr(machine, "_give_up", presume)


def first_vote_decides(patch: Patch) -> None:
    go_on = Draft.go_on

    def hasty(self: Draft) -> None:
        voted = [self.steps[at].phase is Phase.DONE for at in self.saga.groups[self.group]]
        if self.group + 1 == self.saga.commit_group and any(voted):
            self.enter(self.group + 1)
        else:
            go_on(self)

    patch.setattr(Draft, "go_on", hasty)
