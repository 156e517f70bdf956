"""Couriers that are held until they are confirmed, dropped, or their time has come; calendars with opening hours."""

import pytest

from amends.messages import Operation
from shop.delivery.audit import audit
from shop.delivery.contract import BookCourier, ConfirmCourier, DropCourier, HoldCourier
from shop.delivery.hours import open_hours
from shop.delivery.tables import put_slot
from shop.rooms import expiry_of
from tests.shop.conftest import AskedRoom

NINE, TEN, SIX_PM = "2034-05-26T09:00:00Z", "2034-05-26T10:00:00Z", "2034-05-26T18:00:00Z"


@pytest.fixture(autouse=True)
async def three_couriers_an_hour_until_five(delivery: AskedRoom) -> None:
    await delivery.do(open_hours, "day", dict.fromkeys(range(18), 3))


def hold(order_id: str, slot: str = NINE, stands_s: float = 0.0) -> HoldCourier:
    return HoldCourier(order_id, "day", slot, stands_s)


async def booked(delivery: AskedRoom) -> list[str]:
    assert await delivery.broken(audit) == []
    return [id for (id,) in await delivery.rows("select order_id from bookings order by order_id")]


async def held(delivery: AskedRoom) -> list[str]:
    return [id for (id,) in await delivery.rows("select order_id from held_orders order by order_id")]


async def test_held_couriers_are_taken_and_confirmed_ones_stay_booked(delivery: AskedRoom) -> None:
    assert await delivery.ask(*[hold(f"o{n}") for n in range(1, 5)]) == ["CourierHeld"] * 3 + ["NoCourier"]
    assert await delivery.ask(ConfirmCourier("o1"), ConfirmCourier("o4")) == ["CourierConfirmed", "CourierGone"]
    assert (await booked(delivery), await held(delivery)) == (["o1", "o2", "o3"], ["o2", "o3"])


async def test_dropped_courier_is_free_again_and_confirmed_one_is_not_dropped(delivery: AskedRoom) -> None:
    await delivery.ask(hold("o1"), hold("o2"))
    await delivery.ask(ConfirmCourier("o1"))
    assert await delivery.ask(DropCourier("o1"), DropCourier("o2"), DropCourier("o9")) == ["CourierDropped"] * 3
    assert (await booked(delivery), await held(delivery)) == (["o1"], [])


async def test_what_was_held_expires_at_its_time_and_not_before(delivery: AskedRoom) -> None:
    await delivery.ask(hold("o1", stands_s=10.0), hold("o2", TEN, stands_s=20.0), hold("o3"))
    sweep = expiry_of(delivery.service).sweep
    delivery.runtime.time += 9.9
    assert (await sweep(), await booked(delivery)) == (0, ["o1", "o2", "o3"])
    delivery.runtime.time += 0.1
    assert (await sweep(), await booked(delivery)) == (1, ["o2", "o3"])
    delivery.runtime.time += 1000.0
    assert (await sweep(), await sweep(), await booked(delivery)) == (1, 0, ["o3"])


async def test_confirmation_is_taken_while_it_is_held_and_refused_once_it_has_expired(delivery: AskedRoom) -> None:
    await delivery.ask(hold("o1", stands_s=10.0), hold("o2", stands_s=10.0))
    delivery.runtime.time += 11.0
    assert await delivery.ask(ConfirmCourier("o1")) == ["CourierConfirmed"]
    assert await expiry_of(delivery.service).sweep() == 1
    assert await delivery.ask(ConfirmCourier("o2"), DropCourier("o2")) == ["CourierGone", "CourierDropped"]
    assert await booked(delivery) == ["o1"]


async def test_hold_that_comes_after_its_drop_is_refused(delivery: AskedRoom) -> None:
    drop = delivery.envelope(DropCourier("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await delivery.deliver([drop]) == ["Done"]
    assert await delivery.deliver([delivery.envelope(hold("o1"), saga="s")]) == ["AlreadyCompensated"]
    assert await booked(delivery) == []


@pytest.mark.parametrize("hour", ["18", "23", "24", "99", "100", "010", "-1", "", "x"])
async def test_no_courier_comes_outside_the_opening_hours(delivery: AskedRoom, hour: str) -> None:
    slot = f"2034-05-26T{hour}:00:00Z"
    assert await delivery.ask(hold("o1", slot), BookCourier("o2", "day", slot)) == ["NoCourier", "NoCourier"]
    assert await delivery.rows("select * from slots") == []


async def test_hours_hold_for_each_day_by_itself(delivery: AskedRoom) -> None:
    days = [f"2034-05-{day}T17:00:00Z" for day in (26, 27)]
    answers = await delivery.ask(*[BookCourier(f"{slot}/{n}", "day", slot) for slot in days for n in range(4)])
    assert answers == (["CourierBooked"] * 3 + ["NoCourier"]) * 2


async def test_hours_that_are_open_stay_as_they_are_and_slots_may_be_set(delivery: AskedRoom) -> None:
    await delivery.do(open_hours, "day", {9: 100, 18: 1})
    assert await delivery.rows("select hour, couriers from opening_hours where hour in (9, 18)") == [(9, 3), (18, 1)]
    await delivery.do(put_slot, "day", TEN, 1)
    assert await delivery.ask(hold("o1", TEN), hold("o2", TEN), hold("o3", SIX_PM)) == [
        "CourierHeld",
        "NoCourier",
        "CourierHeld",
    ]
