"""Events: told in a transaction, sent with its commit, heard once by every participant that listens."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends import Command, Done, Event, Migration, Participant, Tx
from amends.adapters.inprocess import InProcess
from amends.adapters.sqlite import SqliteStorage
from amends.messages import Envelope, Kind, MessageId, SagaId, encode, type_name
from amends.ports import Transport
from amends.service import Service
from amends.signals import Signals
from amends.testing.faults import Duplicating, Losing, Recording
from amends.testing.runtime import VirtualRuntime

NOTES = Migration(1, "notes", ("create table notes (text text not null, count bigint not null)",))


class Pay(Command):
    participant = "bank"
    account: str


class Paid(Event):
    topic = "bank.events"
    account: str


def bank() -> Participant:
    made = Participant("bank")

    @made.handles(Pay)
    async def pay(tx: Tx, command: Pay) -> Done:
        tx.tell(Paid(command.account), key=command.account)
        return Done()

    return made


def listener(name: str) -> Participant:
    made = Participant(name)

    @made.hears(Paid)
    async def note(tx: Tx, event: Paid) -> None:
        await tx.run("insert into notes (text, count) values (:text, 1)", (event.account,))

    return made


class Town:
    """A bank whose events two others hear."""

    def __init__(self, folder: Path, wrap: type[Duplicating] | None = None) -> None:
        self.runtime = VirtualRuntime()
        inner: Transport = InProcess()
        self.losing = Losing(Recording(inner), lambda _: False)
        self.transport = Recording(wrap(self.losing) if wrap else self.losing)
        self.services = {each.name: self._service(folder, each) for each in (bank(), listener("mail"), listener("tax"))}

    def _service(self, folder: Path, participant: Participant) -> Service:
        storage = SqliteStorage(folder / f"{participant.name}.db", [NOTES])
        return Service(storage, self.transport, self.runtime, Signals(), participant=participant)

    async def open(self) -> "Town":
        for service in self.services.values():
            await service.storage.migrate()
            await service.start()
        return self

    async def close(self) -> None:
        self.runtime.kill()
        await self.runtime.settle()
        for service in self.services.values():
            await service.storage.close()

    async def noted(self, name: str) -> list[str]:
        async with self.services[name].storage.reading() as reader:
            return [row[0] for row in await reader.fetch("select text from notes")]

    def ask(self, account: str) -> None:
        command = Pay(account)
        ask = Envelope(
            id=MessageId(f"m-{account}"),
            kind=Kind.COMMAND,
            type=type_name(Pay),
            to="bank",
            key=account,
            at=0.0,
            payload=encode(command),
            saga=SagaId(account),
            step="pay",
            sender="c",
        )
        self.transport.send([ask], lambda _: None)


@pytest.fixture(params=[None, Duplicating], ids=["once", "twice"])
async def town(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Town]:
    town = await Town(tmp_path, request.param).open()
    yield town
    await town.close()


async def test_event_of_a_handler_is_heard_once_by_everybody_who_listens(town: Town) -> None:
    town.ask("ann")
    await town.runtime.settle()
    assert (await town.noted("mail"), await town.noted("tax")) == (["ann"], ["ann"])
    [event] = {each.id: each for each in town.transport.sent if each.kind is Kind.EVENT}.values()
    assert (event.type, event.to, event.key, event.sender) == ("bank.events.Paid", "bank.events", "ann", "bank")


async def test_event_is_told_outside_a_hop_by_the_service(town: Town) -> None:
    async with town.services["bank"].transaction() as tx:
        tx.tell(Paid("bob"), key="bob")
    await town.runtime.settle()
    assert await town.noted("mail") == ["bob"]


async def test_event_of_a_transaction_that_fails_is_never_sent(town: Town) -> None:
    async def fail() -> None:
        async with town.services["bank"].transaction() as tx:
            tx.tell(Paid("bob"), key="bob")
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    await town.runtime.settle()
    assert (await town.noted("mail"), town.transport.sent) == ([], [])


async def test_events_of_a_key_are_heard_in_the_order_of_being_told(town: Town) -> None:
    for number in range(5):
        async with town.services["bank"].transaction() as tx:
            tx.tell(Paid(f"{number}a"), key="ann")
            tx.tell(Paid(f"{number}b"), key="ann")
    await town.runtime.settle()
    assert await town.noted("tax") == [f"{number}{letter}" for number in range(5) for letter in "ab"]


async def test_event_that_got_lost_on_its_way_is_sent_again(town: Town) -> None:
    town.losing.matches = lambda each: each.kind is Kind.EVENT
    town.ask("ann")
    await town.runtime.settle()
    assert await town.noted("mail") == []
    town.losing.matches = lambda _: False
    await town.runtime.advance(70)
    assert (await town.noted("mail"), await town.noted("tax")) == (["ann"], ["ann"])
