"""A ticket is money paid and a seat taken: both, or neither. One seat is left, and two tickets are wanted."""

import asyncio

import msgspec

from amends import Command, Done, Migration, Participant, Refusal, Saga, Tx, compensatable, pivot
from amends.adapters.embedded import Embedded

bank, airline = Participant("bank"), Participant("airline")
ACCOUNT = Migration(1, "account", ("create table account (balance int)", "insert into account values (500)"))
PLANE = Migration(1, "plane", ("create table plane (seats int)", "insert into plane values (1)"))


class Pay(Command):
    participant = "bank"
    amount: int


class TakeSeat(Command):
    participant = "airline"


class SoldOut(Refusal): ...


@bank.handles(Pay)
async def pay(tx: Tx, command: Pay) -> Done:
    await tx.run("update account set balance = balance - :amount", (command.amount,))
    return Done()


@airline.handles(TakeSeat)
async def take_seat(tx: Tx, _: TakeSeat) -> Done | SoldOut:
    return Done() if await tx.run("update plane set seats = seats - 1 where seats > 0") else SoldOut()


class Ticket(msgspec.Struct, frozen=True):
    fare: int


buy_ticket = Saga(
    "buy-ticket",
    Ticket,
    compensatable("pay", lambda ticket: Pay(ticket.fare), undo=lambda ticket: Pay(-ticket.fare)),
    pivot("take seat", lambda _: TakeSeat()),
)


async def main() -> None:
    async with Embedded() as home:
        sales = await home.add("sales", definitions=[buy_ticket])
        await home.add("bank", participant=bank, migrations=[ACCOUNT])
        await home.add("airline", participant=airline, migrations=[PLANE])
        for fare in (90, 95):
            ended = await home.run(sales, buy_ticket, Ticket(fare))
            print(f"A ticket for {fare}: {' → '.join(line.what for line in ended.state.history)}")


asyncio.run(main())
