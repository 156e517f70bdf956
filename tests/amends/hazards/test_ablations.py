"""Every rule taken out, one at a time: the scenario that guards it has to notice.

A scenario that passes without its rule proves nothing; here each one is seen to fail. `hazards/__init__` holds the
table of rows, scenarios and ablations.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.amends.hazards import ablations as without
from tests.amends.hazards import ablations_of_votes as votes_without
from tests.amends.hazards import sagas, storage, trouble, votes

Patch = pytest.MonkeyPatch


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Callable[..., Awaitable[None]]
    take_out: Callable[[Patch], None]
    says: str


SAGAS = sagas.SCENARIOS + trouble.SCENARIOS + votes.SCENARIOS
ABLATIONS = [
    Ablation(sagas.compensation_before_its_action, without.no_tombstones, "an action ran after its compensation"),
    Ablation(sagas.compensation_before_its_action, without.empty_compensation_runs, "nothing was there to undo"),
    Ablation(
        sagas.action_after_its_compensation, without.tombstone_is_used_up, "the late action got no answer that says why"
    ),
    Ablation(sagas.duplicate_delivery, without.no_barrier, "BookHotel"),
    Ablation(sagas.reply_of_an_old_attempt, without.attempts_are_ignored, "an old attempt's failure"),
    Ablation(sagas.first_answer_of_a_step_wins, without.last_answer_wins, "compensated"),
    Ablation(sagas.crash_between_effect_and_record, without.effects_outside_the_transaction, "BookHotel"),
    Ablation(sagas.intent_before_the_command, without.intent_is_kept_in_memory, "completed"),
    Ablation(sagas.every_step_sent_is_undone, without.only_answered_steps_are_undone, "a step that was sent stands"),
    Ablation(sagas.zombie_writes, without.coordinator_ignores_epochs, "DID NOT RAISE Fenced"),
    Ablation(sagas.zombie_commands, without.participants_ignore_epochs, "a zombie's command was carried out"),
    Ablation(sagas.forward_and_backward_at_once, without.late_success_is_not_undone, "CancelHotel"),
    Ablation(sagas.forward_and_backward_at_once, without.direction_is_not_one_way, "full"),
    Ablation(sagas.timeout_of_the_pivot, without.pivot_counts_as_undoable, "stuck"),
    Ablation(
        trouble.compensation_that_keeps_failing, without.stuck_is_called_compensated, "reported as something else"
    ),
    Ablation(trouble.compensation_that_keeps_failing, without.stuck_undo_holds_up_the_others, "undone"),
    Ablation(trouble.outage_of_one_participant, without.no_circuit, "an outage spent the budgets"),
    Ablation(trouble.outage_of_one_participant, without.probes_are_not_spaced, "probed, not flooded"),
    Ablation(trouble.retries_come_back_spread_out, without.no_jitter, "== 20"),
    Ablation(trouble.retries_come_back_spread_out, without.one_roll_for_all, "== 20"),
    Ablation(trouble.parallel_group_refused, without.in_flight_is_not_settled, "undone before it was settled"),
    Ablation(trouble.parallel_group_refused, without.undone_in_order_of_asking, "CloseTrip"),
    Ablation(trouble.definition_changed, without.unknown_versions_are_let_in, "DID NOT RAISE UnknownVersion"),
    Ablation(trouble.poisoned_message, without.batch_fails_as_a_whole, "held up others"),
    Ablation(trouble.poisoned_message, without.key_goes_on_without_its_poisoned_message, "needs a person"),
    Ablation(trouble.lost_update_between_writers, without.revisions_are_not_checked, "DID NOT RAISE Conflict"),
    Ablation(trouble.keys_are_locked_in_order, without.coordinator_does_not_sort, "were not locked in order"),
    Ablation(trouble.keys_are_locked_in_order, without.participant_does_not_sort, "were not locked in order"),
    Ablation(votes.decision_outlives_its_manager, votes_without.decision_is_kept_in_memory, "carried out is forgotten"),
    Ablation(
        votes.confirmation_outlives_its_manager, votes_without.decision_is_kept_in_memory, "carried out is forgotten"
    ),
    Ablation(votes.no_decision_is_none, votes_without.silence_counts_as_a_vote, "taken for a vote"),
    Ablation(votes.no_confirmation_is_none, votes_without.silence_counts_as_a_vote, "taken for a vote"),
    Ablation(votes.nobody_commits_before_the_last_vote, votes_without.first_vote_decides, "before all had voted"),
    Ablation(votes.nobody_confirms_before_the_last_try, votes_without.first_vote_decides, "before all had voted"),
    Ablation(storage.transactions_begin_immediate, without.transactions_begin_deferred, "DID NOT RAISE BusyError"),
    Ablation(storage.failed_sync_is_never_acknowledged, without.failed_connection_is_kept, "is still used"),
    Ablation(storage.one_process_owns_the_folder, without.folder_is_not_locked, "DID NOT RAISE InUse"),
    Ablation(storage.key_is_inserted_once, without.last_insert_of_a_key_wins, "DID NOT RAISE Conflict"),
    Ablation(
        storage.second_request_waits_for_the_first, without.first_request_leaves_no_mark, "DID NOT RAISE KeyInUse"
    ),
    Ablation(storage.lease_of_a_crashed_request_ends, without.leases_never_end, "409 for ever"),
    Ablation(storage.first_answer_to_a_key_stands, without.last_answer_of_a_key_wins, "a late answer replaced"),
    Ablation(storage.refusal_is_stored_alike, without.refusals_are_forgotten, "a refusal was forgotten"),
    Ablation(storage.key_never_shows_another_principals_answer, without.keys_belong_to_everybody, "StoredAnswer"),
    Ablation(storage.same_key_with_another_body_is_refused, without.bodies_are_not_compared, "DID NOT RAISE KeyReused"),
]


@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: f"{each.take_out.__name__}-{each.scenario.__name__}")
async def test_scenario_notices_that_its_rule_is_gone(ablation: Ablation, tmp_path: Path, monkeypatch: Patch) -> None:
    ablation.take_out(monkeypatch)
    arguments = (tmp_path, False) if ablation.scenario in SAGAS else (tmp_path,)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=ablation.says):
        await ablation.scenario(*arguments)
