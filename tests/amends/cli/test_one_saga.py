"""saga ID."""

import json

from amends.adapters.sqlite import SqliteStorage
from amends.connections import Tx
from tests.amends.cli.conftest import Amends, Tamper

Ids = dict[str, str]


def history(out: str) -> list[str]:
    """The lines of the timeline, without the times."""
    return [line.split(maxsplit=2)[2] for line in out.splitlines() if line.startswith("+")]


def test_a_saga_shows_its_way_as_a_timeline(ids: Ids, amends: Amends) -> None:
    said = amends("saga", ids["completed"])

    assert history(said.out) == [
        "●                        started",
        "│ ┌    book room         asked",
        "│ ●    book room         done",
        "│ ┌    book flight       asked",
        "│ │ ┌  book second room  asked",
        "│ ● │  book flight       done",
        "│   ●  book second room  done",
        "│ ┌    pay               asked",
        "│ ●    pay               done",
        "│ ┌    send tickets      asked",
        "│ ●    send tickets      done",
        "●                        completed",
    ]


def test_a_turned_back_saga_shows_cause_and_undone_steps(ids: Ids, amends: Amends) -> None:
    said = amends("saga", ids["compensated"])

    assert "compensated: no-flight" in said.out.splitlines()[0]
    assert "│ ✗ │  book flight       refused no-flight" in history(said.out)
    assert "│ ○    book room         undone" in history(said.out)
    assert "still to come" not in said.out


def test_a_stuck_saga_shows_what_is_left_to_undo(ids: Ids, amends: Amends) -> None:
    assert "still to undo  book second room → book room" in amends("saga", ids["stuck"]).out


def test_recorded_mends_are_shown_with_who_and_why(ids: Ids, amends: Amends) -> None:
    amends("resolve", ids["stuck"], "--step", "book room", "--why", "phoned them", "--who", "Ada")

    said = amends("saga", ids["stuck"])

    assert all(word in said.line("resolve") for word in ("book room", "Ada", "phoned them", "waiting"))


def test_a_saga_as_data_has_everything(ids: Ids, amends: Amends) -> None:
    saga = json.loads(amends("saga", ids["stuck"], "--json").out)

    assert saga["input"] == {"place": "beach"}
    assert saga["at"] == ["book room", "book second room"]
    assert [(each["name"], each["kind"], each["state"]) for each in saga["steps"]][:2] == [
        ("book room", "compensatable", "stuck"),
        ("book flight", "compensatable", "refused"),
    ]
    assert saga["would_undo"] == [
        {"step": "book second room", "command": "hotels.CancelRoom", "group": 1},
        {"step": "book room", "command": "hotels.CancelRoom", "group": 0},
    ]
    assert saga["history"][0]["what"] == "started"
    assert (saga["planned"], saga["mends"]) == ([], [])


def test_a_saga_of_an_unknown_definition_is_shown_by_numbers(ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def age(storage: SqliteStorage, tx: Tx) -> None:
        await tx.run("update sagas set version = 'old'")

    tamper("trips", age)

    said = amends("saga", ids["completed"])

    assert "step 4" in said.out
    assert "This program lacks the definition" in said.out


def test_an_unknown_saga_is_refused(ids: Ids, amends: Amends) -> None:
    said = amends("saga", "nobody")

    assert (said.code, said.error) == (2, "amends: no saga nobody in trips: `amends sagas` lists them\n")
