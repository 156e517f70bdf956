"""A town on real servers: a bank whose outbox Debezium reads, a mail room that hears of it, each with its database.

Each town has databases, topics and connectors of its own; servers are shared.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec

from amends import Command, Done, Event, Migration, Participant, Saga, Tx, retriable
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.captured import Captured
from amends.adapters.kafka import Kafka, KafkaSettings, create_topics
from amends.adapters.postgres import PostgresStorage, ensure_database
from amends.adapters.postgres.debezium import Topics, connector, slot_name
from amends.adapters.postgres.slots import Slot, look
from amends.errors import Conflict, Unavailable
from amends.ports import Transport
from amends.service import Service
from amends.signals import Signals
from tools.servers import Connect, Postgres
from tools.servers import Kafka as KafkaServer

PARTITIONS = 4
ADDRESSES = ("bank", "bank.events", "desk", "desk.coordinator", "mail")
PATIENCE_S = 120.0
# Quick enough for tests; see docs/how-to/use-debezium.md on the timeout.
SETTINGS = {"producer.override.transaction.timeout.ms": "3000"}
TABLES = Migration(
    1,
    "notes",
    (
        """
        create table notes (
            position bigint generated always as identity, account text not null, number bigint not null
        )
        """,
        "create table tellings (account text not null, number bigint not null, primary key (account, number))",
    ),
)


class Pay(Command):
    participant = "bank"
    account: str
    number: int


class Paid(Event):
    topic = "bank.events"
    account: str
    number: int


class Payment(msgspec.Struct, frozen=True):
    account: str
    number: int


def pay(payment: Payment) -> Pay:
    return Pay(payment.account, payment.number)


payment_saga = Saga("pay", Payment, retriable("pay", pay, timeout_s=20.0), deadline_s=60.0)


class Servers(NamedTuple):
    """What a town needs."""

    postgres: Postgres
    kafka: KafkaServer
    connect: Connect


def bank() -> Participant:
    made = Participant("bank")

    @made.handles(Pay)
    async def pay(tx: Tx, command: Pay) -> Done:
        tx.tell(Paid(command.account, command.number), key=command.account)
        return Done()

    return made


def mail() -> Participant:
    made = Participant("mail")

    @made.hears(Paid)
    async def note(tx: Tx, event: Paid) -> None:
        sql = "insert into notes (account, number) values (:account, :number)"
        await tx.run(sql, {"account": event.account, "number": event.number})

    return made


class Town:
    """`open` makes its topics; rooms are added one by one."""

    def __init__(self, servers: Servers) -> None:
        self.servers = servers
        self.id = uuid4().hex[:8]
        self.settings = KafkaSettings(bootstrap=servers.kafka.bootstrap, prefix=f"{self.id}.", session_s=6.0)
        self.runtime = AsyncioRuntime()
        self.signals = Signals()
        self.services: dict[str, Service] = {}
        self.kafka = Kafka(self.settings, self.signals)
        self._moved = asyncio.Event()
        self.signals.listen(lambda *_: self._moved.set())

    async def open(self) -> None:
        await create_topics(self.settings, ADDRESSES, PARTITIONS)

    async def close(self) -> None:
        for service in self.services.values():
            await service.stop()
        await self.kafka.close()
        for name in self.services:
            if await self.servers.connect.status(self.connector(name)) is not None:
                await self.servers.connect.delete_connector(self.connector(name))
            await self.servers.postgres.drop_database(self.database(name))

    def database(self, name: str) -> str:
        return f"{name}_{self.id}"

    def connector(self, name: str) -> str:
        return f"{name}-{self.id}"

    def dsn(self, name: str) -> str:
        return self.servers.postgres.dsn(self.database(name))

    async def room(
        self,
        name: str,
        participant: Participant | None = None,
        definitions: Sequence[Saga[Any]] = (),
        *,
        captured: bool = True,
        settings: Mapping[str, str] | None = None,
    ) -> Service:
        """A service at work, with a capture that reads its outbox if it is `captured`."""
        await ensure_database(self.dsn(name))
        storage = PostgresStorage(self.dsn(name), [TABLES], name=name, outbox="events" if captured else "relay")
        await storage.migrate()
        transport: Transport = self.kafka
        if captured:
            transport = Captured(self.kafka, storage)
            await self.capture(name, settings)
        service = Service(
            storage, transport, self.runtime, self.signals, participant=participant, definitions=definitions
        )
        self.services[name] = service
        await service.start()
        return service

    async def capture(self, name: str, settings: Mapping[str, str] | None = None) -> None:
        """Returns when it reads the log: what is put in from then on is sent."""
        topics = Topics(self.settings.prefix, PARTITIONS)
        config = connector(self.connector(name), self.dsn(name), topics, 0.25, {**SETTINGS, **(settings or {})})
        await self.servers.connect.put_connector(self.connector(name), config)
        await self.servers.connect.wait_running(self.connector(name))
        await self.servers.postgres.wait_for_slot(slot_name(self.connector(name)))

    async def slot(self, name: str) -> Slot:
        async with self.services[name].storage.reading() as reader:
            return await look(reader, slot_name(self.connector(name)))

    async def tell(self, account: str, numbers: Iterable[int]) -> None:
        """The bank tells of payments, all in one transaction."""
        async with self.services["bank"].transaction() as tx:
            for number in numbers:
                tx.tell(Paid(account, number), key=account)

    async def tell_surely(self, account: str, number: int) -> None:
        """Tells once, however often the database goes away meanwhile."""

        async def once(tx: Tx) -> None:
            await tx.run("insert into tellings (account, number) values (:account, :number)", (account, number))
            tx.tell(Paid(account, number), key=account)

        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    return await self.services["bank"].transact(once)
                except Conflict:
                    return None  # a commit of which nobody heard
                except Unavailable:
                    await self.runtime.sleep(0.1)

    async def noted(self) -> list[tuple[str, int]]:
        """What the mail room has heard, in that order."""
        async with self.services["mail"].storage.reading() as reader:
            rows = await reader.fetch("select account, number from notes order by position")
        return [(account, number) for account, number in rows]

    async def heard(self, account: str, last: int) -> list[int]:
        """The numbers that were heard of an account, as soon as the last one is among them."""

        async def is_heard() -> bool:
            return (account, last) in await self.noted()

        await self.until(is_heard, f"{account} {last} is heard")
        return [number for each, number in await self.noted() if each == account]

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str, patience_s: float = PATIENCE_S) -> None:
        """Looks again with every hop, and now and then."""
        try:
            async with asyncio.timeout(patience_s):
                while not await condition():
                    self._moved.clear()
                    await self.runtime.within(0.5, self._moved.wait())
        except TimeoutError:
            raise AssertionError(f"not within {patience_s:g} s: {what}") from None


@asynccontextmanager
async def town_on(servers: Servers) -> AsyncIterator[Town]:
    town = Town(servers)
    await town.open()
    try:
        yield town
    finally:
        await town.close()
