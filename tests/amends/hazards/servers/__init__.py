"""Hazards that need real servers: the outbox, Kafka, PostgreSQL; which test meets each, and each rule taken out.

`scenario: taken out by`, as in `tests.amends.hazards`; `file::test` where somebody else meets it, on the same servers.

    outbox: the order of ids is not that of commits
        slow_commit_is_not_passed_over: outbox_has_a_cursor
    outbox: two processes sweep at once
        sweeps_take_turns: sweeps_look_at_the_same_rows
    outbox: a failed row is not overtaken by its key
        tests/amends/adapters/test_kafka_refused.py::test_refused_row_is_not_overtaken_by_its_key
        tests/amends/adapters/test_postgres_outbox.py::test_what_one_process_has_claimed_and_not_sent_is_not_overtaken
        tests/amends/adapters/test_kafka_sender.py::test_order_holds_when_the_broker_refuses_for_a_while
        claimed_rows_are_not_overtaken: claims_of_others_are_not_waited_for
    outbox: published, and the mark was lost
        sent_twice_is_done_once: no_barrier
    outbox: what one group has heard, another one has not
        every_group_has_all_partitions: groups_are_one
    outbox: the process dies between commit and send
        tests/amends/adapters/test_postgres_outbox.py::test_messages_left_by_a_process_that_is_gone_are_sent_by_another
        tests/distributed/test_chaos.py::test_shop_loses_nothing_and_does_nothing_twice
    outbox: the slot of a capture keeps log, or is lost
        tests/amends/cdc/test_ablations.py::test_scenario_notices_that_its_rule_is_gone
        tests/amends/cdc/test_slots.py::test_guard_that_tells_nothing_is_noticed
        tests/amends/cdc/test_slots.py::test_log_is_kept_for_a_slot_up_to_a_bound_and_for_ever_without
    Kafka: offsets follow the database
        batch_of_a_killed_process_comes_again: offsets_before_the_database, offsets_commit_themselves
    Kafka: a revoked partition is drained
        partition_waits_for_its_batch: partitions_go_at_once
    Kafka: a handler takes longer than a consumer may be silent
        long_hop_keeps_its_partitions: hops_run_on_the_poll_loop
    Kafka: a late writer meets the epoch check
        tests/distributed/test_copies.py::test_frozen_coordinator_is_fenced_when_it_thaws
        tests/amends/adapters/test_postgres_hazards.py::test_zombie_is_noticed_that_nobody_fences
        tests/distributed/test_bad_messages.py::test_command_of_a_coordinator_that_was_replaced_is_dropped
    Kafka: a retry breaks the order of a key
        tests/amends/test_worker.py::test_later_messages_of_a_failed_key_wait_and_keep_their_order
    Kafka: the producer sends again what it has not heard of
        unheard_record_is_in_the_topic_once: records_have_no_numbers
    Kafka: the leader is lost with what it alone had
        every_replica_in_sync_is_waited_for: leader_alone_is_enough
    Kafka: a record that can't be decoded
        undecodable_record_is_parked: undecodable_records_are_dropped, undecodable_records_are_errors
        tests/amends/adapters/test_kafka_undecodable.py::test_undecodable_record_is_parked_and_the_next_one_is_read
        tests/distributed/test_bad_messages.py::test_record_that_cannot_be_read_is_parked_and_told
    Kafka: the broker is away, or comes back
        tests/amends/adapters/test_kafka_sender.py::test_nothing_is_taken_while_the_broker_is_away_and_everything_afterwards
        tests/distributed/test_chaos.py::test_shop_loses_nothing_and_does_nothing_twice
    PostgreSQL: the answer to a commit is lost
        tests/amends/adapters/test_postgres_outages.py::test_commit_whose_answer_is_lost_is_unknown
        tests/amends/adapters/test_postgres_outages.py::test_messages_of_an_unknown_commit_leave_soon
        tests/amends/adapters/test_postgres_unheard.py::test_next_message_of_the_key_follows_it
        tests/amends/adapters/test_postgres_unheard.py::test_without_a_look_at_the_table_it_would_be_overtaken
        tests/amends/adapters/test_postgres_unheard.py::test_commit_that_takes_longer_than_the_first_look_is_not_overtaken
        tests/shop/orders/test_commit_unknown.py::test_order_whose_commit_is_unknown_is_placed_once
        tests/shop/orders/test_commit_unknown.py::test_guess_what_became_of_a_commit_is_noticed
    PostgreSQL: prepared transactions
        tests/amends/adapters/xa/test_ablations.py::test_scenario_notices_that_its_rule_is_gone
        tests/amends/adapters/xa/test_crashes.py::test_process_may_be_killed_at_every_step
    PostgreSQL: lock order
        tests/amends/adapters/test_postgres_transactions.py::test_locks_in_the_order_of_keys_never_deadlock
        tests/amends/adapters/test_postgres_lock_order.py::test_scenario_notices_that_its_rule_is_gone
    PostgreSQL: killed, restarted, cut off, slow
        tests/amends/adapters/test_postgres_outages.py::test_every_connection_is_replaced_after_a_restart
        tests/distributed/test_chaos.py::test_shop_loses_nothing_and_does_nothing_twice
"""
