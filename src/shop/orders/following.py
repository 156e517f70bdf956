"""Follows one order's saga: what has happened, what happens, the end, as server-sent events."""

from collections.abc import AsyncIterator

import msgspec

from amends.errors import Unavailable
from amends.history import Entry
from shop.orders.desk import OrdersDesk
from shop.orders.sagas import place_order
from shop.orders.views import encode_view, rfc3339

QUIET_S = 15.0
_encode = msgspec.json.Encoder().encode


class StepEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """What happened at `at`, to a step or, without one, to the saga."""

    at: str
    what: str
    step: str = ""
    detail: str = ""


class Following:
    """Streams of events; they end with their sagas, or when the shop closes."""

    def __init__(self, orders: OrdersDesk) -> None:
        self._orders = orders

    async def events(self, order_id: str, last_seen: int) -> AsyncIterator[bytes]:
        """Each line of the history after number `last_seen`, as it comes; then the order, when its saga has ended.

        A stream that ends without it is taken up again by whoever reads it, with the last number seen.
        """
        try:
            while True:
                news = await self._orders.news(order_id, last_seen, QUIET_S)
                for entry in news.entries if news else ():
                    last_seen += 1
                    yield _event("step", _encode(_step_event(entry)), last_seen)
                if news is None:
                    yield b": still here\n\n"
                elif news.end is not None:
                    yield _event("end", encode_view(news.end))
                    return
        except Unavailable:
            return


def _step_event(entry: Entry) -> StepEvent:
    step = place_order.steps[entry.step].name if entry.step >= 0 else ""
    return StepEvent(rfc3339(entry.at), entry.what, step, entry.detail)


def _event(kind: str, data: bytes, number: int | None = None) -> bytes:
    id = b"" if number is None else b"id: %d\n" % number
    return b"event: %s\n%sdata: %s\n\n" % (kind.encode(), id, data)
