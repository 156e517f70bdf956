"""What XA refuses: definitions, servers and effects that can't work."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends import Command, DefinitionError, Done, Migration, Participant, Refusal, Tx
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.xa import XA_TABLES, CommittedAlready, XaParticipant, XaRunner, XaSettings
from amends.adapters.postgres.xa.gids import Verb, gid_of, saga_of
from amends.adapters.postgres.xa.transactions import XaTransactions
from amends.errors import StorageError, Unavailable
from amends.messages import AlreadyCompensated, Event
from amends.participant import Asked
from amends.service import Service
from amends.signals import Signals
from amends.state import Status
from tests.amends.adapters.xa.booking import FreeRoom, HoldRoom, TakeRoom, Wish, participants, travel_saga
from tests.amends.adapters.xa.mortal import MortalRuntime
from tests.amends.adapters.xa.travel import HASTY, Travel, databases
from tests.servers import PostgresServer, require
from tools.servers import Postgres, missing_for_postgres, running

SAGA = "0198f2a4-0000-7000-8000-000000000000"
GID = f"amends:hotel:{SAGA}:hotel"
servers = pytest.mark.servers


class Elsewhere(Event):
    topic = "elsewhere"


@pytest.fixture
async def dsns(postgres_server: PostgresServer) -> dict[str, str]:
    return await databases(await postgres_server(18))


@pytest.fixture
async def transactions(dsns: dict[str, str]) -> AsyncIterator[XaTransactions]:
    """Of a hotel that was asked to prepare `GID`."""
    storage = PostgresStorage(dsns["hotel"], [Migration(1, "xa", XA_TABLES)])
    await storage.migrate()
    async with storage.transaction(0.0) as tx:
        await tx.run(
            "insert into xa_operations (gid, verb, saga, step, operation, type, payload, attempts, due_at)"
            " values (:gid, 'prepare', 's', 'prepare hotel', 'action', 't', '', 0, 0)",
            (GID,),
        )
        await tx.run("create table effects (what text)")
    made = XaTransactions(dsns["hotel"], "hotel", MortalRuntime().now, HASTY)
    yield made
    await made.abort(GID)
    await made.close()
    await storage.close()


async def effect(tx: Tx) -> Refusal | None:
    await tx.run("insert into effects (what) values ('done')")
    return None


def test_gid_names_participant_saga_and_part() -> None:
    prepare = Asked(SAGA, "prepare sea view: 2", "action")
    gids = {
        gid_of("hotel", Verb.PREPARE, prepare),
        gid_of("hotel", Verb.ABORT, prepare._replace(operation="compensation")),
        gid_of("hotel", Verb.COMMIT, prepare._replace(step="commit sea view: 2")),
    }
    assert gids == {f"amends:hotel:{SAGA}:sea view: 2"}
    assert saga_of("hotel", gids.pop()) == SAGA


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (Asked(SAGA, "prepare " + "x" * 150, "action"), "has 200 bytes, PostgreSQL takes 199"),
        (Asked(SAGA, "prepare " + "ü" * 75, "action"), "has 200 bytes"),
        (Asked("a:b", "prepare hotel", "action"), "no colon"),
        (Asked(SAGA, "prepare a'; drop table rooms; --", "action"), "no colon, and nothing has a quote"),
        (Asked(SAGA, "prepare a\\", "action"), "quote or backslash"),
        (Asked(SAGA, "prepare a\n", "action"), "quote or backslash"),
        (Asked(SAGA, "reserve hotel", "action"), "bind XA's commands to the voters of `two_phase`"),
        (Asked(SAGA, "prepare hotel", "compensation"), "each to its own place"),
    ],
    ids=["long", "long in bytes", "colon", "quote", "backslash", "newline", "no voter", "swapped"],
)
def test_gid_that_can_not_be_is_a_definition_error(asked: Asked, wrong: str) -> None:
    with pytest.raises(DefinitionError, match=wrong):
        gid_of("hotel", Verb.PREPARE, asked)


@pytest.mark.parametrize("name", ["a:b", "o'hare", "x" * 160])
def test_participant_whose_name_fits_no_gid_is_refused_at_import(name: str) -> None:
    with pytest.raises(DefinitionError, match="XA"):
        XaParticipant(Participant(name))


def test_two_roles_of_one_command_are_refused_at_import() -> None:
    xa = XaParticipant(Participant("hotel"))

    async def hold(tx: Tx, command: Command) -> Refusal | None:
        return None

    with pytest.raises(DefinitionError, match="TakeRoom has two handlers"):
        xa.prepares(HoldRoom, commit=TakeRoom, abort=TakeRoom)(hold)


@servers
async def test_voter_whose_name_is_too_long_is_parked_by_its_error(dsns: dict[str, str]) -> None:
    async with Travel(dsns, travel_saga(hotel="h" * 150)) as travel:
        parked = asyncio.ensure_future(travel.heard("message.parked", type="hotel.HoldRoom"))
        await travel.start(Wish("w"))
        await parked
        assert "PostgreSQL takes 199" in str(travel.named("message.parked")[0]["error"])


@servers
async def test_server_without_prepared_transactions_is_refused_at_start(tmp_path: Path) -> None:
    require(missing_for_postgres(18))
    async with running(postgres := Postgres(tmp_path / "postgres", 18, {"max_prepared_transactions": "0"})):
        with pytest.raises(StorageError, match="max_prepared_transactions is 0: set it to at least"):
            await _start(await postgres.create_database("hotel"), [Migration(1, "xa", XA_TABLES)])


@servers
async def test_database_without_the_tables_is_refused_at_start(dsns: dict[str, str]) -> None:
    with pytest.raises(StorageError, match=r'add Migration\(…, "xa", XA_TABLES\)'):
        await _start(dsns["hotel"], [])


@servers
async def test_another_database_than_the_services_own_is_refused_at_start(dsns: dict[str, str]) -> None:
    with pytest.raises(StorageError, match="the service's own database"):
        await _start(dsns["hotel"], [Migration(1, "xa", XA_TABLES)], other=dsns["plane"])


async def _start(dsn: str, migrations: list[Migration], other: str = "") -> None:
    xa = participants()["hotel"]
    storage = PostgresStorage(dsn, migrations)
    await storage.migrate()
    service = Service(storage, InProcess(), MortalRuntime(), Signals(), participant=xa.participant)
    runner = XaRunner(xa, service, other or dsn, XaSettings())
    try:
        await runner.start()
    finally:
        await runner.stop()
        await storage.close()


@servers
async def test_effect_is_seen_once_it_is_committed(transactions: XaTransactions, dsns: dict[str, str]) -> None:
    travel = Travel(dsns)
    assert await transactions.prepare(GID, effect) == Done()
    assert await travel.fetch("hotel", "select what from effects") == []
    assert await transactions.commit(GID) == Done()
    assert await travel.fetch("hotel", "select what from effects") == [("done",)]
    assert await transactions.commit(GID) == Done()
    assert await transactions.prepare(GID, effect) == CommittedAlready(GID)
    assert await transactions.abort(GID) == CommittedAlready(GID)


@servers
async def test_what_was_aborted_is_not_prepared_any_more(transactions: XaTransactions, dsns: dict[str, str]) -> None:
    assert await transactions.prepare(GID, effect) == Done()
    assert await transactions.abort(GID) == Done()
    assert await transactions.abort(GID) == Done()
    assert await transactions.prepare(GID, effect) == AlreadyCompensated()
    assert await Travel(dsns).prepared() == []


@servers
async def test_second_attempt_waits_for_the_first(transactions: XaTransactions) -> None:
    assert await transactions.prepare(GID, effect) == Done()
    with pytest.raises(Unavailable, match="lock timeout"):
        await transactions.prepare(GID, effect)
    assert await transactions.abort(GID) == Done()


async def tells(tx: Tx) -> Refusal | None:
    tx.tell(Elsewhere(), "key")
    return None


async def waits_for_the_commit(tx: Tx) -> Refusal | None:
    tx.after_commit(print)
    return None


async def swallows(tx: Tx) -> Refusal | None:
    try:
        await tx.run("insert into nowhere values (1)")
    except Exception:
        return None
    raise AssertionError("there is no such table")


async def says_done(tx: Tx) -> Refusal | None:
    await effect(tx)
    return Done()  # type: ignore[return-value] # what somebody would write who is used to handlers


@servers
@pytest.mark.parametrize(
    ("wrong", "error", "says"),
    [
        (tells, DefinitionError, "would be lost"),
        (waits_for_the_commit, DefinitionError, "no `after_commit` in an effect"),
        (swallows, StorageError, "its error was not passed on"),
        (says_done, DefinitionError, "return a refusal, or None for a vote of yes"),
    ],
    ids=lambda value: getattr(value, "__name__", "…"),
)
async def test_effect_that_can_not_be_prepared_fails(
    transactions: XaTransactions, dsns: dict[str, str], wrong: object, error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        await transactions.prepare(GID, wrong)  # type: ignore[arg-type] # the point of the test
    assert await Travel(dsns).prepared() == []


@servers
async def test_marks_go_after_their_time_unless_somebody_still_asks(dsns: dict[str, str]) -> None:
    async with Travel(dsns) as travel:
        assert await travel.run(Wish("w")) is Status.COMPLETED
        janitor = travel.runners["hotel"].janitor
        [(gid,)] = await travel.fetch("hotel", "select gid from xa_marks")
        await travel.fetch(
            "hotel",
            "insert into xa_operations (gid, verb, saga, step, operation, type, payload, attempts, due_at)"
            " values ($1, 'commit', 's', 'commit hotel', 'action', 't', '', 0, 1e12)",
            gid,
        )
        travel.runtime.ahead_s = HASTY.keep_marks_s + 60.0
        await janitor.prune()
        assert await travel.fetch("hotel", "select gid from xa_marks") == [(gid,)]
        await travel.fetch("hotel", "delete from xa_operations")
        await janitor.prune()
        assert await travel.fetch("hotel", "select gid from xa_marks") == []


@servers
async def test_gauges_show_what_is_in_doubt(dsns: dict[str, str]) -> None:
    shown = {}

    class Meter:
        def gauge(self, name: str, help: str, labels: object, read: object) -> None:
            shown[name] = read

    async with Travel(dsns) as travel:
        travel.hold = lambda each: ".Take" in each.type
        await travel.start(Wish("w"))
        await travel.held(2)
        janitor = travel.runners["plane"].janitor
        janitor.show(Meter())
        janitor._decisions = None
        await janitor.look()
        assert await shown["amends_xa_prepared"]() == {("plane",): 1}  # type: ignore[operator]
        assert (await shown["amends_xa_oldest_seconds"]())["plane",] > 0.0  # type: ignore[operator]


def test_room_is_bound() -> None:
    assert participants()["hotel"].participant.types == sorted(
        f"hotel.{each.__name__}" for each in (HoldRoom, TakeRoom, FreeRoom)
    )
