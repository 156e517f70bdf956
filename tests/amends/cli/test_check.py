"""check: every invariant is seen when it is broken, and only then."""

import json
from pathlib import Path

import msgspec
import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.commands import invariants
from amends.connections import Tx
from amends.messages import Envelope, Kind, MessageId, SagaId
from amends.pages import Change, Instance, Parked, SagaFilter
from amends.state import Phase, Status
from tests.amends.cli.conftest import Amends, Said, Tamper

Ids = dict[str, str]
BY_SQL = {
    "action lost": (
        "flights",
        "delete from inbox where step = 'pay'",
        invariants.BARRIER,
        "pay: flights has no action",
    ),
    "outcome changed": (
        "flights",
        "update inbox set outcome = 'refused' where step = 'pay'",
        invariants.BARRIER,
        "pay: flights has no action of it that was done",
    ),
    "compensation lost": (
        "hotels",
        "delete from inbox where operation = 'compensation' and step = 'book room'",
        invariants.BARRIER,
        "book room: hotels has no compensation of it that was done",
    ),
    "done though refused": (
        "flights",
        "update inbox set outcome = 'done' where outcome = 'refused'",
        invariants.BARRIER,
        "book flight: the saga counts it as refused, its participant has done it",
    ),
    "undone though done": (
        "flights",
        "insert into inbox select saga, step, 'compensation', 'done', type, payload from inbox where step = 'pay'",
        invariants.BARRIER,
        "pay: the saga counts it as done, its participant has undone it",
    ),
    "completed is compensated": (
        "trips",
        "update sagas set status = 'compensated' where status = 'completed'",
        invariants.UNDONE,
        "pay is done",
    ),
    "compensated is completed": (
        "trips",
        "update sagas set status = 'completed' where status = 'compensated'",
        invariants.FORWARD,
        "book flight is refused",
    ),
    "nothing awaited": (
        "trips",
        "update sagas set status = 'running', wake_at = 1 where status = 'completed'",
        invariants.MOVING,
        "is running",
    ),
    "version unknown": (
        "trips",
        "update sagas set status = 'running', wake_at = 1, version = 'old' where status = 'completed'",
        invariants.KNOWN,
        "follows take-trip old",
    ),
    "a storm": ("flights", "insert into weather values (1)", "no storm", "there is a storm"),
}


def message(kind: Kind, saga: SagaId) -> Envelope:
    return Envelope(
        id=MessageId("m1"), kind=kind, type="Unheard", to="hotels", key=saga, at=0.0, payload=b"{}", saga=saga, step="x"
    )


def broken(said: Said) -> dict[str, str]:
    """The details of the findings that don't hold."""
    return {each["name"]: each["detail"] for each in json.loads(said.out) if not each["holds"]}


def test_a_sound_folder_holds(ended_ids: Ids, amends: Amends) -> None:
    said = amends("check")

    assert said.code == 0
    assert said.line(invariants.FORWARD).split("  ")[-1] == "looked at 1, broken 0"
    assert "looked at 10" in said.line(invariants.BARRIER)
    assert " NO" not in said.out


def test_a_stuck_saga_is_a_finding_of_its_own(ids: Ids, amends: Amends) -> None:
    said = amends("check", "--json")

    assert said.code == 1
    assert broken(said) == {
        invariants.NOT_STUCK: f"{ids['stuck']} is stuck: book room is stuck, book second room is stuck"
    }


@pytest.mark.parametrize("damage", sorted(BY_SQL))
def test_check_sees(damage: str, ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    database, statement, name, detail = BY_SQL[damage]

    async def write(_: SqliteStorage, tx: Tx) -> None:
        assert await tx.run(statement)

    tamper(database, write)

    said = amends("check", "--json")

    assert said.code == 1
    assert detail in broken(said)[name]


def test_a_broken_invariant_is_told_in_words(ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def lose(_: SqliteStorage, tx: Tx) -> None:
        await tx.run("delete from inbox where step = 'pay'")

    tamper("flights", lose)

    said = amends("check")

    assert f"NO {invariants.BARRIER}: {ended_ids['completed']}, pay" in said.out
    assert "broken 1" in said.line(invariants.BARRIER)


def test_a_step_that_never_settled_breaks_a_completed_saga(ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def unsettle(storage: SqliteStorage, tx: Tx) -> None:
        id = SagaId(ended_ids["completed"])
        before = (await storage.sagas.load(tx, [id]))[id]
        steps = list(before.state.steps)
        steps[3] = msgspec.structs.replace(steps[3], phase=Phase.ASKED)
        state = msgspec.structs.replace(before.state, steps=tuple(steps), status=Status.COMPLETED)
        await storage.sagas.save(tx, [Change(before, before.moved(state, None))])

    tamper("trips", unsettle)

    assert "pay is asked" in broken(amends("check", "--json"))[invariants.FORWARD]


@pytest.mark.parametrize("kind", [Kind.COMMAND, Kind.REPLY])
def test_a_message_without_cause_is_found(kind: Kind, ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def write(storage: SqliteStorage, tx: Tx) -> None:
        known = ended_ids["completed"] if kind is Kind.REPLY else "nobody"
        envelope = message(kind, SagaId(known))
        await storage.outbox.insert(tx, [envelope])

    tamper("trips", write)

    assert f"trips: {kind} m1" in broken(amends("check", "--json"))[invariants.CAUSED]


def test_a_message_that_was_given_up_is_found(ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    async def write(storage: SqliteStorage, tx: Tx) -> None:
        await storage.parking.insert(
            tx, [Parked(message(Kind.COMMAND, SagaId("")), "UnknownMessage: no", 1, None, 0.0)]
        )

    tamper("hotels", write)

    assert broken(amends("check", "--json"))[invariants.NOT_PARKED] == "hotels: m1 (UnknownMessage: no)"


def test_a_saga_in_two_databases_is_found(ended_ids: Ids, amends: Amends, tamper: Tamper) -> None:
    rows: list[Instance] = []

    async def read(storage: SqliteStorage, tx: Tx) -> None:
        rows.extend(await storage.sagas.find(tx, SagaFilter("completed")))

    async def write(storage: SqliteStorage, tx: Tx) -> None:
        await storage.sagas.insert(tx, rows)

    tamper("trips", read)
    tamper("hotels", write)

    said = amends("check", "--json", "--app", "tests.amends.cli.journeys:in_two")

    assert broken(said) == {invariants.ONCE: f"{ended_ids['completed']} is in trips and in hotels"}


def test_a_missing_folder_can_not_be_checked(tmp_path: Path, amends: Amends) -> None:
    said = amends("check", "--data", str(tmp_path / "nowhere"))

    assert said.code == 2
    assert "no data folder with databases of this program" in said.error
    assert not (tmp_path / "nowhere").exists()
