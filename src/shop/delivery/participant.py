"""What delivery does when it is asked."""

from collections import Counter
from collections.abc import Mapping, Sequence

from amends import Participant, Refusal, Reply, Tx
from shop.delivery.contract import (
    BookCourier,
    CancelCourier,
    ConfirmCourier,
    CourierBooked,
    CourierCancelled,
    CourierConfirmed,
    CourierDropped,
    CourierGone,
    CourierHeld,
    DropCourier,
    HoldCourier,
    NoCourier,
    TimePassed,
)
from shop.delivery.domain import Place, Slot, has_passed, hour_of, numbers
from shop.delivery.hours import find_hours
from shop.delivery.tables import (
    Booking,
    SlotChange,
    book_slots,
    delete_bookings,
    find_bookings,
    find_defaults,
    find_freed,
    free_couriers,
    future_only,
    insert_bookings,
    insert_slots,
    lock_slots,
    take_freed,
    unbook_slots,
)
from shop.held import delete_held, insert_held, lock_held

delivery = Participant("delivery")

_BOOKED = CourierBooked()
_REFUSED = NoCourier()
_TOO_LATE = TimePassed()
_CANCELLED = CourierCancelled()
_HELD = CourierHeld()
_CONFIRMED = CourierConfirmed()
_GONE = CourierGone()
_DROPPED = CourierDropped()


@delivery.handles_many(BookCourier)
async def book_courier(tx: Tx, commands: Sequence[BookCourier]) -> list[Reply | Refusal]:
    answers, _ = await _book_all(tx, commands)
    return answers


@delivery.handles_many(CancelCourier)
async def cancel_courier(tx: Tx, commands: Sequence[CancelCourier]) -> list[Reply | Refusal]:
    await cancel(tx, [each.order_id for each in commands])
    return [_CANCELLED] * len(commands)


@delivery.handles_many(HoldCourier)
async def hold_courier(tx: Tx, commands: Sequence[HoldCourier]) -> list[Reply | Refusal]:
    answers, fresh = await _book_all(tx, commands)
    stand = {each.order_id: tx.now + each.stands_s if each.stands_s else None for each in commands}
    await insert_held(tx, [(id, stand[id]) for id in sorted(fresh)])
    return [_HELD if answer is _BOOKED else answer for answer in answers]


@delivery.handles_many(ConfirmCourier)
async def confirm_courier(tx: Tx, commands: Sequence[ConfirmCourier]) -> list[Reply | Refusal]:
    """What is still there is confirmed, however late."""
    ids = [each.order_id for each in commands]
    await delete_held(tx, list(await lock_held(tx, ids)))
    stand = await find_bookings(tx, ids)
    return [_CONFIRMED if id in stand else _GONE for id in ids]


@delivery.handles_many(DropCourier)
async def drop_courier(tx: Tx, commands: Sequence[DropCourier]) -> list[Reply | Refusal]:
    await drop(tx, [each.order_id for each in commands])
    return [_DROPPED] * len(commands)


async def drop(tx: Tx, order_ids: Sequence[str]) -> int:
    """Cancels the bookings of those orders that are held; returns how many."""
    held = list(await lock_held(tx, order_ids))
    if held:
        await delete_held(tx, held)
        await cancel(tx, held)
    return len(held)


async def cancel(tx: Tx, order_ids: Sequence[str]) -> None:
    bookings = list((await find_bookings(tx, order_ids)).values())
    if bookings:
        fewer = Counter(Place(each.calendar, each.slot) for each in bookings)
        await lock_slots(tx, fewer)
        await delete_bookings(tx, bookings)
        await free_couriers(tx, bookings)
        await unbook_slots(tx, fewer)


async def _book_all(
    tx: Tx, commands: Sequence[BookCourier] | Sequence[HoldCourier]
) -> tuple[list[Reply | Refusal], list[str]]:
    """Also the ids of the orders that had no booking before."""
    bookings = await find_bookings(tx, [each.order_id for each in commands])
    places = {id: Place(each.calendar, each.slot) for id, each in bookings.items()}
    asked = [Place(each.calendar, each.slot) for each in commands]
    late = await _too_late(tx, asked)
    slots = await _slots(tx, [place for place in asked if place not in late])
    free = {place: slot.couriers - slot.booked for place, slot in slots.items() if place not in late}
    won: dict[Place, list[str]] = {}
    answers = [_book(each, places, free, won) for each in commands]
    if won:
        await _record(tx, slots, won)
    told = [_TOO_LATE if no is _REFUSED and place in late else no for no, place in zip(answers, asked, strict=True)]
    return told, [id for ids in won.values() for id in ids]


def _book(
    command: BookCourier | HoldCourier, places: dict[str, Place], free: dict[Place, int], won: dict[Place, list[str]]
) -> Reply | Refusal:
    """Decides, and notes the effect for the commands behind this one."""
    id, place = command.order_id, Place(command.calendar, command.slot)
    if id not in places and free.get(place, 0) > 0:
        free[place] -= 1
        places[id] = place
        won.setdefault(place, []).append(id)
    return _BOOKED if places.get(id) == place else _REFUSED


async def _too_late(tx: Tx, places: Sequence[Place]) -> set[Place]:
    """Those whose time has come, in calendars that book only the future."""
    passed = {place for place in places if has_passed(place.slot, tx.now)}
    refusing = await future_only(tx, [place.calendar for place in passed]) if passed else set()
    return {place for place in passed if place.calendar in refusing}


async def _slots(tx: Tx, places: Sequence[Place]) -> dict[Place, Slot]:
    """The slots as they are; a new one is opened when its calendar says with how many couriers."""
    slots = await lock_slots(tx, places)
    unseen = [place for place in places if place not in slots]
    if unseen:
        opened = await _to_open(tx, unseen)
        await insert_slots(tx, opened)
        slots |= {place: Slot(couriers, 0, 0) for place, couriers in opened.items()}
    return slots


async def _to_open(tx: Tx, unseen: Sequence[Place]) -> dict[Place, int]:
    """The couriers of those new slots that have any: their calendar says how many, for all or for their hour."""
    calendars = [place.calendar for place in unseen]
    defaults, hours = await find_defaults(tx, calendars), await find_hours(tx, calendars)
    couriers = {
        place: defaults.get(place.calendar) or hours.get((place.calendar, hour_of(place.slot))) or 0 for place in unseen
    }
    return {place: count for place, count in couriers.items() if count}


async def _record(tx: Tx, slots: Mapping[Place, Slot], won: Mapping[Place, Sequence[str]]) -> None:
    bookings: list[Booking] = []
    changes: dict[Place, SlotChange] = {}
    for place, order_ids in sorted(won.items()):
        high = slots[place].high
        couriers = await _couriers(tx, place, slots[place], len(order_ids))
        changes[place] = SlotChange(len(order_ids), max(high, couriers[-1]), high)
        bookings += [Booking(id, *place, courier, tx.now) for id, courier in zip(order_ids, couriers, strict=True)]
    await book_slots(tx, changes)
    await insert_bookings(tx, bookings)


async def _couriers(tx: Tx, place: Place, slot: Slot, count: int) -> list[int]:
    if not slot.given_back:
        return numbers([], slot.high, count)
    freed = await find_freed(tx, place, count)
    await take_freed(tx, place, freed)
    return numbers(freed, slot.high, count)
