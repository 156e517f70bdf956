import pytest

from shop.delivery.audit import audit
from shop.delivery.contract import BookCourier, CancelCourier
from shop.delivery.tables import put_calendar, put_slot
from tests.shop.conftest import AskedRoom

NINE = "2034-05-26T09:00:00Z"
BOOKED, FREED, SHARED, OVERBOOKED = (
    "delivery: what is booked is the count of bookings",
    "delivery: numbers given back are kept",
    "delivery: no courier is booked twice",
    "delivery: no slot is overbooked",
)


@pytest.fixture(autouse=True)
async def two_of_three_couriers_are_booked(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "shop", None)
    await delivery.do(put_slot, "shop", NINE, 3)
    await delivery.ask(*[BookCourier(f"o{n}", "shop", NINE) for n in (1, 2, 3)])
    await delivery.ask(CancelCourier("o2"))


async def test_all_holds_at_work_and_the_figures_say_how_much(delivery: AskedRoom) -> None:
    findings = await delivery.findings(audit)
    assert [(each.name, each.holds, dict(each.figures)) for each in findings] == [
        (BOOKED, True, {"bookings": 2, "booked": 2, "wrong": 0}),
        (FREED, True, {"freed": 1, "wrong": 0}),
        (SHARED, True, {"wrong": 0}),
        (OVERBOOKED, True, {"slots": 1, "couriers": 3, "booked": 2, "wrong": 0}),
    ]


@pytest.mark.parametrize(
    ("sql", "broken"),
    [
        ("delete from bookings where order_id = 'o1'", [BOOKED]),
        ("update slots set booked = 1", [BOOKED, FREED]),
        (f"insert into bookings values ('o9', 'shop', '{NINE}', 2, 0)", [BOOKED]),
        ("delete from freed_couriers", [FREED]),
        ("update slots set couriers = 1", [OVERBOOKED]),
    ],
)
async def test_manipulated_row_is_found(delivery: AskedRoom, sql: str, broken: list[str]) -> None:
    await delivery.tamper(sql)
    assert await delivery.broken(audit) == broken


async def test_courier_booked_twice_is_found_in_tables_without_the_constraint(delivery: AskedRoom) -> None:
    await delivery.force("alter table bookings rename to sound")
    await delivery.force("create table bookings as select * from sound")
    await delivery.force("update bookings set courier = 1")
    assert await delivery.broken(audit) == [SHARED]
    assert (await delivery.findings(audit))[2].detail == f"{NINE} in shop: courier 1 2 times"
