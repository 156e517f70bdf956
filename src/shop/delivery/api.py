"""HTTP of delivery: when couriers are free."""

from datetime import date

import msgspec
from litestar import get
from litestar.params import FromQuery

from shop.delivery.desk import DeliveryDesk
from shop.web import After, Limit, Route, open_to_all


class SlotView(msgspec.Struct, frozen=True):
    """`slot` is the time at which it begins, RFC 3339 in UTC."""

    slot: str
    couriers_free: int


def routes(delivery: DeliveryDesk, calendar: str = "shop") -> list[Route]:
    """`/api/slots` of one calendar."""

    @get("/api/slots")
    async def slots(day: FromQuery[date], limit: Limit = 100, after: After = "") -> list[SlotView]:
        """The slots of a day; `after` is the last slot seen."""
        found = await delivery.slots(calendar, day.isoformat())
        free = [SlotView(slot, each.couriers - each.booked) for slot, each in found.items() if slot > after]
        return free[:limit]

    return [open_to_all(slots)]
