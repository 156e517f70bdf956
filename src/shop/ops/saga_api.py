"""HTTP: finding sagas, looking at one, and mending it."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from amends.errors import CannotMend
from amends.mending import Action
from amends.ports import Runtime
from shop.ops.desks import Wanted
from shop.ops.sagas import Sagas
from shop.ops.views import SagaDetail, SagaLine, detail_of, line_of
from shop.web import After, Guest, Limit, Problem, ProblemDetails

State = Annotated[
    Literal["", "running", "compensating", "completed", "compensated", "stuck"], QueryParameter(name="state")
]
Text = Annotated[str, QueryParameter(max_length=100)]
Age = Annotated[float, QueryParameter(ge=0, le=10**9, description="only those that began longer ago, in seconds")]
WAYS = [f"/ops/sagas/{{saga_id:str}}/{each}" for each in (Action.RETRY, Action.SKIP, Action.RESOLVE)]
IMPOSSIBLE = ResponseSpec(ProblemDetails, description="Impossible in the state that the saga is in; `detail` says why")


class Mending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who and why; on one step, or on all that are stuck."""

    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    actor: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    step: Annotated[str, msgspec.Meta(max_length=100)] = ""


async def mend(sagas: Sagas, id: str, action: Action, asked: Mending) -> SagaLine:
    """Acts and records. Raises 404, and 409 with the cause."""
    found = await sagas.get(id)
    if found is None:
        raise _unknown(id)
    try:
        return line_of(await sagas.mend(found, action, asked.actor, asked.reason, asked.step))
    except CannotMend as error:
        raise Problem(409, "cannot-mend", str(error), saga_id=id) from error


async def look(sagas: Sagas, id: str) -> SagaDetail:
    """Raises 404."""
    found = await sagas.get(id)
    if found is None:
        raise _unknown(id)
    return detail_of(found, await sagas.mends(found))


def _unknown(id: str) -> Problem:
    return Problem(404, "not-found", f"there is no saga {id}")


def routes(sagas: Sagas, runtime: Runtime) -> list[HTTPRouteHandler]:
    """`/ops/sagas` and below."""

    @get("/ops/sagas")
    async def listed(
        status: State = "",
        name: Text = "",
        step: Text = "",
        older_than_s: Age = 0.0,
        q: Text = "",
        limit: Limit = 50,
        after: After = "",
    ) -> list[SagaLine]:
        """Newest first. `step` finds those that stand at it, `q` one by its own id or its order's."""
        if q:
            return [line_of(each) for each in await sagas.of(q)]
        before = runtime.now() - older_than_s if older_than_s else None
        wanted = Wanted(status, name, step, before, limit, after)
        return [line_of(each) for each in await sagas.find(wanted)]

    @get("/ops/sagas/{saga_id:str}")
    async def one(saga_id: FromPath[str]) -> SagaDetail:
        """Definition, history, planned steps, and the compensations that would run if it turned back now."""
        return await look(sagas, saga_id)

    @post(WAYS, status_code=202, responses={409: IMPOSSIBLE})
    async def mended(request: Guest, saga_id: FromPath[str], data: JSONBody[Mending]) -> SagaLine:
        """Mends a stuck saga: asked afresh, given up, or done by hand. Who and why is recorded."""
        return await mend(sagas, saga_id, Action(request.scope["path"].rpartition("/")[2]), data)

    return [listed, one, mended]
