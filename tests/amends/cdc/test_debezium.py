"""The configuration of the connector, and what is refused before anything starts."""

from pathlib import Path

import pytest

from amends import DefinitionError
from amends.adapters.captured import Captured
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.debezium import Topics, connector, slot_name
from amends.adapters.sqlite import SqliteStorage
from amends.conformance.fixtures import event
from amends.messages import MessageId

DSN = "postgresql://capture:s%40cret@db:6432/hotel?sslmode=require"


def test_database_is_that_of_the_dsn() -> None:
    config = connector("hotel", DSN)

    assert {name: value for name, value in config.items() if name.startswith("database.")} == {
        "database.hostname": "db",
        "database.port": "6432",
        "database.user": "capture",
        "database.password": "s@cret",
        "database.dbname": "hotel",
        "database.sslmode": "require",
    }


def test_database_of_a_short_dsn_has_the_usual_port_and_no_password() -> None:
    config = connector("hotel", "postgresql://capture@db/hotel")

    assert config["database.port"] == "5432"
    assert "database.password" not in config


@pytest.mark.parametrize("dsn", ["postgresql://db/hotel", "postgresql:///hotel", "postgresql://ann:secret@db", "hotel"])
def test_dsn_without_user_host_or_database_is_refused_without_telling_the_password(dsn: str) -> None:
    with pytest.raises(DefinitionError, match="a user, a host and a database") as refused:
        connector("hotel", dsn)

    assert "secret@" not in str(refused.value)


def test_slot_and_publication_are_named_after_the_connector() -> None:
    config = connector("Hotel.EU-1", DSN)

    assert config["slot.name"] == config["publication.name"] == slot_name("Hotel.EU-1") == "amends_hotel_eu_1"


def test_name_that_is_too_long_for_a_slot_is_refused() -> None:
    with pytest.raises(DefinitionError, match="too long"):
        slot_name("h" * 60)


def test_topics_have_the_prefix_of_the_transport() -> None:
    config = connector("hotel", DSN, Topics("test.", 12, 3))

    assert config["transforms.route.route.topic.replacement"] == "test.${routedByValue}"
    assert config["topic.prefix"] == "test.hotel"
    assert config["topic.creation.default.partitions"] == "12"
    assert config["topic.creation.default.replication.factor"] == "3"


def test_settings_go_before_our_own() -> None:
    config = connector("hotel", DSN, settings={"poll.interval.ms": "1", "database.password": "${env:PASSWORD}"})

    assert (config["poll.interval.ms"], config["database.password"]) == ("1", "${env:PASSWORD}")


def test_every_setting_is_text() -> None:
    assert all(isinstance(value, str) for value in connector("hotel", DSN, heartbeat_s=0.25).values())


async def test_captured_refuses_a_storage_whose_outbox_no_capture_reads(tmp_path: Path) -> None:
    for storage in (SqliteStorage(tmp_path / "hotel.db"), PostgresStorage(DSN, outbox="relay")):
        with pytest.raises(DefinitionError, match="no capture reads the outbox of 'hotel'"):
            Captured(InProcess(), storage)


async def test_captured_sends_nothing_and_calls_it_taken() -> None:
    inner = InProcess()
    taken: list[MessageId] = []
    captured = Captured(inner, PostgresStorage(DSN, outbox="events"))
    reader = inner.subscribe("hotel.events", "mail")

    captured.send([event("1"), event("2")], taken.extend)

    assert taken == ["1", "2"]
    assert captured.subscribe("hotel.events", "mail") is reader
    assert captured.shard_of("hotel", "k") == inner.shard_of("hotel", "k")
    await inner.drained()
