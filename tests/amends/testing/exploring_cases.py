"""Tickets: money paid, a seat taken, the ticket sent; money goes back by a bank that does not know the saga."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

import msgspec

from amends import Command, Done, Migration, Participant, Refusal, Saga, Tx, compensatable, pivot, retriable
from amends.audit import Check, Finding, Readers
from amends.testing import Scenario

FARE, MONEY, SEATS = 90, 10_000, 2
TILL = Migration(1, "till", ("create table till (money int)", f"insert into till values ({MONEY})"))
SENT = Migration(1, "sent", ("create table sent (ticket text)",))


class Ticket(msgspec.Struct, frozen=True):
    id: str


class Pay(Command):
    participant = "till"


class PayBack(Command):
    participant = "till"
    ticket: str


class TakeSeat(Command):
    participant = "airline"


class SendTicket(Command):
    participant = "post"
    ticket: str


class SoldOut(Refusal): ...


def pay(_: Ticket) -> Pay:
    return Pay()


def pay_back(ticket: Ticket) -> PayBack:
    return PayBack(ticket.id)


def take_seat(_: Ticket) -> TakeSeat:
    return TakeSeat()


def send(ticket: Ticket) -> SendTicket:
    return SendTicket(ticket.id)


buy_ticket = Saga(
    "buy-ticket",
    Ticket,
    compensatable("pay", pay, undo=pay_back),
    pivot("take seat", take_seat),
    retriable("send", send),
)


class Bank:
    """Somebody else's system: what it was told to pay has been paid, whatever becomes of the transaction around it."""

    def __init__(self) -> None:
        self.paid: list[int] = []
        self.keys: set[str] = set()

    def transfer(self, amount: int) -> None:
        self.paid.append(amount)

    def transfer_once(self, key: str, amount: int) -> None:
        if key not in self.keys:
            self.keys.add(key)
            self.transfer(amount)


PayingBack = Callable[[Bank, PayBack], None]


def twice(bank: Bank, _: PayBack) -> None:
    """The bug: a hop that is tried again pays again."""
    bank.transfer(FARE)


def once(bank: Bank, command: PayBack) -> None:
    """Mended: the bank knows the transfer by a key that comes with the command."""
    bank.transfer_once(command.ticket, FARE)


def any_ticket(chance: Random) -> Ticket:
    return Ticket(f"{chance.getrandbits(64):016x}")


def buggy() -> Scenario:
    return scenario(twice)


def mended() -> Scenario:
    return scenario(once)


def sold_out() -> Scenario:
    return scenario(once, seats=0)


def buggy_and_sold_out() -> Scenario:
    return scenario(twice, seats=0)


def scenario(paying_back: PayingBack, seats: int = SEATS) -> Scenario:
    """Made anew with its bank."""
    bank = Bank()
    plane = Migration(1, "plane", ("create table plane (seats int)", f"insert into plane values ({seats})"))
    migrations = {"till": [TILL], "airline": [plane], "post": [SENT]}
    participants = [_till(bank, paying_back), _airline(), _post()]
    return Scenario(buy_ticket, participants, any_ticket, migrations, [_conserved(bank, seats)], sagas=8)


def _till(bank: Bank, paying_back: PayingBack) -> Participant:
    till = Participant("till")

    @till.handles(Pay)
    async def paid(tx: Tx, _: Pay) -> Done:
        await tx.run("update till set money = money + :fare", (FARE,))
        return Done()

    @till.handles(PayBack)
    async def paid_back(tx: Tx, command: PayBack) -> Done:
        paying_back(bank, command)
        return Done()

    return till


def _airline() -> Participant:
    airline = Participant("airline")

    @airline.handles(TakeSeat)
    async def seat_taken(tx: Tx, _: TakeSeat) -> Done | SoldOut:
        return Done() if await tx.run("update plane set seats = seats - 1 where seats > 0") else SoldOut()

    return airline


def _post() -> Participant:
    post = Participant("post")

    @post.handles(SendTicket)
    async def ticket_sent(tx: Tx, command: SendTicket) -> Done:
        await tx.run("insert into sent values (:ticket)", (command.ticket,))
        return Done()

    return post


class Books(NamedTuple):
    """What the databases and the bank say in the end."""

    kept: int
    taken: int
    sent: int


def _conserved(bank: Bank, seats: int) -> Check:
    async def conserved(readers: Readers) -> list[Finding]:
        money = (await readers["till"].fetch("select money from till"))[0][0]
        left = (await readers["airline"].fetch("select seats from plane"))[0][0]
        sent = (await readers["post"].fetch("select count(*) from sent"))[0][0]
        books = Books(money - MONEY - sum(bank.paid), seats - left, sent)
        holds = books.kept == FARE * books.taken and books.sent == books.taken
        return [Finding("a fare for each seat", holds, books._asdict())]

    return conserved
