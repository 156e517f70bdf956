"""What others may ask delivery directly: free couriers, bookings that stand, calendars and slots to set by hand."""

from collections.abc import Mapping

from amends.connections import Tx
from amends.service import Service
from shop import papers
from shop.delivery import hours, tables
from shop.delivery.domain import Put, Slot, has_passed
from shop.delivery.tables import Booking

__all__ = ["Booking", "DeliveryDesk", "Put", "Slot"]


class DeliveryDesk:
    """Delivery, for the shop's edges. A slot is a start time, RFC 3339 in UTC."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._storage = service.storage

    async def slots(self, calendar: str, day: str) -> dict[str, Slot]:
        """The slots that are known of a day (`2034-05-26`), by time."""
        async with self._storage.reading() as reader:
            return await tables.slots_of(reader, calendar, day)

    async def bookings(self, calendar: str) -> list[Booking]:
        """Those that stand, the oldest first."""
        async with self._storage.reading() as reader:
            return await tables.bookings_of(reader, calendar)

    async def too_late(self, calendar: str, slot: str) -> bool:
        """Whether the calendar books only the future, and the slot's time has come."""
        if not has_passed(slot, self._service.runtime.now()):
            return False
        async with self._storage.reading() as reader:
            return bool(await tables.future_only(reader, [calendar]))

    async def put_calendar(self, name: str, couriers: int | None, future_only: bool = False) -> None:
        """A calendar whose slots have so many couriers unless set; None: a slot has to be set before it is booked.

        `future_only`: a slot whose time has come is not booked.
        """
        await self._service.transact(lambda tx: tables.put_calendar(tx, name, couriers, future_only))

    async def open_hours(self, name: str, couriers: Mapping[int, int]) -> None:
        """A calendar whose slots have so many couriers, by their hour in UTC; what is open already stays as it is."""
        await self._service.transact(lambda tx: hours.open_hours(tx, name, couriers))

    async def put_slots(self, calendar: str, couriers: Mapping[str, int]) -> dict[str, Put]:
        """Sets the couriers of each slot, in one transaction; where more are booked it stays as it was."""

        async def put(tx: Tx) -> dict[str, Put]:
            return {slot: await tables.put_slot(tx, calendar, slot, count) for slot, count in sorted(couriers.items())}

        return await self._service.transact(put)

    async def paper(self, scope: str, id: str) -> str | None:
        """What a storefront's client keeps here by hand under an id; None when there is nothing."""
        async with self._storage.reading() as reader:
            return await papers.find_paper(reader, scope, id)

    async def put_papers(self, scope: str, written: Mapping[str, str]) -> None:
        """Keeps new papers, by id, in one transaction."""
        await self._service.transact(lambda tx: papers.put_papers(tx, scope, written))

    async def change_paper(self, scope: str, id: str, body: str | None) -> bool:
        """Replaces a paper, or removes it when there is no body; False when there is none."""
        return await self._service.transact(lambda tx: papers.change_paper(tx, scope, id, body))
