"""compare NAME: the shop's order by saga, TCC and two-phase commit, in process and over HTTP; table, data, picture."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from amends import Participant
from amends.cli import main
from amends.commands.comparing.load import held_s, percentile
from amends.comparison import Pattern
from amends.state import Entry
from shop.orders.two_phase_saga import buy_two_phase
from tests.amends.cli.conftest import Amends, Said
from tests.servers import PostgresServer, wait_for
from tools.servers import Kafka, Postgres

ROOMS = ("billing", "delivery", "warehouse")
NO_XA = "two-phase, prepared"


@pytest.fixture
def compare(amends: Amends, monkeypatch: pytest.MonkeyPatch) -> Amends:
    """Compares with the shop's own program."""
    monkeypatch.setenv("AMENDS_APP", "shop.app:app")
    return lambda *arguments: amends("compare", *arguments)


def rows_of(said: Said) -> dict[str, Any]:
    assert said.code == 0, said.error
    return {row["pattern"]: row for row in json.loads(said.out)}


@pytest.mark.parametrize("over", ["inprocess", "http"])
def test_patterns_are_measured_read_and_killed(compare: Amends, tmp_path: Path, over: str) -> None:
    picture = tmp_path / "patterns.svg"

    rows = rows_of(compare("place-order", "--orders", "5", "--over", over, "--json", "--svg", str(picture)))

    five, all_, none = dict.fromkeys(ROOMS, 5), {"completed": 5}, {"held": {}, "good": {}, "prepared": 0}
    held = {"held": five, "good": {}, "prepared": 0}
    dirty = {"held": {"billing": 5}, "good": {"delivery": 5, "warehouse": 5}, "prepared": 0}
    assert list(rows) == ["saga", "TCC", "two-phase", NO_XA]
    for name, seen, never in (("saga", dirty, dirty), ("TCC", held, none), ("two-phase", held, held)):
        figures, killed = rows[name]["figures"], rows[name]["killed"]
        assert (figures["orders"], figures["completed"]) == (5, 5)
        assert figures["held_p50_ms"] <= figures["held_p99_ms"]
        assert (killed["seen"], killed["left"], killed["never"]) == (seen, seen, never)
        assert (killed["open"], killed["ends"]) == (none, all_)
    assert "--postgres" in rows[NO_XA]["left_out"]
    texts = [each.text or "" for each in ElementTree.parse(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert [text for text in texts if text in rows] == list(rows)
    assert "others see — dirty: delivery, warehouse; reserved: billing" in texts


def test_table_says_what_is_seen_and_why_rows_are_left_out(compare: Amends) -> None:
    said = compare("place-order", "--orders", "2", "--over", "inprocess,kafka")

    assert said.code == 0, said.error
    assert "dirty: delivery, warehouse; reserved: billing" in said.line("saga")
    assert "6 reserved" in said.line("TCC")
    assert (
        "left out: saga over kafka; TCC over kafka; two-phase over kafka; two-phase, prepared over kafka: no"
        in said.out
    )
    assert said.out.count("python -m tools.servers up --kafka") == 1
    assert "left out: two-phase, prepared over inprocess: no PostgreSQL" in said.out


def test_unknown_names_and_numbers_are_refused(compare: Amends) -> None:
    said = compare("place-nothing")
    assert (said.code, said.error) == (
        2,
        "amends: nothing to compare is called 'place-nothing': there is place-order\n",
    )

    said = compare("place-order", "--over", "pigeon")
    assert (said.code, said.error) == (2, "amends: --over: pigeon is none of inprocess, http, kafka\n")

    said = compare("place-order", "--orders", "0")
    assert (said.code, said.error) == (2, "amends: --orders: 0 is not from 1 to 5000\n")

    said = compare("place-order", "--postgres", "postgresql://server/shop")
    assert said.code == 2
    assert "{database}" in said.error


def test_program_without_comparisons_says_so(amends: Amends) -> None:
    said = amends("compare", "take-trip")

    assert (said.code, said.error) == (2, "amends: nothing to compare is called 'take-trip': there is none\n")


@pytest.mark.long
@pytest.mark.servers
def test_transactions_prepared_by_a_server_are_seen_by_nobody(compare: Amends, postgres_server: PostgresServer) -> None:
    postgres: list[Postgres] = []

    async def start() -> None:
        postgres.append(await postgres_server(18))

    wait_for(start())
    dsn = postgres[0].dsn("{database}")

    rows = rows_of(compare("place-order", "--orders", "2", "--over", "inprocess", "--json", "--postgres", dsn))

    killed = rows[NO_XA]["killed"]
    assert rows[NO_XA]["figures"]["completed"] == 2
    assert (killed["seen"]["held"], killed["seen"]["good"]) == ({}, {})
    assert killed["left"]["prepared"] == 3  # money goes into one row: the second order waits for the first
    assert (killed["open"]["prepared"], killed["ends"]) == (0, {"completed": 2})


@pytest.mark.long
@pytest.mark.servers
def test_orders_go_over_kafka(compare: Amends, kafka_server: Kafka) -> None:
    rows = rows_of(
        compare("place-order", "--orders", "2", "--over", "kafka", "--json", "--kafka", kafka_server.bootstrap)
    )

    for name in ("saga", "TCC", "two-phase"):
        assert rows[name]["figures"]["completed"] == 2
        assert rows[name]["killed"]["ends"] == {"completed": 2}


def test_what_was_undone_is_held_until_then_and_what_was_refused_never() -> None:
    steps = {"prepare payment": "commit payment", "prepare warehouse": "commit warehouse"}
    pattern = Pattern("two-phase", buy_two_phase, steps, dict[str, Participant]())
    at = buy_two_phase.index
    history = [
        Entry(1.0, at["prepare payment"], "done"),
        Entry(2.0, at["prepare warehouse"], "refused"),
        Entry(4.5, at["prepare payment"], "undone"),
    ]

    assert list(held_s(pattern, history)) == [3.5]


def test_percentiles_are_values_that_were_there() -> None:
    assert (percentile([], 0.5), percentile([3.0], 0.99), percentile([1.0, 2.0, 3.0, 4.0], 0.5)) == (0.0, 3.0, 2.0)


def test_help_names_what_is_compared(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["compare", "--help"])

    assert "place-order" in capsys.readouterr().out
