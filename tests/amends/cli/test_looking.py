"""sagas, stuck, parked."""

import json

import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.connections import Tx
from amends.messages import Envelope, Kind, MessageId
from amends.pages import Parked
from tests.amends.cli.conftest import Amends, Tamper

Ids = dict[str, str]


def test_sagas_are_listed_newest_first_with_state_and_cause(ids: Ids, amends: Amends) -> None:
    said = amends("sagas")

    assert [line.split()[0] for line in said.out.splitlines()[1:]] == [
        ids["stuck"],
        ids["compensated"],
        ids["completed"],
    ]
    assert "stuck undoing book room, book second room: not-cancellable" in said.line(ids["stuck"])
    assert "compensated: no-flight" in said.line(ids["compensated"])
    assert said.code == 0


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--state", "completed"], ["completed"]),
        (["--state", "stuck", "--name", "take-trip"], ["stuck"]),
        (["--name", "another"], []),
        (["--step", "book room"], ["stuck"]),
        (["--step", "pay"], []),
        (["--step", "book room", "--state", "running"], []),
        (["--step", "book room", "--older-than", "1h"], []),
        (["--older-than", "1h"], []),
        (["--older-than", "0s", "--limit", "2"], ["stuck", "compensated"]),
        (["--db", "trips", "--state", "compensated"], ["compensated"]),
    ],
    ids=" ".join,
)
def test_sagas_are_found_by(filters: list[str], found: list[str], ids: Ids, amends: Amends) -> None:
    said = amends("sagas", "--json", *filters)

    assert [each["id"] for each in json.loads(said.out)] == [ids[state] for state in found]


def test_no_saga_found_is_said(ids: Ids, amends: Amends) -> None:
    assert amends("sagas", "--name", "another").out == "no such saga\n"


def test_a_database_without_sagas_is_refused_by_name(ids: Ids, amends: Amends) -> None:
    said = amends("sagas", "--db", "hotels")

    assert (said.code, said.error) == (2, "amends: no sagas in a database 'hotels': they are in trips\n")


@pytest.mark.parametrize("wrong", ["soon", "5w", "", "-1m"])
def test_a_time_that_is_none_is_refused(wrong: str, amends: Amends, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        amends("sagas", f"--older-than={wrong}")

    assert left.value.code == 2
    assert "is no time: write 90s, 5m, 2h or 1d" in capsys.readouterr().err


def test_stuck_names_each_stuck_step_and_why(ids: Ids, amends: Amends) -> None:
    said = amends("stuck")

    assert [line.split("  ")[2] for line in said.out.splitlines() if line.startswith(ids["stuck"])] == [
        "book room: not-cancellable",
        "book second room: not-cancellable",
    ]
    assert "no message is parked" in said.out


def test_stuck_as_data_says_since_when(ids: Ids, amends: Amends) -> None:
    found = json.loads(amends("stuck", "--json").out)

    assert {(each["id"], each["step"], each["why"]) for each in found["sagas"]} == {
        (ids["stuck"], "book room", "not-cancellable"),
        (ids["stuck"], "book second room", "not-cancellable"),
    }
    assert all(each["since"] > 1.7e9 for each in found["sagas"])


def parked(id: str, attempts: int, retry_at: float | None) -> Parked:
    envelope = Envelope(
        id=MessageId(id), kind=Kind.COMMAND, type="hotels.Unheard", to="hotels", key=id, at=0.0, payload=b"{}"
    )
    return Parked(envelope, "UnknownMessage: \x1b[31mred", attempts, retry_at, 0.0)


@pytest.fixture
def messages(ids: Ids, tamper: Tamper) -> None:
    async def set_aside(storage: SqliteStorage, tx: Tx) -> None:
        rows = [parked("given-up", 8, None), parked("tried-later", 1, 4e9), parked("behind", 0, None)]
        await storage.parking.insert(tx, rows)

    tamper("hotels", set_aside)


def test_parked_lists_what_was_given_up_and_what_is_tried_again(messages: None, amends: Amends) -> None:
    said = amends("parked")

    assert " stuck " in said.line("given-up")
    assert " in " in said.line("tried-later")
    assert " later " in said.line("behind")


def test_stuck_lists_only_messages_that_need_a_person(messages: None, amends: Amends) -> None:
    found = json.loads(amends("stuck", "--json").out)

    assert [(each["id"], each["database"], each["attempts"]) for each in found["messages"]] == [
        ("given-up", "hotels", 8)
    ]


def test_what_others_wrote_does_not_steer_the_terminal(messages: None, amends: Amends) -> None:
    assert "\x1b" not in amends("parked").out
