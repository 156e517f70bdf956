"""Stock that is held until it is confirmed, dropped, or its time has come."""

import pytest

from amends.messages import Operation
from shop.rooms import expiry_of
from shop.warehouse.audit import audit
from shop.warehouse.contract import ConfirmStock, DropStock, HoldStock, ReserveStock, StockLine
from shop.warehouse.tables import available, put_stock, stock_new
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ten_apples(warehouse: AskedRoom) -> None:
    await warehouse.do(put_stock, "apple", 10)


def hold(order_id: str, apples: int = 1, stands_s: float = 0.0) -> HoldStock:
    return HoldStock(order_id, (StockLine("apple", apples),), stands_s)


async def left(warehouse: AskedRoom) -> int:
    found: dict[str, int] = await warehouse.see(available)
    assert await warehouse.broken(audit) == []
    return found["apple"]


async def held(warehouse: AskedRoom) -> list[tuple[str, float | None]]:
    return [(id, at) for id, at in await warehouse.rows("select order_id, expires_at from held_orders order by 1")]


async def test_held_stock_is_not_available_and_confirmed_stock_stays_reserved(warehouse: AskedRoom) -> None:
    assert await warehouse.ask(hold("o1", 6), hold("o2", 5), hold("o3", 4)) == ["StockHeld", "OutOfStock", "StockHeld"]
    assert await held(warehouse) == [("o1", None), ("o3", None)]
    assert await warehouse.ask(ConfirmStock("o1"), ConfirmStock("o2"), ConfirmStock("o3")) == [
        "StockConfirmed",
        "StockGone",
        "StockConfirmed",
    ]
    assert (await left(warehouse), await held(warehouse)) == (0, [])


async def test_dropped_stock_is_available_again_and_confirmed_stock_is_not_dropped(warehouse: AskedRoom) -> None:
    await warehouse.ask(hold("o1", 6), hold("o2", 4))
    await warehouse.ask(ConfirmStock("o1"))
    assert await warehouse.ask(DropStock("o1"), DropStock("o2"), DropStock("o9")) == ["StockDropped"] * 3
    assert (await left(warehouse), await held(warehouse)) == (4, [])
    assert await warehouse.ask(ConfirmStock("o2")) == ["StockGone"]


async def test_what_was_held_expires_at_its_time_and_not_before(warehouse: AskedRoom) -> None:
    await warehouse.ask(hold("o1", 3, stands_s=10.0), hold("o2", 2, stands_s=20.0), hold("o3", 1))
    sweep = expiry_of(warehouse.service).sweep
    warehouse.runtime.time += 9.9
    assert (await sweep(), await left(warehouse)) == (0, 4)
    warehouse.runtime.time += 0.1
    assert (await sweep(), await left(warehouse)) == (1, 7)
    warehouse.runtime.time += 1000.0
    assert (await sweep(), await sweep(), await left(warehouse)) == (1, 0, 9)
    assert await held(warehouse) == [("o3", None)]


async def test_confirmation_is_taken_while_stock_is_held_and_refused_once_it_has_expired(warehouse: AskedRoom) -> None:
    await warehouse.ask(hold("o1", 3, stands_s=10.0), hold("o2", 3, stands_s=10.0))
    warehouse.runtime.time += 11.0
    assert await warehouse.ask(ConfirmStock("o1")) == ["StockConfirmed"]
    assert await expiry_of(warehouse.service).sweep() == 1
    assert await warehouse.ask(ConfirmStock("o2"), DropStock("o2")) == ["StockGone", "StockDropped"]
    assert await left(warehouse) == 7


async def test_order_that_has_a_reservation_is_not_held_beside_it(warehouse: AskedRoom) -> None:
    await warehouse.ask(ReserveStock("o1", (StockLine("apple", 2),)))
    assert await warehouse.ask(hold("o1", 2, stands_s=1.0)) == ["StockHeld"]
    assert (await left(warehouse), await held(warehouse)) == (8, [])


async def test_hold_that_comes_after_its_drop_is_refused(warehouse: AskedRoom) -> None:
    drop = warehouse.envelope(DropStock("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await warehouse.deliver([drop]) == ["Done"]
    assert await warehouse.deliver([warehouse.envelope(hold("o1"), saga="s")]) == ["AlreadyCompensated"]
    assert await left(warehouse) == 10


async def test_stock_that_is_known_is_not_stocked_anew(warehouse: AskedRoom) -> None:
    assert await warehouse.do(stock_new, {"apple": 99, "pear": 5}) == 1
    assert await warehouse.see(available) == {"apple": 10, "pear": 5}
    with pytest.raises(ValueError, match="fig"):
        await warehouse.do(stock_new, {"fig": -1})
