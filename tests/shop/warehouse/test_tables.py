import pytest

from amends.errors import Conflict
from shop.warehouse.contract import ReserveStock, StockLine
from shop.warehouse.domain import MOST_ON_HAND, Put, Stock
from shop.warehouse.tables import (
    Reservation,
    available,
    change_stock,
    delete_reservations,
    put_stock,
    put_unknown,
    stock,
)
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def four_of_ten_apples_are_reserved(warehouse: AskedRoom) -> None:
    await warehouse.do(put_stock, "apple", 10)
    await warehouse.ask(ReserveStock("o1", (StockLine("apple", 4),)))


async def test_stock_is_created_then_changed(warehouse: AskedRoom) -> None:
    assert await warehouse.do(put_stock, "pear", 5) is Put.CREATED
    assert await warehouse.do(put_stock, "pear", 7) is Put.CHANGED
    assert await warehouse.see(available, ["pear", "fig", "pear"]) == {"pear": 7}


async def test_stock_cannot_be_set_below_what_is_reserved(warehouse: AskedRoom) -> None:
    assert await warehouse.do(put_stock, "apple", 3) is Put.REFUSED
    assert await warehouse.do(put_stock, "apple", 4) is Put.CHANGED
    assert await warehouse.see(stock) == [Stock("apple", 4, 4)]


@pytest.mark.parametrize("on_hand", [-1, MOST_ON_HAND + 1, 10**30])
async def test_stock_of_no_count_is_an_error(warehouse: AskedRoom, on_hand: int) -> None:
    with pytest.raises(ValueError, match="apple"):
        await warehouse.do(put_stock, "apple", on_hand)


async def test_only_what_was_never_stocked_is_stocked_on_first_sight(warehouse: AskedRoom) -> None:
    await warehouse.do(put_stock, "fig", 0)
    await warehouse.do(put_unknown, ["pear", "apple", "fig", "pear"])
    assert await warehouse.see(stock) == [Stock("apple", 10, 4), Stock("fig", 0, 0), Stock("pear", MOST_ON_HAND, 0)]


async def test_stock_is_listed_by_the_beginning_of_its_sku(warehouse: AskedRoom) -> None:
    for sku in ("queue-saga/2", "queue-saga/1", "queue_saga/3", "pivot/1"):
        await warehouse.do(put_stock, sku, 1)
    assert [each.sku for each in await warehouse.see(stock, "queue-saga/")] == ["queue-saga/1", "queue-saga/2"]
    assert len(await warehouse.see(stock)) == 5
    assert await warehouse.see(stock, "%") == []


@pytest.mark.parametrize(
    "sql",
    [
        "update stock set reserved = 11",
        "update stock set reserved = -1",
        "update stock set on_hand = 3",
        "insert into stock (sku, on_hand, reserved) values ('pear', -1, 0)",
        "insert into reservations (order_id, sku, quantity) values ('o2', 'apple', 0)",
        "insert into reservations (order_id, sku, quantity) values ('o2', 'fig', 1)",
        "insert into reservations (order_id, sku, quantity) values ('o1', 'apple', 1)",
        "delete from stock",
    ],
)
async def test_database_refuses_what_the_rules_forbid(warehouse: AskedRoom, sql: str) -> None:
    assert await warehouse.forbids(sql)


async def test_writes_on_changed_rows_conflict(warehouse: AskedRoom) -> None:
    with pytest.raises(Conflict, match="stock"):
        await warehouse.do(change_stock, {"apple": 7})
    with pytest.raises(Conflict, match="stock"):
        await warehouse.do(change_stock, {"apple": -5})
    with pytest.raises(Conflict, match="a reservation"):
        await warehouse.do(delete_reservations, [Reservation("o1", "apple", 5)])
