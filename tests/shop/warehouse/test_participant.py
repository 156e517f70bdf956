import pytest

from amends.messages import Operation
from shop.warehouse.audit import audit
from shop.warehouse.contract import ReleaseStock, ReserveStock, StockLine
from shop.warehouse.tables import available, put_stock
from tests.shop.conftest import AskedRoom


@pytest.fixture(autouse=True)
async def ten_apples_and_three_pears(warehouse: AskedRoom) -> None:
    await warehouse.do(put_stock, "apple", 10)
    await warehouse.do(put_stock, "pear", 3)


def reserve(order_id: str, **quantities: int) -> ReserveStock:
    return ReserveStock(order_id, tuple(StockLine(sku, quantity) for sku, quantity in quantities.items()))


async def left(warehouse: AskedRoom) -> dict[str, int]:
    found: dict[str, int] = await warehouse.see(available)
    return found


async def test_reserved_stock_is_not_available_to_others(warehouse: AskedRoom) -> None:
    assert await warehouse.ask(reserve("o1", apple=8)) == ["StockReserved"]
    assert await left(warehouse) == {"apple": 2, "pear": 3}
    assert await warehouse.ask(reserve("o2", apple=3), reserve("o3", apple=2)) == ["OutOfStock", "StockReserved"]
    assert await left(warehouse) == {"apple": 0, "pear": 3}


@pytest.mark.parametrize(
    "command",
    [
        reserve("o1", apple=11),
        reserve("o1", apple=0),
        reserve("o1", apple=-1),
        reserve("o1", fig=1),
        reserve("o1", apple=1, pear=4),
        reserve("o1", apple=1, pear=0),
        ReserveStock("o1", (StockLine("pear", 2), StockLine("pear", 2))),
        ReserveStock("o1", (StockLine("pear", 4), StockLine("pear", -1))),
        reserve("o1", apple=10**30),
    ],
    ids=repr,
)
async def test_refused_order_reserves_none_of_its_lines(warehouse: AskedRoom, command: ReserveStock) -> None:
    assert await warehouse.ask(command) == ["OutOfStock"]
    assert await left(warehouse) == {"apple": 10, "pear": 3}
    assert await warehouse.rows("select * from reservations") == []


async def test_lines_of_one_sku_make_one_reservation(warehouse: AskedRoom) -> None:
    command = ReserveStock("o1", (StockLine("pear", 1), StockLine("apple", 1), StockLine("pear", 2)))
    assert await warehouse.ask(command) == ["StockReserved"]
    assert await warehouse.rows("select sku, quantity from reservations order by sku") == [("apple", 1), ("pear", 3)]


async def test_race_for_the_last_pieces_has_as_many_winners_as_there_are(warehouse: AskedRoom) -> None:
    answers = await warehouse.ask(*[reserve(f"o{n}", apple=1) for n in range(200)])
    assert answers == ["StockReserved"] * 10 + ["OutOfStock"] * 190
    assert await left(warehouse) == {"apple": 0, "pear": 3}
    assert await warehouse.broken(audit) == []


async def test_smaller_order_still_fits_behind_a_refused_one(warehouse: AskedRoom) -> None:
    answers = await warehouse.ask(reserve("o1", apple=6), reserve("o2", apple=6), reserve("o3", apple=4))
    assert answers == ["StockReserved", "OutOfStock", "StockReserved"]


async def test_one_order_asked_by_two_sagas_is_reserved_once(warehouse: AskedRoom) -> None:
    assert await warehouse.ask(reserve("o1", apple=4), reserve("o1", apple=4)) == ["StockReserved"] * 2
    assert await warehouse.ask(reserve("o1", apple=4)) == ["StockReserved"]
    assert await left(warehouse) == {"apple": 6, "pear": 3}


async def test_released_stock_is_available_again(warehouse: AskedRoom) -> None:
    await warehouse.ask(reserve("o1", apple=4, pear=1), reserve("o2", apple=1))
    assert await warehouse.ask(ReleaseStock("o1")) == ["StockReleased"]
    assert await left(warehouse) == {"apple": 9, "pear": 3}
    assert await warehouse.rows("select order_id from reservations") == [("o2",)]
    assert await warehouse.broken(audit) == []


async def test_what_is_not_reserved_is_released_without_effect(warehouse: AskedRoom) -> None:
    await warehouse.ask(reserve("o1", apple=4))
    assert await warehouse.ask(ReleaseStock("o9"), ReleaseStock("o1"), ReleaseStock("o1")) == ["StockReleased"] * 3
    assert await warehouse.ask(ReleaseStock("o1")) == ["StockReleased"]
    assert await left(warehouse) == {"apple": 10, "pear": 3}


async def test_batch_mixes_reservations_and_releases(warehouse: AskedRoom) -> None:
    await warehouse.ask(reserve("o1", apple=10))
    assert await warehouse.ask(ReleaseStock("o1"), reserve("o2", apple=7)) == ["StockReleased", "StockReserved"]
    assert await left(warehouse) == {"apple": 3, "pear": 3}
    assert await warehouse.broken(audit) == []


async def test_reservation_that_comes_after_its_release_is_refused(warehouse: AskedRoom) -> None:
    release = warehouse.envelope(ReleaseStock("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await warehouse.deliver([release]) == ["Done"]
    assert await warehouse.deliver([warehouse.envelope(reserve("o1", apple=1), saga="s")]) == ["AlreadyCompensated"]
    assert await left(warehouse) == {"apple": 10, "pear": 3}


async def test_release_in_the_batch_of_its_own_reservation_undoes_it(warehouse: AskedRoom) -> None:
    action = warehouse.envelope(reserve("o1", apple=4), saga="s")
    undo = warehouse.envelope(ReleaseStock("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await warehouse.deliver([action, undo]) == ["StockReserved", "StockReleased"]
    assert await left(warehouse) == {"apple": 10, "pear": 3}
