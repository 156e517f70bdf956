"""Debezium sends what a service has put into its outbox: the same as the relay would, in the same order."""

import asyncio

import pytest

from amends.adapters.postgres import PostgresStorage
from amends.cli import main
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.service import Service
from amends.state import Status
from amends.testing.faults import Losing
from tests.amends.cdc import servers as fixtures
from tests.amends.cdc.town import PARTITIONS, Paid, Payment, Town, bank, payment_saga
from tests.servers import POSTGRES

pytestmark = pytest.mark.servers

servers = fixtures.servers
town = fixtures.town


@pytest.mark.parametrize("servers", POSTGRES, indirect=True)
async def test_event_is_heard_by_who_listens_on_another_database(town: Town) -> None:
    await town.tell("ann", [1, 2])

    assert await town.heard("ann", 2) == [1, 2]


async def test_commands_and_replies_are_captured_too(town: Town) -> None:
    desk = await town.room("desk", definitions=[payment_saga])
    assert desk.coordinator is not None
    coordinator = desk.coordinator

    async def has_all_shards() -> bool:
        return len(coordinator.shards.epochs) == PARTITIONS

    await town.until(has_all_shards, "the desk coordinates every saga")
    ids = [SagaId(f"{town.id}-{number}") for number in range(20)]
    async with desk.storage.transaction(town.runtime.now()) as tx:
        begins = [Begin(id, Payment("ann", number)) for number, id in enumerate(ids)]
        await coordinator.start(tx, payment_saga, begins)

    async def have_ended() -> bool:
        async with desk.storage.reading() as reader:
            found = await desk.storage.sagas.load(reader, ids)
        return all(found[id].state.status is Status.COMPLETED for id in ids)

    async def all_are_heard() -> bool:
        return sorted(await town.noted()) == [("ann", number) for number in range(len(ids))]

    await town.until(have_ended, "all sagas have ended")
    await town.until(all_are_heard, "what they paid is heard, each once")


async def test_rolled_back_transaction_emits_nothing(town: Town) -> None:
    bank = town.services["bank"]

    async def fail() -> None:
        async with bank.storage.transaction(town.runtime.now()) as tx:
            tx.tell(Paid("ann", 1), key="ann")
            await bank.relay.put(tx, ())
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await town.tell("ann", [2])

    assert await town.heard("ann", 2) == [2]


async def test_events_of_a_key_come_in_the_order_of_their_commits(town: Town) -> None:
    turn = asyncio.Lock()
    told: list[int] = []

    async def teller(first: int) -> None:
        for number in range(first, first + 20):
            async with turn:
                await town.tell("ann", [number, -number])
                told.extend([number, -number])
            await town.tell(f"other {first}", [number])

    await asyncio.gather(*(teller(first) for first in (100, 200, 300)))
    await town.tell("ann", [0])

    assert await town.heard("ann", 0) == [*told, 0]


async def test_service_goes_from_the_relay_to_the_capture_and_back(town: Town) -> None:
    await town.tell("ann", [1, 2])
    await town.heard("ann", 2)
    await town.services["bank"].stop()

    await town.room("bank", bank(), captured=False)
    await town.tell("ann", [3, 4])
    await town.heard("ann", 4)
    await town.services["bank"].stop()
    await put_and_crash(town, 5)

    where = ["--dsn", town.dsn("bank"), "--kafka", town.settings.bootstrap, "--prefix", town.settings.prefix]
    assert await asyncio.to_thread(main, ["cdc", "resend", *where]) == 0
    await town.room("bank", bank())
    await town.tell("ann", [6])

    assert await town.heard("ann", 6) == [1, 2, 3, 4, 5, 6]


async def put_and_crash(town: Town, number: int) -> None:
    """A relay that ends before it has sent what was committed."""
    storage = PostgresStorage(town.dsn("bank"), name="bank")
    losing = Losing(town.kafka, lambda _: True)
    service = Service(storage, losing, town.runtime, town.signals)
    async with service.transaction() as tx:
        tx.tell(Paid("ann", number), key="ann")
    await storage.close()
