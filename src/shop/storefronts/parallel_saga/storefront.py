"""The storefront `parallel-saga`: an order's participants are asked at the same time, the end is the answer.

A translation of a client dialect into calls of the rooms. Orders, items, users and records by hand live in the scope
`parallel-saga`; other storefronts don't show them. Local times are UTC.
"""

from litestar import Router
from litestar.di import Provide

from shop.delivery.domain import MOST_COURIERS
from shop.storefronts.parallel_saga import placing, records, wallets
from shop.storefronts.parallel_saga.values import SCOPE
from shop.storefronts.rooms import Common, Rooms, rates
from shop.web import build_app, open_to_all
from shop.web.asgi import App
from shop.web.hot import Hot


async def prepare(rooms: Rooms) -> None:
    """Opens the storefront's calendar, where nobody is short of couriers; may run at every start."""
    await rooms.delivery.put_calendar(SCOPE, MOST_COURIERS, future_only=True)


def apps(rooms: Rooms, common: Common = Common()) -> dict[str, App]:  # noqa: B008 - a value, never changed
    """The storefront, as an ASGI application under its name."""
    made = build_app(
        [routes(rooms), *common.routes],
        title="parallel-saga",
        description="Orders as sagas whose participants are asked in parallel; wallets that tell of what happens.",
        base="",
        runtime=rooms.runtime,
        rates=rates(),
        signals=common.signals,
    )
    return {SCOPE: Hot(made, [placing.hot(rooms)], SCOPE, common.signals)}


def routes(rooms: Rooms) -> Router:
    handlers = (placing.place, *records.HANDLERS, *wallets.HANDLERS)
    provided = Provide(lambda: rooms, sync_to_thread=False)
    return Router("/", route_handlers=[open_to_all(*handlers)], dependencies={"rooms": provided})
