"""What has broken systems like this one, met here; and each rule taken out, to see its test fail.

Scenarios are functions: `test_sagas` runs them with every message delivered once and twice, `test_storage` once;
`test_ablations` runs each again without its rule and wants it to fail with the right words.

    hazard
        scenario: taken out by

    compensation before its action
        compensation_before_its_action: no_tombstones, empty_compensation_runs
    action after its compensation
        action_after_its_compensation: tombstone_is_used_up
    duplicate delivery
        duplicate_delivery: no_barrier
    reply of an old attempt
        reply_of_an_old_attempt: attempts_are_ignored
        first_answer_of_a_step_wins: last_answer_wins
    crash between effect and record
        crash_between_effect_and_record: effects_outside_the_transaction
        intent_before_the_command: intent_is_kept_in_memory
        every_step_sent_is_undone: only_answered_steps_are_undone
    zombie coordinator
        zombie_writes: coordinator_ignores_epochs
        zombie_commands: participants_ignore_epochs
    forward and backward at once
        forward_and_backward_at_once: late_success_is_not_undone, direction_is_not_one_way
    timeout races with late success
        timeout_of_the_pivot: pivot_counts_as_undoable
    manager dies between the phases
        decision_outlives_its_manager: decision_is_kept_in_memory
        confirmation_outlives_its_manager: decision_is_kept_in_memory
        no_decision_is_none: silence_counts_as_a_vote
        no_confirmation_is_none: silence_counts_as_a_vote
    commit before the last vote
        nobody_commits_before_the_last_vote: first_vote_decides
        nobody_confirms_before_the_last_try: first_vote_decides
    compensation keeps failing
        compensation_that_keeps_failing: stuck_is_called_compensated, stuck_undo_holds_up_the_others
    outage of one participant
        outage_of_one_participant: no_circuit, probes_are_not_spaced
        retries_come_back_spread_out: no_jitter, one_roll_for_all
    parallel group refused
        parallel_group_refused: in_flight_is_not_settled, undone_in_order_of_asking
    definition changed while instances run
        definition_changed: unknown_versions_are_let_in
    poisoned message
        poisoned_message: batch_fails_as_a_whole, key_goes_on_without_its_poisoned_message
    lost update between sagas
        lost_update_between_writers: revisions_are_not_checked
    lock order
        keys_are_locked_in_order: coordinator_does_not_sort, participant_does_not_sort
    SQLite: deferred begin
        transactions_begin_immediate: transactions_begin_deferred
    SQLite: failed fsync
        failed_sync_is_never_acknowledged: failed_connection_is_kept
    SQLite: full disk
        full_disk_is_survived: (SQLite's own rule)
    SQLite: two processes on one folder
        one_process_owns_the_folder: folder_is_not_locked
    keys: the loser reads the winner's row
        loser_of_a_race_reads_the_winners_answer: last_insert_of_a_key_wins
        key_is_inserted_once: last_insert_of_a_key_wins
    keys: the first request still runs
        second_request_waits_for_the_first: first_request_leaves_no_mark
    keys: the first request crashed
        lease_of_a_crashed_request_ends: leases_never_end
    keys: the first request was only slow
        first_answer_to_a_key_stands: last_answer_of_a_key_wins
    keys: refusals are answers, too
        refusal_is_stored_alike: refusals_are_forgotten
    keys: another principal's answer
        key_never_shows_another_principals_answer: keys_belong_to_everybody
    keys: same key, another body
        same_key_with_another_body_is_refused: bodies_are_not_compared
"""
