"""An order as its buyer sees it."""

from datetime import UTC, datetime
from functools import lru_cache

import msgspec

from amends.machine import Moment, start
from amends.messages import SagaId
from amends.pages import Instance
from shop.orders.definitions import ALL
from shop.orders.domain import Status
from shop.orders.sagas import place_order
from shop.orders.tables import Item, Order

CURRENCY = "EUR"
_DEFINITIONS = {(saga.name, saga.version): saga for saga in ALL}


class StepView(msgspec.Struct, frozen=True, gc=False):
    name: str
    kind: str
    state: str
    attempts: int
    at: str | None


class SagaView(msgspec.Struct, frozen=True, gc=False):
    id: str
    state: str
    steps: list[StepView]


class OrderView(msgspec.Struct, frozen=True, gc=False):
    """`created_at` and `at` are RFC 3339 times in UTC."""

    id: str
    status: Status
    reason: str | None
    items: tuple[Item, ...]
    total_minor: int
    currency: str
    slot: str
    pay_with: str
    created_at: str
    saga: SagaView


encode_view = msgspec.json.Encoder().encode


def view_of(order: Order, instance: Instance) -> OrderView:
    return OrderView(
        order.id,
        order.status,
        order.reason,
        order.items,
        order.total_minor,
        CURRENCY,
        order.slot,
        order.pay_with,
        rfc3339(order.created_at),
        saga_view(instance),
    )


def first_view(order: Order) -> OrderView:
    """The order as it was when it was placed."""
    placed = order._replace(status=Status.PENDING, reason=None)
    state = start(place_order, Moment(order.created_at, 0.0)).state
    instance = Instance(
        SagaId(order.id), place_order.name, place_order.version, b"", state, 1, None, "", order.created_at
    )
    return view_of(placed, instance)


def saga_view(instance: Instance) -> SagaView:
    steps = [
        StepView(name, kind, state.phase, state.attempts, rfc3339(state.at) if state.at else None)
        for (name, kind), state in zip(_named_steps(instance), instance.state.steps, strict=True)
    ]
    return SagaView(instance.id, instance.state.status.value, steps)


def _named_steps(instance: Instance) -> list[tuple[str, str]]:
    """An old order's saga may follow a definition that is gone: its steps are numbered then."""
    definition = _DEFINITIONS.get((instance.name, instance.version))
    if definition is None:
        return [(f"step {number}", "") for number in range(1, len(instance.state.steps) + 1)]
    return [(step.name, step.kind) for step in definition.steps]


@lru_cache(1024)
def rfc3339(time_s: float) -> str:
    """Unix seconds as `2034-05-26T16:00:00.123Z`."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
