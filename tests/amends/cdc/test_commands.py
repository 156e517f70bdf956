"""`amends cdc`: printed configurations, the state of a slot, messages sent again, and what can't be done."""

import asyncio
import json
from typing import NamedTuple

import pytest

from amends.adapters.postgres.debezium import Topics, connector
from amends.cli import main
from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import Servers, Town

servers = fixtures.servers
town = fixtures.town

DSN = "postgresql://capture:secret@db/hotel"
Capture = pytest.CaptureFixture[str]


class Said(NamedTuple):
    code: int
    out: str
    error: str


async def amends(capsys: Capture, *argv: str) -> Said:
    capsys.readouterr()
    code = await asyncio.to_thread(main, ["cdc", *argv])
    return Said(code, *capsys.readouterr())


async def test_connector_is_printed_as_connect_takes_it(capsys: Capture) -> None:
    asked = ("--dsn", DSN, "--name", "hotel", "--prefix", "test.", "--partitions", "12", "--replicas", "3")

    said = await amends(capsys, "connector", *asked, "--heartbeat", "2", "--set", "database.password=${env:SECRET}")

    password = {"database.password": "${env:SECRET}"}
    assert json.loads(said.out) == connector("hotel", DSN, Topics("test.", 12, 3), 2.0, password)
    assert said.code == 0


async def test_setting_without_a_value_is_refused(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        await amends(capsys, "connector", "--dsn", DSN, "--name", "hotel", "--set", "poll.interval.ms")

    assert "is no NAME=VALUE" in capsys.readouterr().err


async def test_connect_that_does_not_answer_ends_a_recovery_before_anything_is_done(capsys: Capture) -> None:
    nowhere = ("--connect", "http://127.0.0.1:1", "--kafka", "127.0.0.1:1")

    said = await amends(capsys, "recover", "--dsn", DSN, "--name", "hotel", *nowhere)

    assert (said.code, said.out) == (2, "")
    assert "PUT http://127.0.0.1:1/connectors/hotel/stop did not answer" in said.error


async def test_connect_has_to_be_given_as_an_address(capsys: Capture) -> None:
    said = await amends(capsys, "recover", "--dsn", DSN, "--name", "hotel", "--connect", "connect", "--kafka", "k:1")

    assert said.code == 2
    assert "Kafka Connect is at http://host:port, not at 'connect'" in said.error


@pytest.mark.servers
async def test_recovery_of_an_unknown_connector_says_so(servers: Servers, capsys: Capture) -> None:
    where = ("--dsn", DSN, "--connect", servers.connect.url, "--kafka", servers.kafka.bootstrap)

    said = await amends(capsys, "recover", "--name", "nowhere", *where)

    assert said.code == 2
    assert "answered with 404" in said.error


@pytest.mark.servers
async def test_slot_that_is_read_is_well_and_one_that_is_not_there_is_not(town: Town, capsys: Capture) -> None:
    well = await amends(capsys, "--json", "slot", "--dsn", town.dsn("bank"), "--name", town.connector("bank"))
    ill = await amends(capsys, "slot", "--dsn", town.dsn("mail"), "--name", "nowhere")

    assert well.code == 0
    assert json.loads(well.out)["active"] is True
    assert ill.code == 1
    assert "missing" in ill.out


@pytest.mark.servers
async def test_messages_are_sent_again_by_their_age_or_behind_an_id(town: Town, capsys: Capture) -> None:
    await town.tell("ann", range(1_500))
    storage = town.services["bank"].storage
    async with storage.reading() as reader:
        [(last,)] = await reader.fetch("select id::text from outbox_events order by id offset 1498 limit 1")
    asked = ("resend", "--dsn", town.dsn("bank"), "--kafka", town.settings.bootstrap, "--prefix", town.settings.prefix)

    every = await amends(capsys, *asked)
    young = await amends(capsys, *asked, "--since", "1h", "--set", "client.id=amends-cdc")
    behind = await amends(capsys, *asked, "--after", last)

    assert [every.code, young.code, behind.code] == [0, 0, 0]
    assert [every.out, young.out] == ["messages sent again: 1500\n"] * 2
    assert behind.out == "messages sent again: 1\n"
    assert await town.heard("ann", 1_499) == list(range(1_500))
