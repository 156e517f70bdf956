import pytest

from shop.warehouse.audit import audit
from shop.warehouse.contract import ReserveStock, StockLine
from shop.warehouse.tables import put_stock
from tests.shop.conftest import AskedRoom

RESERVED, OVERSOLD = "warehouse: what is reserved is the sum of reservations", "warehouse: nothing is oversold"


@pytest.fixture(autouse=True)
async def four_of_ten_apples_are_reserved(warehouse: AskedRoom) -> None:
    await warehouse.do(put_stock, "apple", 10)
    await warehouse.do(put_stock, "pear", 5)
    await warehouse.ask(ReserveStock("o1", (StockLine("apple", 3), StockLine("pear", 1))))
    await warehouse.ask(ReserveStock("o2", (StockLine("apple", 1),)))


async def test_all_holds_in_a_warehouse_at_work_and_the_figures_say_how_much(warehouse: AskedRoom) -> None:
    findings = await warehouse.findings(audit)
    assert [(each.name, each.holds, dict(each.figures)) for each in findings] == [
        (RESERVED, True, {"reservations": 3, "quantity": 5, "reserved": 5, "wrong": 0}),
        (OVERSOLD, True, {"skus": 2, "on_hand": 15, "reserved": 5, "wrong": 0}),
    ]


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("update stock set reserved = 5 where sku = 'apple'", [RESERVED]),
        ("update reservations set quantity = 2 where order_id = 'o2'", [RESERVED]),
        ("delete from reservations where order_id = 'o2'", [RESERVED]),
        ("update stock set on_hand = 3 where sku = 'apple'", [OVERSOLD]),
        ("update stock set reserved = -1 where sku = 'pear'", [RESERVED, OVERSOLD]),
    ],
)
async def test_manipulated_row_is_found(warehouse: AskedRoom, sql: str, broken: list[str]) -> None:
    await warehouse.tamper(sql)
    assert await warehouse.broken(audit) == broken


async def test_finding_names_what_is_wrong(warehouse: AskedRoom) -> None:
    await warehouse.tamper("update stock set reserved = 5 where sku = 'apple'")
    assert (await warehouse.findings(audit))[0].detail == "apple: 5 reserved, reservations 4"
