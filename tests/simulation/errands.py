"""Errands: a saga that is hardly patient and often stuck, participants that refuse what has to be done, an operator.

Its steps have what those of trips have not: replies that later steps are given, answers of many that come later, short
budgets, a compensation that is refused at first, and a version of the store that can't pack everything, which is
replaced after some seconds. Only so many errands are under way at once.
"""

from collections.abc import Callable, Sequence
from random import Random
from zlib import crc32

import msgspec

from amends import (
    Command,
    Done,
    Given,
    Migration,
    Participant,
    Refusal,
    Reply,
    Retry,
    Saga,
    Tx,
    best_effort,
    compensatable,
    pivot,
    retriable,
    together,
)
from amends.audit import Finding, Readers
from amends.errors import DefinitionError
from amends.mending import Action
from amends.pages import Instance
from amends.participant import Asked
from amends.service import Service
from amends.state import Status
from amends.testing.loop import EPOCH
from amends.testing.operating import Wish
from amends.testing.scenarios import Scenario
from tests.simulation.effects import EFFECTS, as_the_sagas_say, counted, note

GOODS = 12
_MENDED_AT = EPOCH + 12.0
_FEW = Retry(attempts=2, base_s=0.1, cap_s=1.0)
_SOME = Retry(attempts=4, base_s=0.1, cap_s=2.0)


class Errand(msgspec.Struct, frozen=True):
    trip: str


class OnErrand(Command):
    trip: str


class Ask(OnErrand):
    participant = "store"


class Forget(OnErrand):
    participant = "store"


class Hold(OnErrand):
    participant = "store"
    price: int


class Drop(OnErrand):
    participant = "store"


class Pay(OnErrand):
    participant = "purse"
    price: int


class Pack(OnErrand):
    participant = "store"
    receipt: str


class Send(OnErrand):
    participant = "carrier"


class Thank(OnErrand):
    participant = "carrier"


class Quoted(Reply):
    price: int


class Paid(Reply):
    receipt: str


class SoldOut(Refusal): ...


class NoMoney(Refusal): ...


class NotNow(Refusal): ...


store, purse, carrier = Participant("store"), Participant("purse"), Participant("carrier")
QUOTED, PAID = Given("ask", Quoted), Given("pay", Paid)


@store.handles(Ask)
async def ask(tx: Tx, command: Ask) -> Quoted:
    await note(tx, command.trip, "ask")
    return Quoted(1 + crc32(command.trip.encode()) % 90)


@store.handles(Forget)
async def forget(tx: Tx, command: Forget) -> Done:
    await note(tx, command.trip, "ask", undone=True)
    return Done()


@store.handles(Hold)
async def hold(tx: Tx, command: Hold) -> Done | SoldOut:
    if not await tx.run("update goods set left = left - 1 where left > 0"):
        return SoldOut()
    await note(tx, command.trip, "hold")
    return Done()


@store.handles(Drop)
async def drop(tx: Tx, command: Drop) -> Done | NotNow:
    """Every third is refused at first: a person has to ask again."""
    if crc32(command.trip.encode()) % 3 == 0 and await _first_time(tx, command.trip, "drop"):
        return NotNow()
    await tx.run("update goods set left = left + 1")
    await note(tx, command.trip, "hold", undone=True)
    return Done()


@store.handles(Pack)
async def pack(tx: Tx, command: Pack) -> Done | NotNow:
    """Every fourth is refused at first, although it has to be done; some break the first version."""
    if tx.now < _MENDED_AT and crc32(command.trip.encode()) % 7 == 0:
        raise RuntimeError("the store can't pack this yet")
    if tx.now < _MENDED_AT and crc32(command.trip.encode()) % 7 == 1:
        raise DefinitionError("the store has no idea how to pack this yet")
    if crc32(command.trip.encode()) % 4 == 0 and await _first_time(tx, command.trip, "pack"):
        return NotNow()
    await note(tx, command.trip, "pack")
    return Done()


@purse.handles(Pay)
async def pay(tx: Tx, command: Pay) -> Paid | NoMoney:
    if crc32(command.trip.encode()) % 6 == 0:
        return NoMoney()
    await note(tx, command.trip, "pay")
    return Paid(f"receipt of {command.price}")


@carrier.handles_many_later(Send)
async def send(tx: Tx, commands: Sequence[Send], asked: Sequence[Asked]) -> list[Done | None]:
    """Whoever lives near is served at once, the others by the next tick."""
    near = [crc32(each.trip.encode()) % 5 == 0 for each in commands]
    for command, wanted, at_once in zip(commands, asked, near, strict=True):
        if at_once:
            await note(tx, command.trip, "send")
        else:
            await tx.run(
                "insert into wishes (saga, step, operation, trip) values (?, ?, ?, ?)", (*wanted, command.trip)
            )
    return [Done() if at_once else None for at_once in near]


async def send_the_others(service: Service) -> None:
    """The chore of the carrier. What is answered already is answered again, which does nothing.

    Then somebody answers what was never asked.
    """
    assert service.hop is not None
    mistyped: list[Asked] = []
    async with service.transaction() as tx:
        for saga, step, operation, trip, sent in await tx.fetch("select saga, step, operation, trip, sent from wishes"):
            if not sent:
                await note(tx, trip, "send")
                mistyped += [Asked(saga, "sned", operation)] if crc32(trip.encode()) % 3 == 0 else []
            await service.hop.answer(tx, Asked(saga, step, operation), Done())
        await tx.run("delete from wishes where sent > 0")
        await tx.run("update wishes set sent = 1")
    async with service.transaction() as tx:
        await service.hop.answer_all(tx, [(asked, Done()) for asked in mistyped])


@carrier.handles(Thank)
async def thank(tx: Tx, command: Thank) -> Done | NotNow:
    if crc32(command.trip.encode()) % 2:
        return NotNow()
    await note(tx, command.trip, "thank")
    return Done()


async def _first_time(tx: Tx, trip: str, what: str) -> bool:
    known = await tx.fetch("select 1 from refused where trip = :trip and what = :what", (trip, what))
    if not known:
        await tx.run("insert into refused (trip, what) values (:trip, :what)", (trip, what))
    return not known


def _on(command: type[OnErrand]) -> Callable[[Errand], Command]:
    def made(errand: Errand) -> Command:
        return command(errand.trip)

    return made


def _hold(errand: Errand, quoted: Quoted) -> Command:
    return Hold(errand.trip, quoted.price)


def _pay(errand: Errand, quoted: Quoted) -> Command:
    return Pay(errand.trip, quoted.price)


def _pack(errand: Errand, paid: Paid) -> Command:
    return Pack(errand.trip, paid.receipt)


errand = Saga(
    "errand",
    Errand,
    compensatable("ask", _on(Ask), undo=_on(Forget), timeout_s=1.0, retry=_FEW, undo_retry=_FEW),
    compensatable("hold", _hold, given=QUOTED, undo=_on(Drop), timeout_s=1.0, retry=_FEW, undo_retry=_FEW),
    pivot("pay", _pay, given=QUOTED, timeout_s=0.5, retry=_FEW),
    together(
        retriable("pack", _pack, given=PAID, timeout_s=0.5, retry=_SOME),
        retriable("send", _on(Send), timeout_s=1.0, retry=_FEW),
    ),
    best_effort("thank", _on(Thank), timeout_s=0.5),
    deadline_s=8.0,
)


def mends(instance: Instance, chance: Random) -> Wish | None:
    """Mostly it is asked again. Now and then a person wants what can't be, or what comes too late."""
    step = chance.choice(errand.steps).name if chance.random() < 0.2 else ""
    if instance.state.status is not Status.STUCK:
        return Wish(Action.CANCEL, step, thinks_s=chance.random()) if chance.random() < 0.05 else None
    action = chance.choices((Action.RETRY, Action.SKIP, Action.RESOLVE, Action.CANCEL, None), (55, 10, 5, 5, 25))[0]
    mistyped = "errand nobody knows" if chance.random() < 0.05 else ""
    return None if action is None else Wish(action, step, mistyped)


async def conserved(readers: Readers) -> list[Finding]:
    """What is held, or was sold, is not there any more."""
    [(left,)] = await readers["store"].fetch("select left from goods")
    held = (await counted(readers, "store"))["hold"]
    return [Finding("goods are conserved", left >= 0 and left + held == GOODS, {"left": left, "held": held})]


def any_errand(random: Random) -> Errand:
    return Errand(f"errand {random.getrandbits(40):010x}")


_REFUSED = Migration(
    2,
    "store",
    (
        "create table goods (left integer)",
        f"insert into goods values ({GOODS})",
        "create table refused (trip text, what text)",
    ),
)
_WISHES = Migration(
    2,
    "wishes",
    ("create table wishes (saga text, step text, operation text, trip text, sent integer not null default 0)",),
)
ERRANDS = Scenario(
    errand,
    [store, purse, carrier],
    any_errand,
    {"store": [EFFECTS, _REFUSED], "purse": [EFFECTS], "carrier": [EFFECTS, _WISHES]},
    [as_the_sagas_say(errand, ["store", "purse", "carrier"]), conserved],
    sagas=12,
    chores={"carrier": send_the_others},
    operator=mends,
    limit=8,
)
