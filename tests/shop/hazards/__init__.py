"""What has broken shops like this one, met at its edges; and each rule taken out, to see its test fail.

Scenarios are functions on the shop as it is wired, with its servers on free ports. `test_hazards` runs each once;
`test_ablations` again without its rule, and wants it to fail with the right words. The rules of keys, and of SQLite's
transactions, syncs and locks, are met where they are made, too: `tests/amends/hazards`.

    row
        scenario: taken out by

    keys: insert first, the loser of a race reads the winner's row
        racing_orders_with_one_key_are_one_order: keys_of_orders_are_not_read, keys_of_orders_are_not_stored
        racing_deposits_with_one_key_pay_once: keys_are_not_inserted
        racing_cancellations_with_one_key_cancel_once: keys_are_not_inserted
    keys: a claim has a lease
        crash_of_the_first_request_frees_its_key: claims_are_durable_and_never_end
        lease_of_a_crashed_request_ends: leases_never_end, lapsed_claims_are_not_taken_over
    keys: success and refusal alike
        refused_order_stays_refused: refused_orders_are_forgotten
        refused_deposit_stays_refused: refusals_are_forgotten
    keys: never another's answer, never another body's
        key_never_shows_anothers_answer: keys_belong_to_everybody, principals_are_not_compared
        key_for_another_body_is_refused: bodies_are_not_compared
    prices, totals, owners, roles, states come from the server; unknown fields are refused
        unknown_fields_are_refused: unknown_fields_are_dropped
        prices_and_totals_come_from_the_server: price_comes_from_the_body
        owners_come_from_the_token: owner_comes_from_the_body
        states_come_from_the_saga: state_comes_from_the_body
        members_are_no_operators: any_token_is_the_operators
    404, not 403
        order_of_another_looks_like_none: owners_are_not_compared, another_is_told_that_it_exists
    bodies at most 64 KiB
        bodies_are_bounded: bodies_of_orders_have_no_bound, other_bodies_have_no_bound
    pages at most 100
        pages_have_a_bound: pages_are_as_long_as_asked, pages_of_sagas_are_as_long_as_asked
    a rate for each principal
        each_principal_has_a_rate: nobody_is_counted, counter_counts_nobody, gate_counts_nobody, all_share_one_rate
        strangers_have_a_rate_by_address: gate_counts_nobody
        wrong_passwords_have_to_wait: wrong_passwords_are_not_counted
    JWT: one fixed algorithm for each key, no `none`
        algorithm_is_the_keys_not_the_tokens: token_chooses_its_algorithm
        unsigned_token_is_refused: unsigned_tokens_are_let_in
        token_signed_by_another_is_refused: signatures_are_not_checked
    JWT: `iss`, `aud`, `exp`, `nbf`
        token_of_another_issuer_is_refused: issuers_are_not_compared
        token_for_another_audience_is_refused: audiences_are_not_compared
        token_ends: exp_is_not_checked, known_tokens_never_end
        token_is_not_good_before_its_time: nbf_is_not_checked
    JWT: `kid` from a fixed set
        key_names_come_from_a_fixed_set: token_brings_its_key, unknown_key_names_mean_the_first_key
    argon2 off the event loop, bounded
        hashing_runs_beside_the_loop: hashes_run_in_the_loop
        hashes_at_once_are_bounded: hashes_run_as_many_as_come
        hashes_that_wait_are_bounded: any_number_of_hashes_may_wait
    open streams don't hang a shutdown
        open_event_streams_do_not_hang_a_shutdown: nobody_is_let_go, nobody_is_let_go_nor_cut_off
        waiting_buyers_do_not_hang_a_shutdown: nobody_is_let_go, nobody_is_let_go_nor_cut_off
    SQLite: one library
        one_sqlite_library_is_loaded: second_library_is_imported
"""
