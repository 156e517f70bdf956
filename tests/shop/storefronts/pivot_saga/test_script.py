"""The clients' script, as pivot-saga.md tells it, and what the dialect's topics say of each order."""

from typing import Any

from amends.faults import Fault
from tests.shop.storefronts.pivot_saga.conftest import (
    APPROVED,
    CREATED,
    NOT_OK,
    OK,
    ORDER,
    SERVICES,
    OpenShop,
    Shop,
)

REFUSED = "not OK, refused-by-fault"
ACCEPTED, DONE, FAILED = {"status": 1, "detail": ""}, {"status": 2, "detail": ""}, {"status": 3}


async def run_script(shop: Shop) -> list[int]:
    """Four orders; what each leaves is looked at. Returns their numbers."""
    before = await shop.stock()
    good = await shop.order()
    assert (good["status"], good["detail"]) == (OK, "warehouse: OK; payment: OK; notification: OK")
    await shop.set("notification", 100)
    unheard = await shop.order()
    assert (unheard["status"], unheard["detail"]) == (OK, f"warehouse: OK; payment: OK; notification: {REFUSED}")
    await shop.set("payment", 100)
    unpaid = await shop.order()
    told = f"warehouse: OK, cancelled; payment: {REFUSED}; notification: not asked"
    assert (unpaid["status"], unpaid["detail"]) == (NOT_OK, told)
    await shop.set("warehouse", 100)
    empty = await shop.order()
    told = f"warehouse: {REFUSED}; payment: not asked; notification: not asked"
    assert (empty["status"], empty["detail"]) == (NOT_OK, told)
    assert await shop.stock() == {
        sku: before.get(sku, 0) + count for sku, count in {"pivot-saga/10": 4, "pivot-saga/15": 2}.items()
    }
    for service in SERVICES:
        await shop.set(service, 0)
    assert await shop.broken() == []
    return [each["order_id"] for each in (good, unheard, unpaid, empty)]


async def test_script_comes_out_as_documented_twice_on_one_data_folder(open_shop: OpenShop) -> None:
    numbers = []
    for _ in range(2):
        async with open_shop() as shop:
            numbers += await run_script(shop)
    assert numbers == list(range(1, 9))


async def test_order_comes_back_as_it_was_sent_with_its_number(shop: Shop) -> None:
    placed = (await shop.place(order_id=77, status=5, detail="x", payment=2, notification=2)).json()
    assert placed == ORDER | {"order_id": 1, "payment": 2, "notification": 2}
    assert (placed["created_at"], placed["approved_at"]) == (CREATED, APPROVED)
    await shop.runtime.advance(5.0)
    assert await shop.look(1) == placed | {"status": OK, "detail": "warehouse: OK; payment: OK; notification: OK"}


async def test_order_on_its_way_is_in_process(shop: Shop) -> None:
    await shop.rooms.faults["payments"].put(_down())
    number = (await shop.place()).json()["order_id"]
    await shop.runtime.advance(2.0)
    found = await shop.look(number)
    assert (found["status"], found["detail"]) == (2, "warehouse: OK; payment: no answer; notification: not asked")
    await shop.runtime.advance(30.0)
    assert (await shop.look(number))["status"] == OK


async def test_messages_of_an_order_that_is_good(shop: Shop) -> None:
    number = (await shop.order())["order_id"]
    of = shop.watcher.of
    assert of("order", number) == [ORDER | {"order_id": number}]
    detail = "warehouse: OK; payment: OK; notification: OK"
    assert of("status", number) == told(number, (1, ""), (2, ""), (3, detail))
    items = [{"item_id": 10, "quantity": 2}, {"item_id": 15, "quantity": 1}]
    assert of("warehouse.reserv", number) == [{"order_id": number, "items": items}]
    assert of("warehouse.status", number) == told(number, (1, ""), (2, ""), operation="reserv")
    assert of("warehouse.cancel", number) == []
    assert of("payment.pay", number) == [{"order_id": number, "payment": 1, "sum": 10000}]
    assert of("payment.status", number) == told(number, (1, ""), (2, ""))
    text = f"Your order {number} is on its way."
    assert of("notification.send", number) == [{"order_id": number, "notification": 1, "message": text}]
    assert of("notification.status", number) == told(number, (1, ""), (2, ""))


async def test_messages_of_an_order_that_is_turned_back(shop: Shop) -> None:
    await shop.set("payment", 100)
    number = (await shop.order())["order_id"]
    of = shop.watcher.of
    detail = f"warehouse: OK, cancelled; payment: {REFUSED}; notification: not asked"
    assert of("status", number) == told(number, (1, ""), (2, ""), (4, detail))
    assert of("warehouse.cancel", number) == [{"order_id": number}]
    assert of("warehouse.status", number) == [
        *told(number, (1, ""), (2, ""), operation="reserv"),
        *told(number, (1, ""), (2, ""), operation="cancel"),
    ]
    assert of("payment.pay", number) == [{"order_id": number, "payment": 1, "sum": 10000}]
    assert of("payment.status", number) == told(number, (1, ""), (3, "refused-by-fault"))
    assert of("notification.send", number) == of("notification.status", number) == []


async def test_messages_of_an_order_that_the_warehouse_refuses(shop: Shop) -> None:
    await shop.set("warehouse", 100)
    number = (await shop.order())["order_id"]
    of = shop.watcher.of
    assert of("warehouse.status", number) == told(number, (1, ""), (3, "refused-by-fault"), operation="reserv")
    assert [of(topic, number) for topic in ("warehouse.cancel", "payment.pay", "notification.send")] == [[], [], []]


async def test_stock_that_is_not_there_is_told(shop: Shop) -> None:
    await shop.order()
    await shop.rooms.warehouse.put_stock({"pivot-saga/10": 2, "pivot-saga/15": 1})
    ended = await shop.order()
    assert ended["status"] == NOT_OK
    assert ended["detail"] == "warehouse: not OK, out-of-stock; payment: not asked; notification: not asked"
    last = shop.watcher.of("warehouse.status", ended["order_id"])[-1]
    assert (last["status"], last["detail"]) == (3, "out-of-stock")
    assert await shop.broken() == []


async def test_everything_is_told_once_after_a_restart(open_shop: OpenShop) -> None:
    """The end of an order that the first run has not told is told by the second."""
    async with open_shop() as shop:
        await shop.rooms.faults["payments"].put(_down())
        number = (await shop.place()).json()["order_id"]
        await shop.runtime.settle()
    async with open_shop() as shop:
        await shop.runtime.advance(5.0)
        assert (await shop.look(number))["status"] == OK
        assert [each["status"] for each in shop.watcher.of("status", number)] == [OK]
        assert await shop.rows("orders", "select * from untold_orders") == []


def told(number: int, *lines: tuple[int, str], **more: Any) -> list[dict[str, Any]]:
    return [{"order_id": number, **more, "status": status, "detail": detail} for status, detail in lines]


def _down() -> Fault:
    return Fault(down_s=10.0)
