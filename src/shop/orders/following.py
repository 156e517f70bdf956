"""Follows one order's saga: what has happened, what happens, the end, as server-sent events."""

from collections.abc import AsyncIterator

import msgspec

from amends.history import Entry
from amends.messages import SagaId
from amends.pages import Instance
from amends.service import Service
from amends.state import ENDED
from shop.orders import tables
from shop.orders.sagas import place_order
from shop.orders.views import encode_view, rfc3339, view_of
from shop.orders.waiting import Waiting

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

    def __init__(self, service: Service, waiting: Waiting) -> None:
        self._storage = service.storage
        self._runtime = service.runtime
        self._waiting = waiting

    async def events(self, order_id: str, last_seen: int) -> AsyncIterator[bytes]:
        """Each line of the history after number `last_seen`, as it comes; then the order, when its saga has ended."""
        saga = SagaId(order_id)
        with self._waiting.on(saga) as moved:
            while not self._waiting.over:
                instance = await self._load(saga)
                for number, entry in enumerate(instance.state.history[last_seen + 1 :], last_seen + 1):
                    yield _event("step", _encode(_step_event(entry)), number)
                last_seen = max(last_seen, len(instance.state.history) - 1)
                if instance.state.status in ENDED:
                    yield _event("end", await self._final(instance))
                    return
                if await self._runtime.within(QUIET_S, moved.wait()) is None:
                    yield b": still here\n\n"
                moved.clear()

    async def _load(self, saga: SagaId) -> Instance:
        async with self._storage.reading() as reader:
            return (await self._storage.sagas.load(reader, [saga]))[saga]

    async def _final(self, instance: Instance) -> bytes:
        async with self._storage.reading() as reader:
            order = (await tables.load(reader, [instance.id]))[instance.id]
        return encode_view(view_of(order, instance))


def _step_event(entry: Entry) -> StepEvent:
    step = place_order.steps[entry.step].name if entry.step >= 0 else ""
    return StepEvent(rfc3339(entry.at), entry.what, step, entry.detail)


def _event(kind: str, data: bytes, number: int | None = None) -> bytes:
    id = b"" if number is None else b"id: %d\n" % number
    return b"event: %s\n%sdata: %s\n\n" % (kind.encode(), id, data)
