"""Is this process alive, and can it serve?"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import msgspec
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec

from amends.ports import Runtime

PATIENCE_S = 2.0


class Needed(Protocol):
    """Something without which an edge can't serve."""

    async def missing(self) -> list[str]:
        """What keeps it from serving; or raises whatever says so."""


class Health(msgspec.Struct, frozen=True):
    """`missing` says what keeps the service from serving."""

    status: str
    missing: list[str] = []


def routes(needed: Mapping[str, Needed], stopping: Callable[[], bool], runtime: Runtime) -> list[HTTPRouteHandler]:
    """`/healthz` and `/readyz` for what these do together; `needed` by name."""

    @get("/healthz", sync_to_thread=False)
    def alive() -> Health:
        """Says that the process answers."""
        return Health("alive")

    @get("/readyz", responses={503: ResponseSpec(Health, description="It can't serve now")})
    async def ready() -> Response[Health]:
        """Says whether every room answers, its database too, and every coordinator holds its lease."""
        missing = ["stopping"] if stopping() else await _missing(needed, runtime)
        if missing:
            return Response(Health("not ready", missing), status_code=503)
        return Response(Health("ready"))

    return [alive, ready]


async def _missing(needed: Mapping[str, Needed], runtime: Runtime) -> list[str]:
    """All are asked at once: one that doesn't answer costs `PATIENCE_S` seconds, not that for each."""
    found: dict[str, list[str]] = {}

    async def ask(name: str, each: Needed) -> None:
        found[name] = await _asked(runtime.within(PATIENCE_S, each.missing()))

    tasks = [runtime.spawn(ask(name, each), f"is {name} ready") for name, each in needed.items()]
    for task in tasks:
        await task.join()
    return [f"{name}: {gone}" for name in needed for gone in found[name]]


async def _asked(answer: Awaitable[list[str] | None]) -> list[str]:
    try:
        missing = await answer
    except Exception as error:  # whatever it says, the answer is that it can't serve
        return [type(error).__name__]
    return ["no answer"] if missing is None else missing
