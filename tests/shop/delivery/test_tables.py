import pytest

from amends.errors import Conflict
from shop.delivery.contract import BookCourier, CancelCourier
from shop.delivery.domain import MOST_COURIERS, Place, Put, Slot
from shop.delivery.tables import (
    Booking,
    SlotChange,
    book_slots,
    bookings_of,
    delete_bookings,
    put_calendar,
    put_slot,
    slots_of,
    take_freed,
    unbook_slots,
)
from tests.shop.conftest import AskedRoom

NINE, TEN = "2034-05-26T09:00:00Z", "2034-05-26T10:00:00Z"


@pytest.fixture(autouse=True)
async def two_of_three_couriers_are_booked(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "shop", None)
    await delivery.do(put_slot, "shop", NINE, 3)
    await delivery.ask(BookCourier("o2", "shop", NINE), BookCourier("o1", "shop", NINE))


async def test_slot_is_created_then_changed(delivery: AskedRoom) -> None:
    assert await delivery.do(put_slot, "shop", TEN, 5) is Put.CREATED
    assert await delivery.do(put_slot, "shop", TEN, 7) is Put.CHANGED
    assert await delivery.see(slots_of, "shop", "2034-05-26") == {NINE: Slot(3, 2, 2), TEN: Slot(7, 0, 0)}


async def test_slot_cannot_be_set_below_what_is_booked(delivery: AskedRoom) -> None:
    assert await delivery.do(put_slot, "shop", NINE, 1) is Put.REFUSED
    assert await delivery.do(put_slot, "shop", NINE, 2) is Put.CHANGED
    assert await delivery.ask(BookCourier("o3", "shop", NINE)) == ["NoCourier"]


@pytest.mark.parametrize("couriers", [-1, MOST_COURIERS + 1, 10**30])
async def test_no_number_of_couriers_is_an_error(delivery: AskedRoom, couriers: int) -> None:
    with pytest.raises(ValueError, match="no number of couriers"):
        await delivery.do(put_slot, "shop", NINE, couriers)
    with pytest.raises(ValueError, match="no number of couriers"):
        await delivery.do(put_calendar, "shop", couriers)


async def test_changed_calendar_concerns_new_slots_only(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "shop", 1)
    assert await delivery.ask(BookCourier("o3", "shop", NINE), BookCourier("o4", "shop", TEN)) == ["CourierBooked"] * 2
    assert await delivery.see(slots_of, "shop", "2034-05-26") == {NINE: Slot(3, 3, 3), TEN: Slot(1, 1, 1)}


async def test_slots_are_of_one_day_and_one_calendar(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "other", None)
    for calendar, slot in (("other", NINE), ("shop", "2034-05-25T23:59:59Z"), ("shop", "2034-05-27T00:00:00Z")):
        await delivery.do(put_slot, calendar, slot, 1)
    assert list(await delivery.see(slots_of, "shop", "2034-05-26")) == [NINE]


async def test_bookings_that_stand_are_listed_oldest_first(delivery: AskedRoom) -> None:
    delivery.runtime.time = 2000.0
    await delivery.do(put_calendar, "other", 1)
    await delivery.ask(BookCourier("o0", "shop", NINE), BookCourier("o9", "other", NINE))
    await delivery.ask(CancelCourier("o2"))
    assert await delivery.see(bookings_of, "shop") == [
        Booking("o1", "shop", NINE, 2, 1000.0),
        Booking("o0", "shop", NINE, 3, 2000.0),
    ]


@pytest.mark.parametrize(
    "sql",
    [
        "update slots set booked = 4, high = 4",
        "update slots set booked = -1",
        "update slots set booked = 3",
        "update slots set couriers = 1",
        "insert into slots values ('x', 'nowhere', 1, 0, 0)",
        "insert into calendars (name, couriers) values ('x', -1)",
        "update calendars set future_only = 2",
        f"insert into bookings values ('o3', 'shop', '{NINE}', 1, 0)",
        f"insert into bookings values ('o1', 'shop', '{NINE}', 3, 0)",
        f"insert into bookings values ('o3', 'shop', '{NINE}', 0, 0)",
        f"insert into bookings values ('o3', 'shop', '{TEN}', 1, 0)",
        f"insert into freed_couriers values ('shop', '{TEN}', 1)",
        "delete from slots",
        "delete from calendars",
    ],
)
async def test_database_refuses_what_the_rules_forbid(delivery: AskedRoom, sql: str) -> None:
    assert await delivery.forbids(sql)


async def test_writes_on_changed_rows_conflict(delivery: AskedRoom) -> None:
    place = Place("shop", NINE)
    with pytest.raises(Conflict, match="a slot"):
        await delivery.do(book_slots, {place: SlotChange(1, 3, 1)})
    with pytest.raises(Conflict, match="a slot"):
        await delivery.do(book_slots, {place: SlotChange(2, 4, 2)})
    with pytest.raises(Conflict, match="a slot"):
        await delivery.do(unbook_slots, {place: 3})
    with pytest.raises(Conflict, match="a booking"):
        await delivery.do(delete_bookings, [Booking("o1", "shop", NINE, 9, 0.0)])
    with pytest.raises(Conflict, match="a courier"):
        await delivery.do(take_freed, place, [1])
