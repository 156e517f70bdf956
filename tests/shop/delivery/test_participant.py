import pytest

from amends import Command
from amends.messages import Operation
from shop.delivery.audit import audit
from shop.delivery.contract import BookCourier, CancelCourier
from shop.delivery.domain import Put
from shop.delivery.tables import put_calendar, put_slot
from tests.shop.conftest import AskedRoom

NINE, TEN = "2034-05-26T09:00:00Z", "2034-05-26T10:00:00Z"

LATE = [(1, "ahead", NINE), (2, "ahead", NINE), (3, "ahead", "2034-05-25T23:00:00Z")]
LATE += [(4, "ahead", "2034-05-26T09:00:01Z"), (5, "many", NINE)]


@pytest.fixture(autouse=True)
async def calendars(delivery: AskedRoom) -> None:
    """One courier a slot, many, none unless set, none."""
    for name, couriers in (("single", 1), ("many", 1_000_000), ("set", None), ("closed", 0)):
        await delivery.do(put_calendar, name, couriers)


async def booked(delivery: AskedRoom) -> dict[str, int]:
    """Which courier each order has."""
    return dict(await delivery.rows("select order_id, courier from bookings"))


async def book(delivery: AskedRoom, count: int, slot: str = NINE, first: int = 1) -> list[str]:
    return await delivery.ask(*[BookCourier(f"o{n}", "set", slot) for n in range(first, first + count)])


async def test_second_order_for_the_only_courier_is_refused(delivery: AskedRoom) -> None:
    assert await delivery.ask(BookCourier("o1", "single", NINE)) == ["CourierBooked"]
    assert await delivery.ask(BookCourier("o2", "single", NINE)) == ["NoCourier"]
    assert await delivery.ask(BookCourier("o3", "single", TEN)) == ["CourierBooked"]
    assert await booked(delivery) == {"o1": 1, "o3": 1}


@pytest.mark.parametrize("calendar", ["unknown", "set", "closed"])
async def test_slot_without_couriers_is_refused_and_not_opened(delivery: AskedRoom, calendar: str) -> None:
    assert await delivery.ask(BookCourier("o1", calendar, NINE)) == ["NoCourier"]
    assert await delivery.rows("select * from slots") == []


async def test_calendar_of_the_future_refuses_a_slot_whose_time_has_come(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "ahead", 5, True)
    await delivery.ask(BookCourier("o1", "ahead", NINE))
    delivery.runtime.time = 2_032_246_800.0  # nine o'clock
    asked = [BookCourier(f"o{n}", calendar, slot) for n, calendar, slot in LATE]
    assert await delivery.ask(*asked) == ["CourierBooked", "TimePassed", "TimePassed", "CourierBooked", "CourierBooked"]
    assert await booked(delivery) == {"o1": 1, "o4": 1, "o5": 1}
    assert await delivery.broken(audit) == []


async def test_slot_refused_for_its_time_is_not_opened(delivery: AskedRoom) -> None:
    await delivery.do(put_calendar, "ahead", 5, True)
    assert await delivery.ask(BookCourier("o1", "ahead", "1970-01-01T00:16:40Z")) == ["TimePassed"]
    assert await delivery.rows("select * from slots") == []


async def test_calendars_do_not_share_couriers(delivery: AskedRoom) -> None:
    asked = [BookCourier("o1", "single", NINE), BookCourier("o2", "many", NINE), BookCourier("o3", "set", NINE)]
    assert await delivery.ask(*asked) == ["CourierBooked", "CourierBooked", "NoCourier"]
    assert await booked(delivery) == {"o1": 1, "o2": 1}


async def test_race_for_one_slot_has_as_many_winners_as_couriers(delivery: AskedRoom) -> None:
    assert await delivery.do(put_slot, "set", NINE, 10) is Put.CREATED
    assert await book(delivery, 200) == ["CourierBooked"] * 10 + ["NoCourier"] * 190
    assert await booked(delivery) == {f"o{n}": n for n in range(1, 11)}
    assert await delivery.broken(audit) == []


async def test_race_for_a_slot_never_seen_before_has_one_winner(delivery: AskedRoom) -> None:
    answers = await delivery.ask(*[BookCourier(f"o{n}", "single", NINE) for n in range(200)])
    assert answers == ["CourierBooked"] + ["NoCourier"] * 199


async def test_numbers_go_on_in_the_next_batch(delivery: AskedRoom) -> None:
    await delivery.do(put_slot, "set", NINE, 10)
    await book(delivery, 3)
    await book(delivery, 2, first=4)
    assert await booked(delivery) == {"o1": 1, "o2": 2, "o3": 3, "o4": 4, "o5": 5}


async def test_cancelled_courier_is_free_again(delivery: AskedRoom) -> None:
    await delivery.ask(BookCourier("o1", "single", NINE))
    assert await delivery.ask(CancelCourier("o1")) == ["CourierCancelled"]
    assert await booked(delivery) == {}
    assert await delivery.ask(BookCourier("o2", "single", NINE)) == ["CourierBooked"]
    assert await booked(delivery) == {"o2": 1}
    assert await delivery.broken(audit) == []


async def test_smallest_freed_numbers_are_taken_first_then_new_ones(delivery: AskedRoom) -> None:
    await delivery.do(put_slot, "set", NINE, 10)
    await book(delivery, 6)
    await delivery.ask(*[CancelCourier(f"o{n}") for n in (5, 2, 4)])
    assert await delivery.broken(audit) == []
    await book(delivery, 2, first=11)
    await book(delivery, 2, first=13)
    assert await booked(delivery) == {"o1": 1, "o11": 2, "o3": 3, "o12": 4, "o13": 5, "o6": 6, "o14": 7}
    assert await delivery.rows("select * from freed_couriers") == []
    assert await delivery.broken(audit) == []


async def test_fewer_couriers_than_the_highest_number_still_count_right(delivery: AskedRoom) -> None:
    await delivery.do(put_slot, "set", NINE, 5)
    await book(delivery, 5)
    await delivery.ask(CancelCourier("o1"), CancelCourier("o2"))
    assert await delivery.do(put_slot, "set", NINE, 4) is Put.CHANGED
    assert await book(delivery, 2, first=11) == ["CourierBooked", "NoCourier"]
    assert await booked(delivery) == {"o11": 1, "o3": 3, "o4": 4, "o5": 5}
    assert await delivery.broken(audit) == []


async def test_cancellations_of_several_slots_in_a_batch(delivery: AskedRoom) -> None:
    asked: list[Command] = [BookCourier(f"o{n}", "many", (NINE, TEN)[n % 2]) for n in range(6)]
    await delivery.ask(*asked)
    assert await delivery.ask(*[CancelCourier(f"o{n}") for n in range(5)]) == ["CourierCancelled"] * 5
    assert await delivery.rows("select slot, booked, high from slots order by slot") == [(NINE, 0, 3), (TEN, 1, 3)]
    assert await delivery.broken(audit) == []


async def test_what_is_not_booked_is_cancelled_without_effect(delivery: AskedRoom) -> None:
    await delivery.ask(BookCourier("o1", "single", NINE))
    asked = [CancelCourier("o9"), CancelCourier("o1"), CancelCourier("o1")]
    assert await delivery.ask(*asked) == ["CourierCancelled"] * 3
    assert await delivery.ask(CancelCourier("o1")) == ["CourierCancelled"]
    assert await delivery.rows("select booked from slots") == [(0,)]


async def test_one_order_asked_by_two_sagas_is_booked_once(delivery: AskedRoom) -> None:
    asked = [BookCourier("o1", "many", NINE), BookCourier("o1", "many", NINE), BookCourier("o1", "many", TEN)]
    assert await delivery.ask(*asked) == ["CourierBooked", "CourierBooked", "NoCourier"]
    assert await delivery.ask(*asked) == ["CourierBooked", "CourierBooked", "NoCourier"]
    assert await booked(delivery) == {"o1": 1}


async def test_batch_mixes_bookings_and_cancellations(delivery: AskedRoom) -> None:
    await delivery.ask(BookCourier("o1", "single", NINE))
    answers = await delivery.ask(CancelCourier("o1"), BookCourier("o2", "single", NINE))
    assert answers == ["CourierCancelled", "CourierBooked"]
    assert await delivery.broken(audit) == []


async def test_booking_that_comes_after_its_cancellation_is_refused(delivery: AskedRoom) -> None:
    cancel = delivery.envelope(CancelCourier("o1"), saga="s", operation=Operation.COMPENSATION)
    assert await delivery.deliver([cancel]) == ["Done"]
    late = delivery.envelope(BookCourier("o1", "single", NINE), saga="s")
    assert await delivery.deliver([late]) == ["AlreadyCompensated"]
    assert await booked(delivery) == {}
