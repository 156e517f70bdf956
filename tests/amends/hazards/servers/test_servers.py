"""Each hazard of outbox, Kafka and PostgreSQL: met, and noticed where its rule is taken out."""

import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

import pytest

from amends.adapters.kafka import KafkaSettings, create_topics
from tests.amends.hazards import servers
from tests.amends.hazards.ablations import no_barrier
from tests.amends.hazards.servers import ablations as without
from tests.amends.hazards.servers import scenarios
from tests.amends.hazards.servers.hotel import Where
from tests.amends.hazards.servers.scenarios import SCENARIOS, Scenario
from tests.servers import PostgresServer, fresh_database
from tools.servers import Kafka

ROOT = Path(__file__).parents[4]
VERSION = 16
PARTITIONS = 4


class Ablation(NamedTuple):
    """A rule's absence, the scenario that has to notice it, and what it says then."""

    scenario: Scenario
    take_out: Callable[[pytest.MonkeyPatch], None]
    says: str


ABLATIONS = [
    Ablation(scenarios.batch_of_a_killed_process_comes_again, without.offsets_before_the_database, "was lost"),
    Ablation(scenarios.batch_of_a_killed_process_comes_again, without.offsets_commit_themselves, "lost|nobody wants"),
    Ablation(scenarios.partition_waits_for_its_batch, without.partitions_go_at_once, "DID NOT RAISE"),
    Ablation(scenarios.sent_twice_is_done_once, no_barrier, "booked twice"),
    Ablation(scenarios.unheard_record_is_in_the_topic_once, without.records_have_no_numbers, "in the topic twice"),
    Ablation(scenarios.every_replica_in_sync_is_waited_for, without.leader_alone_is_enough, "content with less"),
    Ablation(scenarios.undecodable_record_is_parked, without.undecodable_records_are_dropped, "nobody sees it"),
    Ablation(scenarios.undecodable_record_is_parked, without.undecodable_records_are_errors, "was lost"),
    Ablation(scenarios.slow_commit_is_not_passed_over, without.outbox_has_a_cursor, "passed over"),
    Ablation(scenarios.sweeps_take_turns, without.sweeps_look_at_the_same_rows, "sent by both"),
    Ablation(scenarios.claimed_rows_are_not_overtaken, without.claims_of_others_are_not_waited_for, "overtook"),
    Ablation(scenarios.long_hop_keeps_its_partitions, without.hops_run_on_the_poll_loop, "came again|thrown out"),
    Ablation(scenarios.every_group_has_all_partitions, without.groups_are_one, "share what each should hear"),
]


@pytest.fixture
async def where(postgres_server: PostgresServer, kafka_server: Kafka) -> AsyncIterator[Where]:
    """A database and topics of one's own."""
    settings = KafkaSettings(bootstrap=kafka_server.bootstrap, prefix=f"{uuid4().hex}.", drain_s=20.0)
    await create_topics(settings, ["hotel", "trips.coordinator"], PARTITIONS)
    async with fresh_database(await postgres_server(VERSION)) as dsn:
        yield Where(dsn, settings)


@pytest.mark.servers
@pytest.mark.timeout(240)
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
async def test_hazard_is_met(scenario: Scenario, where: Where) -> None:
    await scenario(where)


@pytest.mark.servers
@pytest.mark.timeout(240)
@pytest.mark.parametrize("ablation", ABLATIONS, ids=lambda each: each.take_out.__name__)
async def test_scenario_notices_that_its_rule_is_gone(
    ablation: Ablation, where: Where, monkeypatch: pytest.MonkeyPatch
) -> None:
    ablation.take_out(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception), match=ablation.says):
        await ablation.scenario(where)


def test_table_names_what_there_is() -> None:
    table = servers.__doc__ or ""
    for path, name in re.findall(r"(tests/\S+\.py)::(\w+)", table):
        assert f"def {name}(" in (ROOT / path).read_text(), f"{path}::{name}"
    named = dict(re.findall(r"^ {8}(\w+): ([\w, ]+)$", table, re.MULTILINE))
    wanted: dict[str, set[str]] = {each.__name__: set() for each in SCENARIOS}
    for each in ABLATIONS:
        wanted[each.scenario.__name__].add(each.take_out.__name__)
    assert {name: set(rules.split(", ")) for name, rules in named.items()} == wanted
