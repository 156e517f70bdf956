"""retry, skip, resolve: written down from outside, carried out by the program."""

import asyncio
import json
from pathlib import Path

import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.connections import Tx
from amends.messages import Envelope, Kind, MessageId, SagaId, encode, type_name
from amends.pages import Instance, Parked
from amends.service import Service
from amends.state import Status
from tests.amends.cli.conftest import Amends, Said, Tamper, home
from tests.amends.cli.journeys import BEACH, BookRoom, Trip, take_trip

Ids = dict[str, str]
WHY = ("--why", "phoned them", "--who", "Ada")


async def load(trips: Service, id: str) -> Instance:
    async with trips.storage.reading() as reader:
        return (await trips.storage.sagas.load(reader, [SagaId(id)]))[SagaId(id)]


async def be_kind(hotels: Service) -> None:
    """From here on the beach hotel cancels."""
    async with hotels.storage.transaction(0.0) as tx:
        await tx.run("insert into rooms (id) values ('kind')")


def mend_beside_the_program(folder: Path, amends: Amends, kind: bool, *argv: str) -> tuple[Said, Instance]:
    """Gets a trip stuck, then runs a command line while the program is at work."""

    async def live() -> tuple[Said, Instance]:
        async with home(folder) as (embedded, trips):
            stuck = await embedded.run(trips, take_trip, Trip(BEACH))
            if kind:
                await be_kind(embedded.services["hotels"])
            over: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
            assert trips.coordinator is not None
            trips.coordinator.watch.add(
                stuck.id,
                lambda moved: over.set_result(moved) if moved.state.status is Status.COMPENSATED else None,
            )
            said = await asyncio.to_thread(amends, *(stuck.id if word == "ID" else word for word in argv))
            return said, await over if kind else await load(trips, stuck.id)

    return asyncio.run(live())


def test_retry_beside_the_running_program_is_carried_out_at_once(tmp_path: Path, amends: Amends) -> None:
    said, after = mend_beside_the_program(tmp_path, amends, True, "retry", "ID", *WHY)

    assert (said.code, said.out.split()) == (0, [after.id, "retry", "done"])
    assert after.state.status is Status.COMPENSATED


def test_retry_all_takes_every_stuck_saga(tmp_path: Path, amends: Amends) -> None:
    said, after = mend_beside_the_program(tmp_path, amends, True, "retry", "--all", *WHY, "--json")

    assert [(each["saga"], each["who"], each["result"]) for each in json.loads(said.out)] == [(after.id, "Ada", "done")]


def test_skip_gives_up_one_step_and_leaves_the_other_stuck(tmp_path: Path, amends: Amends) -> None:
    said, after = mend_beside_the_program(tmp_path, amends, False, "skip", "ID", "--step", "book room", *WHY)

    assert said.code == 0
    assert [step.phase.value for step in after.state.steps[:3]] == ["skipped", "refused", "stuck"]
    assert [line.detail for line in after.state.history if line.what == "skipped"] == ["Ada: phoned them"]


def test_without_a_program_a_mend_waits_for_the_next_start(tmp_path: Path, ids: Ids, amends: Amends) -> None:
    said = amends("resolve", ids["stuck"], *WHY)

    async def start_again() -> Instance:
        async with home(tmp_path) as (_, trips):
            assert trips.operator is not None
            await trips.operator.carry_out()
            return await load(trips, ids["stuck"])

    assert "will be carried out when the program starts" in said.out
    assert said.code == 0
    assert asyncio.run(start_again()).state.status is Status.COMPENSATED


@pytest.mark.parametrize(
    ("state", "argv", "cause"),
    [
        ("completed", ["retry", "ID"], "no step is stuck: the saga is completed"),
        ("stuck", ["skip", "ID", "--step", "pay"], "step 'pay' is not stuck"),
        ("stuck", ["resolve", "ID", "--step", "no such"], "step 'no such' is not stuck"),
    ],
    ids=["retry", "skip", "resolve"],
)
def test_an_impossible_mend_is_refused_and_not_recorded(
    state: str, argv: list[str], cause: str, ids: Ids, amends: Amends
) -> None:
    said = amends(*(ids[state] if word == "ID" else word for word in argv), *WHY)

    assert (said.code, said.error) == (1, f"amends: {cause}\n")
    assert json.loads(amends("saga", ids[state], "--json").out)["mends"] == []


@pytest.mark.parametrize("action", ["retry", "resolve"])
def test_a_mend_without_a_reason_is_refused(action: str, ids: Ids, amends: Amends) -> None:
    said = amends(action, ids["stuck"], "--why", " ")

    assert (said.code, said.error) == (2, "amends: --why is empty: say why, it is recorded\n")


def test_who_is_the_login_name_by_default(ids: Ids, amends: Amends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")

    said = amends("retry", ids["stuck"], "--why", "again", "--json")

    assert json.loads(said.out)[0]["who"] == "grace"


def test_retry_all_finds_only_the_sagas_stuck_at_a_step(ids: Ids, amends: Amends) -> None:
    assert amends("retry", "--all", "--step", "pay", *WHY).out == "no saga is stuck\n"


def test_an_unknown_id_is_refused(ids: Ids, amends: Amends) -> None:
    said = amends("retry", "nobody", *WHY)

    assert (said.code, said.error) == (2, "amends: no saga nobody in trips: `amends sagas` lists them\n")


def parked(payload: bytes) -> Parked:
    envelope = Envelope(
        id=MessageId("m1"),
        kind=Kind.COMMAND,
        type=type_name(BookRoom),
        to="hotels",
        key="s1",
        at=0.0,
        payload=payload,
        saga=SagaId("s1"),
        step="book room",
        sender="trips.coordinator",
        epoch=99,
    )
    return Parked(envelope, "OSError: away", 8, None, 0.0)


@pytest.mark.parametrize(
    ("payload", "code", "result"),
    [(encode(BookRoom("city")), 0, "done"), (b"{}", 1, "failed again: ValidationError")],
    ids=["mended", "still wrong"],
)
def test_retry_of_a_parked_message_has_its_worker_take_it_again(
    payload: bytes, code: int, result: str, tmp_path: Path, ids: Ids, amends: Amends, tamper: Tamper
) -> None:
    async def set_aside(storage: SqliteStorage, tx: Tx) -> None:
        await storage.parking.insert(tx, [parked(payload)])

    async def live() -> Said:
        async with home(tmp_path):
            return await asyncio.to_thread(amends, "retry", "m1", *WHY)

    tamper("hotels", set_aside)

    said = asyncio.run(live())

    assert said.code == code
    assert f"m1  retry  {result}" in said.out
