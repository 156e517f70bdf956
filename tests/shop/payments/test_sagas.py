"""A whole saga that pays by card: held, captured, or undone."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from amends import Command, Done, Participant, Refusal, Retry, Saga, Tx, compensatable, pivot
from amends.adapters.embedded import Embedded
from amends.pages import Instance
from amends.state import Status
from shop.payments import tables
from shop.payments.caller import Caller
from shop.payments.contract import AuthorizeCard, CaptureCard, VoidCard
from shop.payments.gateway_client import HttpGateway
from shop.payments.gateway_wire import APPROVED, DECLINED, LATE, LOST, SLOW
from shop.payments.participant import payments
from tests.shop.payments.card_room import QUICK, TIMEOUT_S, GatewayServer


class Sale(msgspec.Struct, frozen=True):
    id: str
    card: str
    ships: bool = True


class Ship(Command):
    participant = "shipping"
    ships: bool


class Unship(Command):
    participant = "shipping"


class NoShip(Refusal): ...


shipping = Participant("shipping")


@shipping.handles(Ship)
async def ship(tx: Tx, command: Ship) -> Done | NoShip:
    return Done() if command.ships else NoShip()


@shipping.handles(Unship)
async def unship(tx: Tx, command: Unship) -> Done:
    return Done()


def hold(sale: Sale) -> AuthorizeCard:
    return AuthorizeCard(sale.id, sale.card, 500)


def release(sale: Sale) -> VoidCard:
    return VoidCard(sale.id)


def pack(sale: Sale) -> Ship:
    return Ship(sale.ships)


def unpack(sale: Sale) -> Unship:
    return Unship()


def take(sale: Sale) -> CaptureCard:
    return CaptureCard(sale.id)


patient = Saga(
    "patient",
    Sale,
    compensatable("hold money", hold, undo=release),
    compensatable("ship", pack, undo=unpack),
    pivot("capture money", take),
)
hasty = Saga(
    "hasty",
    Sale,
    compensatable("hold money", hold, undo=release, timeout_s=TIMEOUT_S / 3, retry=Retry(attempts=1)),
    compensatable("ship", pack, undo=unpack),
    pivot("capture money", take),
)


class Shop:
    def __init__(self, home: Embedded) -> None:
        self._home = home

    async def sell(self, saga: Saga[Sale], card: str, ships: bool = True) -> Instance:
        return await self._home.run(self._home.services["sales"], saga, Sale("p", card, ships))


@pytest.fixture
async def shop(tmp_path: Path, gateway: GatewayServer) -> AsyncIterator[Shop]:
    async with Embedded(tmp_path) as home:
        await home.add("sales", definitions=[patient, hasty])
        await home.add("shipping", participant=shipping)
        service = await home.add("payments", participant=payments, migrations=tables.MIGRATIONS)
        client = HttpGateway(gateway.url, home.runtime, TIMEOUT_S)
        caller = Caller(service, client, QUICK)
        caller.start("payments")
        yield Shop(home)
        await caller.stop()
        await client.close()


@pytest.mark.parametrize("card", [APPROVED, SLOW, LATE, LOST], ids=["approved", "slow", "late", "lost"])
async def test_sale_is_paid(shop: Shop, gateway: GatewayServer, card: str) -> None:
    ended = await shop.sell(patient, card)
    assert ended.state.status is Status.COMPLETED
    assert await gateway.state("p") == "captured"


async def test_declined_card_turns_the_sale_back(shop: Shop, gateway: GatewayServer) -> None:
    ended = await shop.sell(patient, DECLINED)
    assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "card-declined")
    assert await gateway.state("p") == "declined"


async def test_refused_shipping_gives_the_money_back(shop: Shop, gateway: GatewayServer) -> None:
    ended = await shop.sell(patient, LOST, ships=False)
    assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "no-ship")
    assert await gateway.state("p") == "voided"


async def test_answer_after_the_saga_gave_up_leaves_nothing_held(shop: Shop, gateway: GatewayServer) -> None:
    ended = await shop.sell(hasty, LATE)
    assert (ended.state.status, ended.state.cause) == (Status.COMPENSATED, "timeout: hold money")
    assert await gateway.state("p") == "voided"
