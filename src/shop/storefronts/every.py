"""All storefronts. Each is a package with `prepare(rooms)`, which may run at every start, and `apps(rooms, common)`."""

from shop.storefronts import idempotent_orders, parallel_saga, pivot_saga, queue_saga, two_phase
from shop.storefronts.rooms import Common, Rooms
from shop.web.asgi import App

DIALECTS = (queue_saga, parallel_saga, idempotent_orders, pivot_saga, two_phase)


async def prepare(rooms: Rooms) -> None:
    """Furnishes the rooms for every dialect; changes nothing that is there."""
    for dialect in DIALECTS:
        await dialect.prepare(rooms)


def apps(rooms: Rooms, common: Common) -> dict[str, App]:
    """The ASGI applications by the names of their edges."""
    return {name: app for dialect in DIALECTS for name, app in dialect.apps(rooms, common).items()}
