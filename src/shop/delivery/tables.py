"""Calendars, their slots, and the bookings of couriers in them.

A slot's couriers are numbered from 1. `high` is the highest number ever taken, `freed_couriers` holds those below it
that were given back; so the next number is found without looking at the bookings.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader
from amends.errors import Conflict
from shop import held, papers
from shop.delivery import hours
from shop.delivery.domain import Place, Put, Slot, is_count

MIGRATIONS = (
    Migration(
        1,
        "delivery",
        (
            """
            create table calendars (
                name text primary key,
                couriers bigint check (couriers >= 0)
            )
            """,
            """
            create table slots (
                slot text not null,
                calendar text not null references calendars (name),
                couriers bigint not null,
                booked bigint not null,
                high bigint not null,
                primary key (slot, calendar),
                check (booked between 0 and couriers),
                check (booked <= high)
            )
            """,
            """
            create table bookings (
                order_id text primary key,
                calendar text not null,
                slot text not null,
                courier bigint not null check (courier > 0),
                at double precision not null,
                unique (calendar, slot, courier),
                foreign key (slot, calendar) references slots (slot, calendar)
            )
            """,
            """
            create table freed_couriers (
                calendar text not null,
                slot text not null,
                courier bigint not null check (courier > 0),
                primary key (calendar, slot, courier),
                foreign key (slot, calendar) references slots (slot, calendar)
            )
            """,
        ),
    ),
    Migration(
        2,
        "calendars of the future",
        ("alter table calendars add column future_only bigint not null default 0 check (future_only in (0, 1))",),
    ),
    papers.migration(3),
    held.migration(4),
    hours.MIGRATION,
)

upsert_calendar = """
insert into calendars (name, couriers, future_only)
values (:name, :couriers, :future_only)
on conflict (name) do update set couriers = excluded.couriers, future_only = excluded.future_only
"""
select_future_only = "select name from keys cross join calendars where name = key and future_only = 1"
select_calendars = "select name, couriers from keys cross join calendars where name = key and couriers is not null"

insert_slot = """
insert into slots (slot, calendar, couriers, booked, high)
values (:slot, :calendar, :couriers, 0, 0)
on conflict (slot, calendar) do nothing
"""
change_couriers = """
update slots
set couriers = :couriers
where slot = :slot and calendar = :calendar and booked <= :couriers
"""
select_slots = "select calendar, slot, couriers, booked, high from keys cross join slots where slot = key"
select_slots_between = """
select slot, couriers, booked, high from slots
where slot >= :first and slot < :last and calendar = :calendar
order by slot
"""
book_slot = """
update slots
set booked = booked + :more, high = :high
where slot = :slot and calendar = :calendar and high = :high_before and booked + :more <= couriers
"""
unbook_slot = """
update slots
set booked = booked - :fewer
where slot = :slot and calendar = :calendar and booked >= :fewer
"""

insert_booking = """
insert into bookings (order_id, calendar, slot, courier, at)
values (:order_id, :calendar, :slot, :courier, :at)
"""
select_bookings = """
select order_id, calendar, slot, courier, at
from keys cross join bookings
where order_id = key
"""
select_bookings_of = """
select order_id, calendar, slot, courier, at from bookings
where calendar = :calendar
order by at, order_id
"""
delete_booking = "delete from bookings where order_id = :order_id and courier = :courier"

insert_freed = "insert into freed_couriers (calendar, slot, courier) values (:calendar, :slot, :courier)"
select_freed = """
select courier from freed_couriers
where calendar = :calendar and slot = :slot
order by courier
limit :limit
"""
delete_freed = "delete from freed_couriers where calendar = :calendar and slot = :slot and courier = :courier"


class Booking(NamedTuple):
    """A courier of a slot is an order's, since a Unix time."""

    order_id: str
    calendar: str
    slot: str
    courier: int
    at: float


class SlotChange(NamedTuple):
    """So many more bookings, after which `high` is the highest number ever taken."""

    more: int
    high: int
    high_before: int


async def put_calendar(tx: Tx, name: str, couriers: int | None, future_only: bool = False) -> None:
    """A calendar whose slots have so many couriers unless set; None: a slot has to be set before it is booked.

    `future_only`: a slot whose time has come is not booked. Slots that are there already stay as they are.
    Raises `ValueError` unless 0 <= couriers <= 10**9.
    """
    if couriers is not None:
        _check_count(couriers)
    await tx.run(upsert_calendar, (name, couriers, int(future_only)))


async def future_only(reader: Reader, calendars: Iterable[str]) -> set[str]:
    """Those of the calendars that book only the future."""
    return {row[0] for row in await reader.fetch_each(select_future_only, sorted({*calendars}))}


async def put_slot(tx: Tx, calendar: str, slot: str, couriers: int) -> Put:
    """Sets a slot's couriers; its calendar has to be there. Raises `ValueError` unless 0 <= couriers <= 10**9."""
    _check_count(couriers)
    if await insert_slots(tx, {Place(calendar, slot): couriers}):
        return Put.CREATED
    return Put.CHANGED if await tx.run(change_couriers, (couriers, slot, calendar)) else Put.REFUSED


async def slots_of(reader: Reader, calendar: str, day: str) -> dict[str, Slot]:
    """The slots that are known of a day (`2034-05-26`), by time."""
    rows = await reader.fetch(select_slots_between, (f"{day}T", f"{day}U", calendar))
    return {slot: Slot(*counts) for slot, *counts in rows}


async def bookings_of(reader: Reader, calendar: str) -> list[Booking]:
    """The bookings that stand, the oldest first."""
    return [Booking(*row) for row in await reader.fetch(select_bookings_of, (calendar,))]


async def find_bookings(reader: Reader, order_ids: Sequence[str]) -> dict[str, Booking]:
    rows = await reader.fetch_each(select_bookings, sorted({*order_ids}))
    return {row[0]: Booking(*row) for row in rows}


async def lock_slots(tx: Tx, places: Iterable[Place]) -> dict[Place, Slot]:
    """They stay so until the transaction has ended. May return the same times in other calendars, too."""
    rows = await tx.lock_each(select_slots, sorted({place.slot for place in places}))
    return {Place(calendar, slot): Slot(*counts) for calendar, slot, *counts in rows}


async def find_defaults(reader: Reader, calendars: Sequence[str]) -> dict[str, int]:
    """The couriers of a slot that is new, of each calendar in which new ones may be booked."""
    rows: list[tuple[str, int]] = await reader.fetch_each(select_calendars, sorted({*calendars}))
    return dict(rows)


async def find_freed(reader: Reader, place: Place, limit: int) -> list[int]:
    """The smallest numbers that were given back."""
    return [row[0] for row in await reader.fetch(select_freed, (*place, limit))]


async def insert_slots(tx: Tx, couriers: Mapping[Place, int]) -> int:
    """Returns how many were new."""
    rows = [(place.slot, place.calendar, count) for place, count in sorted(couriers.items())]
    return await tx.run_many(insert_slot, rows)


async def book_slots(tx: Tx, changes: Mapping[Place, SlotChange]) -> None:
    """Raises `Conflict` when a slot is not as it was seen, or has too few couriers."""
    rows = [
        (change.more, change.high, place.slot, place.calendar, change.high_before)
        for place, change in sorted(changes.items())
    ]
    _expect(len(rows), await tx.run_many(book_slot, rows), "a slot")


async def unbook_slots(tx: Tx, fewer: Mapping[Place, int]) -> None:
    """Takes bookings off. Raises `Conflict` when there are not so many."""
    rows = [(count, place.slot, place.calendar) for place, count in sorted(fewer.items())]
    _expect(len(rows), await tx.run_many(unbook_slot, rows), "a slot")


async def insert_bookings(tx: Tx, bookings: Sequence[Booking]) -> None:
    await tx.run_many(insert_booking, bookings)


async def delete_bookings(tx: Tx, bookings: Sequence[Booking]) -> None:
    """Raises `Conflict` when one is not there any more."""
    rows = [(each.order_id, each.courier) for each in bookings]
    _expect(len(rows), await tx.run_many(delete_booking, rows), "a booking")


async def free_couriers(tx: Tx, bookings: Sequence[Booking]) -> None:
    await tx.run_many(insert_freed, [(each.calendar, each.slot, each.courier) for each in bookings])


async def take_freed(tx: Tx, place: Place, couriers: Sequence[int]) -> None:
    """Raises `Conflict` when one was taken meanwhile."""
    rows = [(*place, courier) for courier in couriers]
    _expect(len(rows), await tx.run_many(delete_freed, rows), "a courier")


def _check_count(couriers: int) -> None:
    if not is_count(couriers):
        raise ValueError(f"{couriers} is no number of couriers: it has to be from 0 to 10**9")


def _expect(wanted: int, changed: int, what: str) -> None:
    if changed != wanted:
        raise Conflict(f"delivery: {what} changed underneath: {changed} rows of {wanted} written; try again")
