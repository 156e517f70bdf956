"""Every rule taken out, one at a time: the scenario that guards it has to notice.

`hazards/__init__` holds the table of rows, scenarios and ablations.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.shop import hazards
from tests.shop.hazards import ablations as without
from tests.shop.hazards import ablations_of_keys as keys_without
from tests.shop.hazards import ablations_of_tokens as tokens_without
from tests.shop.hazards import files, keys, rest, tokens, trust

Patch = pytest.MonkeyPatch


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Callable[[Path], Awaitable[None]]
    take_out: Callable[[Patch], None]
    says: str


ABLATIONS = [
    Ablation(
        keys.racing_orders_with_one_key_are_one_order, keys_without.keys_of_orders_are_not_read, "winner's answer"
    ),
    Ablation(
        keys.racing_orders_with_one_key_are_one_order, keys_without.keys_of_orders_are_not_stored, "several answers"
    ),
    Ablation(keys.racing_deposits_with_one_key_pay_once, keys_without.keys_are_not_inserted, "several answers"),
    Ablation(keys.racing_cancellations_with_one_key_cancel_once, keys_without.keys_are_not_inserted, "several effects"),
    Ablation(
        keys.crash_of_the_first_request_frees_its_key, keys_without.claims_are_durable_and_never_end, "keeps its key"
    ),
    Ablation(keys.lease_of_a_crashed_request_ends, keys_without.leases_never_end, "409 for ever"),
    Ablation(keys.lease_of_a_crashed_request_ends, keys_without.lapsed_claims_are_not_taken_over, "409 for ever"),
    Ablation(keys.refused_order_stays_refused, keys_without.refused_orders_are_forgotten, "a refusal was forgotten"),
    Ablation(keys.refused_deposit_stays_refused, keys_without.refusals_are_forgotten, "a refusal was forgotten"),
    Ablation(keys.key_never_shows_anothers_answer, keys_without.keys_belong_to_everybody, "another's order was shown"),
    Ablation(
        keys.key_never_shows_anothers_answer, keys_without.principals_are_not_compared, "another's order was shown"
    ),
    Ablation(keys.key_for_another_body_is_refused, keys_without.bodies_are_not_compared, "got the key's answer"),
    Ablation(trust.unknown_fields_are_refused, without.unknown_fields_are_dropped, "lets total_minor in"),
    Ablation(trust.prices_and_totals_come_from_the_server, without.price_comes_from_the_body, "has named the price"),
    Ablation(trust.owners_come_from_the_token, without.owner_comes_from_the_body, "placed for somebody else"),
    Ablation(trust.states_come_from_the_saga, without.state_comes_from_the_body, "has named the state"),
    Ablation(trust.members_are_no_operators, without.any_token_is_the_operators, "a user is an operator"),
    Ablation(trust.order_of_another_looks_like_none, without.owners_are_not_compared, "another's isn't 404: 200"),
    Ablation(
        trust.order_of_another_looks_like_none, without.another_is_told_that_it_exists, "another's isn't 404: 403"
    ),
    Ablation(trust.bodies_are_bounded, without.bodies_of_orders_have_no_bound, "/api/orders: 64 KiB and a byte"),
    Ablation(trust.bodies_are_bounded, without.other_bodies_have_no_bound, "/deposits: 64 KiB and a byte"),
    Ablation(trust.pages_have_a_bound, without.pages_are_as_long_as_asked, "/api/orders: a page of 101"),
    Ablation(trust.pages_have_a_bound, without.pages_of_sagas_are_as_long_as_asked, "sagas: a page of 101"),
    Ablation(trust.each_principal_has_a_rate, without.nobody_is_counted, "the gate counts nobody"),
    Ablation(trust.each_principal_has_a_rate, without.counter_counts_nobody, "the counter counts nobody"),
    Ablation(trust.each_principal_has_a_rate, without.gate_counts_nobody, "the gate counts nobody"),
    Ablation(trust.each_principal_has_a_rate, without.all_share_one_rate, "others have to wait, too"),
    Ablation(trust.strangers_have_a_rate_by_address, without.gate_counts_nobody, "nobody has to wait"),
    Ablation(trust.wrong_passwords_have_to_wait, without.wrong_passwords_are_not_counted, "guess as you like"),
    Ablation(tokens.token_of_another_issuer_is_refused, tokens_without.issuers_are_not_compared, "another issuer's"),
    Ablation(tokens.token_for_another_audience_is_refused, tokens_without.audiences_are_not_compared, "another API"),
    Ablation(tokens.token_ends, tokens_without.exp_is_not_checked, "expired token is let in"),
    Ablation(tokens.token_ends, tokens_without.known_tokens_never_end, "known token never ends"),
    Ablation(tokens.token_is_not_good_before_its_time, tokens_without.nbf_is_not_checked, "before its time"),
    Ablation(tokens.unsigned_token_is_refused, tokens_without.unsigned_tokens_are_let_in, "without a signature"),
    Ablation(
        tokens.algorithm_is_the_keys_not_the_tokens, tokens_without.token_chooses_its_algorithm, "chooses its algorithm"
    ),
    Ablation(tokens.token_signed_by_another_is_refused, tokens_without.signatures_are_not_checked, "isn't checked"),
    Ablation(tokens.key_names_come_from_a_fixed_set, tokens_without.token_brings_its_key, "brings its own key"),
    Ablation(
        tokens.key_names_come_from_a_fixed_set, tokens_without.unknown_key_names_mean_the_first_key, "doesn't matter"
    ),
    Ablation(rest.hashing_runs_beside_the_loop, without.hashes_run_in_the_loop, "held up the event loop"),
    Ablation(rest.hashes_at_once_are_bounded, without.hashes_run_as_many_as_come, "hashes at once"),
    Ablation(rest.hashes_that_wait_are_bounded, without.any_number_of_hashes_may_wait, "everybody waits"),
    Ablation(rest.open_event_streams_do_not_hang_a_shutdown, without.nobody_is_let_go, "was cut off"),
    Ablation(rest.open_event_streams_do_not_hang_a_shutdown, without.nobody_is_let_go_nor_cut_off, "stream hangs"),
    Ablation(rest.waiting_buyers_do_not_hang_a_shutdown, without.nobody_is_let_go, "got no answer"),
    Ablation(rest.waiting_buyers_do_not_hang_a_shutdown, without.nobody_is_let_go_nor_cut_off, "buyer hangs"),
    Ablation(files.one_sqlite_library_is_loaded, without.second_library_is_imported, "second SQLite library"),
]


def name_of(ablation: Ablation) -> str:
    return f"{ablation.take_out.__name__}-{ablation.scenario.__name__}"


@pytest.mark.parametrize("ablation", ABLATIONS, ids=name_of)
async def test_scenario_notices_that_its_rule_is_gone(ablation: Ablation, tmp_path: Path, monkeypatch: Patch) -> None:
    ablation.take_out(monkeypatch)
    with pytest.raises(AssertionError, match=ablation.says):
        await ablation.scenario(tmp_path)


def test_table_names_every_scenario_with_its_ablations() -> None:
    table = hazards.__doc__ or ""
    for scenario in {each.scenario for each in ABLATIONS}:
        gone = [each.take_out.__name__ for each in ABLATIONS if each.scenario is scenario]
        assert f"        {scenario.__name__}: {', '.join(gone)}\n" in table


def test_every_scenario_has_an_ablation() -> None:
    scenarios = {*keys.SCENARIOS, *trust.SCENARIOS, *tokens.SCENARIOS, *rest.SCENARIOS, *files.SCENARIOS}
    assert scenarios == {each.scenario for each in ABLATIONS}
