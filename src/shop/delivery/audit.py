"""Is delivery consistent? Counts of slots against their bookings."""

from amends.audit import Finding, Readers
from amends.connections import Reader

_SHOWN = 10

find_wrong_booked = """
select slots.calendar, slots.slot, booked, coalesce(counted, 0)
from slots
left join (
    select calendar, slot, count(*) as counted from bookings group by calendar, slot
) sums on sums.calendar = slots.calendar and sums.slot = slots.slot
where booked <> coalesce(counted, 0)
order by slots.calendar, slots.slot
"""
find_wrong_freed = """
select slots.calendar, slots.slot, high - booked, coalesce(counted, 0)
from slots
left join (
    select calendar, slot, count(*) as counted from freed_couriers group by calendar, slot
) sums on sums.calendar = slots.calendar and sums.slot = slots.slot
where high - booked <> coalesce(counted, 0)
order by slots.calendar, slots.slot
"""
find_shared = """
select calendar, slot, courier, count(*)
from bookings
group by calendar, slot, courier
having count(*) > 1
order by calendar, slot, courier
"""
find_overbooked = """
select calendar, slot, couriers, booked
from slots
where booked < 0 or booked > couriers
order by calendar, slot
"""
sum_slots = "select count(*), coalesce(sum(couriers), 0), coalesce(sum(booked), 0) from slots"
count_bookings = "select count(*) from bookings"
count_freed = "select count(*) from freed_couriers"


async def audit(readers: Readers) -> list[Finding]:
    """What has to hold inside delivery."""
    reader = readers["delivery"]
    return [await _booked(reader), await _freed(reader), await _shared(reader), await _overbooked(reader)]


async def _booked(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_booked)
    bookings = (await reader.fetch(count_bookings))[0][0]
    _, _, booked = (await reader.fetch(sum_slots))[0]
    shown = ", ".join(
        f"{slot} in {name}: {booked} booked, {count} bookings" for name, slot, booked, count in wrong[:_SHOWN]
    )
    figures = {"bookings": bookings, "booked": int(booked), "wrong": len(wrong)}
    return Finding(
        "delivery: what is booked is the count of bookings", not wrong and booked == bookings, figures, shown
    )


async def _freed(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_wrong_freed)
    freed = (await reader.fetch(count_freed))[0][0]
    shown = ", ".join(f"{slot} in {name}: {free} free, {count} kept" for name, slot, free, count in wrong[:_SHOWN])
    return Finding("delivery: numbers given back are kept", not wrong, {"freed": freed, "wrong": len(wrong)}, shown)


async def _shared(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_shared)
    shown = ", ".join(f"{slot} in {name}: courier {courier} {n} times" for name, slot, courier, n in wrong[:_SHOWN])
    return Finding("delivery: no courier is booked twice", not wrong, {"wrong": len(wrong)}, shown)


async def _overbooked(reader: Reader) -> Finding:
    wrong = await reader.fetch(find_overbooked)
    slots, couriers, booked = (await reader.fetch(sum_slots))[0]
    shown = ", ".join(f"{slot} in {name}: {booked} of {couriers}" for name, slot, couriers, booked in wrong[:_SHOWN])
    figures = {"slots": slots, "couriers": int(couriers), "booked": int(booked), "wrong": len(wrong)}
    return Finding("delivery: no slot is overbooked", not wrong, figures, shown)
