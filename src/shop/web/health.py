"""Is this process alive, and can it serve?"""

from collections.abc import Callable, Sequence

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from amends.service import Service


class Health(msgspec.Struct, frozen=True):
    """`missing` says what keeps the service from serving."""

    status: str
    missing: list[str] = []


def routes(services: Callable[[], Sequence[Service]], stopping: Callable[[], bool]) -> list[HTTPRouteHandler]:
    """`/healthz` and `/readyz` for what these services do together."""

    @get("/healthz", sync_to_thread=False)
    def alive() -> Health:
        """Says that the process answers."""
        return Health("alive")

    @get("/readyz", responses={503: ResponseSpec(Health, description="It can't serve now")})
    async def ready() -> Response[Health]:
        """Says whether every database answers and every coordinator holds its lease."""
        missing = ["stopping"] if stopping() else [gone for each in services() for gone in await _missing(each)]
        if missing:
            return Response(Health("not ready", missing), status_code=503)
        return Response(Health("ready"))

    return [alive, ready]


async def _missing(service: Service) -> list[str]:
    try:
        async with service.storage.reading() as reader:
            await reader.fetch("select 1")
            coordinator = service.coordinator
            if coordinator is None:
                return []
            held = await coordinator.shards.current(reader)
            return [] if held else [f"{service.name}: another process coordinates its sagas"]
    except Exception as error:  # whatever the database says, the answer is that it can't serve
        return [f"{service.name}: {type(error).__name__}"]
