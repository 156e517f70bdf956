"""HTTP: breaking rooms on purpose."""

from collections.abc import Mapping

from litestar import get, put
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody

from amends.faults import Fault
from shop.ops.desks import FaultsDesk
from shop.web import Problem, ProblemDetails

OFF = ResponseSpec(ProblemDetails, description="There is no such room, or the shop was started without `--faults`")


def routes(desks: Mapping[str, FaultsDesk]) -> list[HTTPRouteHandler]:
    """`/ops/faults`."""

    @get("/ops/faults", responses={404: OFF})
    async def listed() -> dict[str, list[Fault]]:
        """What is set, by room."""
        return {room: await desk.shown() for room, desk in sorted(desks.items())}

    @get("/ops/faults/{room:str}", responses={404: OFF})
    async def one(room: FromPath[str]) -> list[Fault]:
        """What is set in a room: a fault for everything, and one a saga's definition."""
        return await _desk(desks, room).shown()

    @put("/ops/faults/{room:str}", responses={404: OFF})
    async def put_one(room: FromPath[str], data: JSONBody[Fault]) -> list[Fault]:
        """Sets a room's fault; `{}` clears it. With `saga` only the one of that definition."""
        return await _desk(desks, room).put(data)

    return [listed, one, put_one]


def _desk(desks: Mapping[str, FaultsDesk], room: str) -> FaultsDesk:
    if room not in desks:
        raise Problem(404, "not-found", f"no room {room!r} takes commands: {', '.join(sorted(desks))} do")
    return desks[room]
