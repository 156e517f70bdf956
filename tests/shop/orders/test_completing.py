"""An order is completed while its saga may still turn back, and opened again if it does."""

import pytest

from shop.orders.contract import CompleteOrder, RejectOrder, ReopenOrder
from shop.orders.domain import Status
from shop.orders.participant import orders as participant
from shop.orders.tables import MIGRATIONS, Order, insert_orders, load
from tests.shop.conftest import AskedRoom, OpenRoom

ORDER = Order("o1", "there", "ann", "ann@shop.example", Status.PENDING, None, (), 200, "", "", "wallet", 1000.0)


@pytest.fixture
async def orders(open_room: OpenRoom) -> AskedRoom:
    room = await open_room(participant, MIGRATIONS)
    await room.do(insert_orders, [ORDER])
    return room


async def status(orders: AskedRoom) -> str:
    return str((await orders.see(load, ["o1"]))["o1"].status)


async def test_completed_order_is_approved_and_opened_again_it_can_be_turned_back(orders: AskedRoom) -> None:
    assert await orders.ask(CompleteOrder("o1")) == ["OrderApproved"]
    assert await status(orders) == "approved"
    assert await orders.ask(ReopenOrder("o1")) == ["OrderReopened"]
    assert await status(orders) == "pending"
    assert await orders.ask(RejectOrder("o1", "out-of-stock")) == ["OrderRejected"]
    assert await status(orders) == "rejected"


async def test_order_that_has_ended_or_is_not_there_is_not_completed(orders: AskedRoom) -> None:
    await orders.ask(RejectOrder("o1", "cancelled"))
    assert await orders.ask(CompleteOrder("o1"), CompleteOrder("o2")) == ["OrderNotPending", "OrderNotPending"]
    assert await orders.ask(ReopenOrder("o1")) == ["OrderReopened"]
    assert await status(orders) == "cancelled"
