"""Orders that end otherwise: refused, with messages lost, late. What had succeeded is undone everywhere."""

import pytest

from amends.messages import Kind
from amends.testing.faults import Matches
from shop.payments.gateway_wire import DECLINED
from shop.storefronts.parallel_saga import placing
from tests.shop.storefronts.parallel_saga.conftest import LONG_AGO, PHONE, Shop

ACTIONS = {"payments.AuthorizeCard", "warehouse.ReserveStock", "delivery.BookCourier"}
NOTHING_BOOKED = {
    "warehouse": "select order_id, sku from reservations union all select '', sku from stock where reserved <> 0",
    "delivery": "select order_id from bookings",
}


async def undone(shop: Shop, gateway: str) -> str:
    """Checks that the only order is undone and that the gateway has so many of its payment; returns its id."""
    [(id, status)] = await shop.rows("orders", "select id, status from orders")
    assert status == "rejected"
    for room, sql in NOTHING_BOOKED.items():
        assert await shop.rows(room, sql) == []
    found = await shop.rows("gateway", "select key, state from authorizations")
    assert found == ([(id, gateway)] if gateway else [])
    assert await shop.broken() == []
    return str(id)


async def seen(shop: Shop, id: str) -> list[str | int]:
    """How payment, delivery and the item of an order stand, as clients see them; 404 for what is not there."""
    answers = [
        await shop.client.get(path)
        for path in (
            f"/payment/payment/{id}",
            f"/delivery/delivery/{id}",
            "/warehouse/warehouse/00000000-0000-8000-8000-000000000001",
        )
    ]
    return [each.json()["status"] if each.status_code == 200 else each.status_code for each in answers]


async def test_refused_delivery_gives_payment_and_stock_back(shop: Shop) -> None:
    answer = await shop.place(at=LONG_AGO)
    assert (answer.status_code, answer.json()) == (424, {"status": "CANCELED"})
    id = await undone(shop, "voided")
    assert await seen(shop, id) == ["CANCELED", 404, "CANCELED"]
    assert await shop.rows("orders", "select reason from orders") == [("time-passed",)]


async def test_empty_warehouse_gives_payment_and_courier_back(shop: Shop) -> None:
    await shop.rooms.warehouse.put_stock({"parallel-saga/phone": 0})
    assert (await shop.place()).status_code == 424
    assert await seen(shop, await undone(shop, "voided")) == ["CANCELED", "CANCELED", 404]
    assert await shop.rooms.warehouse.available(["parallel-saga/phone"]) == {"parallel-saga/phone": 0}


async def test_declined_card_gives_stock_and_courier_back(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placing, "APPROVED", DECLINED)
    assert (await shop.place()).status_code == 424
    assert await seen(shop, await undone(shop, "declined")) == [404, "CANCELED", "CANCELED"]


@pytest.mark.parametrize("room", ["payments", "warehouse", "delivery", "orders"])
async def test_lost_reply_changes_nothing_of_the_end(shop: Shop, room: str) -> None:
    lose_once(shop, lambda message: message.kind is Kind.REPLY and message.sender == room)
    answer = await shop.place_in_time()
    assert answer.status_code == 200, answer.text
    assert [each["status"] for each in answer.json()[:3]] == ["SUCCESS", "SUCCESS", "SCHEDULED"]
    assert len(shop.transport.lost) == 1
    assert await shop.rows("gateway", "select state from authorizations") == [("captured",)]
    assert await shop.rows("warehouse", "select quantity from reservations") == [(1,)]
    assert await shop.broken() == []


@pytest.mark.parametrize("room", ["payments", "warehouse", "delivery"])
async def test_lost_reply_of_an_undoing_changes_nothing_of_the_end(shop: Shop, room: str) -> None:
    lose_once(shop, lambda message: message.kind is Kind.REPLY and message.sender == room)
    assert (await shop.place_in_time(at=LONG_AGO)).status_code == 424
    await undone(shop, "voided")


@pytest.mark.parametrize("room", ["payments", "warehouse", "delivery"])
async def test_order_that_takes_too_long_is_503_and_is_found_later(shop: Shop, room: str) -> None:
    shop.transport.matches = lambda message: message.to == room and message.type in ACTIONS
    answer = await shop.place_in_time()
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    where = answer.headers["location"]
    assert answer.json()["saga_id"] in where
    assert (await shop.get(where))["status"] == "PENDING"
    shop.transport.matches = lambda _: False
    await shop.runtime.advance(120.0, leap_s=1.0)
    ended = (await shop.get(where))["status"]
    assert ended in ("SUCCESS", "CANCELED")
    assert await shop.broken() == []


async def test_order_under_way_shows_what_is_done_and_what_is_not(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.type == "delivery.BookCourier"
    id = (await shop.place_in_time()).json()["saga_id"]
    assert await seen(shop, id) == ["PENDING", "PENDING", "RESERVED"]


async def test_item_is_stocked_on_first_sight_and_never_again(shop: Shop) -> None:
    await shop.rooms.warehouse.put_stock({"parallel-saga/phone": 2})
    ends = [(await shop.place()).status_code for _ in range(3)]
    assert ends == [200, 200, 424]
    assert (await shop.place(PHONE | {"item": "new"})).status_code == 200
    available = await shop.rooms.warehouse.available(["parallel-saga/phone", "parallel-saga/new", "phone", "new"])
    assert available == {"parallel-saga/phone": 0, "parallel-saga/new": 10**12 - 1}


def lose_once(shop: Shop, matches: Matches) -> None:
    shop.transport.matches = lambda message: matches(message) and not shop.transport.lost
