"""HTTP of the console."""

from pathlib import Path
from typing import Annotated
from urllib.parse import parse_qs

import msgspec
from litestar import Request, Response, Router, get, post
from litestar.datastructures import Cookie, State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

from amends.mending import Action
from amends.state import Status
from shop.console.html import Html
from shop.console.list_page import list_page
from shop.console.other_pages import checks_page, problem_page
from shop.console.saga_page import saga_page
from shop.ops.app import Operating
from shop.ops.check_api import examine
from shop.ops.desks import Wanted
from shop.ops.door import COOKIE
from shop.ops.saga_api import Mending, look, mend
from shop.ops.views import line_of
from shop.web import Guest, Problem, Route, open_to_all

_STATIC = Path(__file__).parent / "static"
_ASSETS = {"console.css": "text/css", "console.js": "text/javascript"}
_POLICY = {
    "content-security-policy": "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
}
AnyState = Annotated[str, QueryParameter(name="state", max_length=20)]
Text = Annotated[str, QueryParameter(max_length=200)]


def routes(operating: Operating) -> list[Route]:
    """`/ops/` and the pages below; signing in needs no cookie yet."""
    behind = Router(
        "/",
        guards=[operating.door.guard],
        exception_handlers={Problem: _as_page},
        include_in_schema=False,
        route_handlers=[*_sagas(operating), *_checks(operating), asset],
    )
    door = open_to_all(*_door(operating))
    door.include_in_schema = False
    door.exception_handlers = {Problem: _as_page}
    return [behind, door]


def _sagas(operating: Operating) -> list[HTTPRouteHandler]:
    @get("/ops/")
    async def listed(status: AnyState = "", name: Text = "", q: Text = "", after: Text = "") -> Response[str]:
        known = status if status in [each.value for each in Status] else ""
        wanted = Wanted(known, name, after=after)
        found = await (operating.sagas.of(q.strip()) if q.strip() else operating.sagas.find(wanted))
        counts = {status.value: count for status, count in (await operating.sagas.in_flight()).items()}
        return _page(list_page([line_of(each) for each in found], wanted, q, counts, operating.sagas.names()))

    @get("/ops/saga/{saga_id:str}")
    async def one(saga_id: FromPath[str]) -> Response[str]:
        return _page(saga_page(await look(operating.sagas, saga_id)))

    @post("/ops/saga/{saga_id:str}", status_code=303)
    async def mended(request: Guest, saga_id: FromPath[str]) -> Response[str]:
        action, asked = _form(await request.body())
        try:
            await mend(operating.sagas, saga_id, action, asked)
        except Problem as refused:
            if refused.status != 409:
                raise
            return _page(saga_page(await look(operating.sagas, saga_id), refused.detail), 409)
        return _to(f"/ops/saga/{saga_id}")

    return [listed, one, mended]


def _checks(operating: Operating) -> list[HTTPRouteHandler]:
    @get("/ops/checks")
    async def checked() -> Response[str]:
        return _page(checks_page(await examine(operating.check)))

    return [checked]


def _door(operating: Operating) -> list[HTTPRouteHandler]:
    @get("/ops/signin")
    async def sign_in(token: Text = "") -> Response[str]:
        if not operating.door.fits(token):
            raise Problem(401, "not-signed-in", "this is not the operator's token: see the link that `shop up` prints")
        cookie = Cookie(COOKIE, "/ops", value=operating.door.session, httponly=True, samesite="strict")
        return _to("/ops/", cookie)

    return [sign_in]


@get("/ops/assets/{name:str}", sync_to_thread=False)
def asset(name: FromPath[str]) -> Response[bytes]:
    if name not in _ASSETS:
        raise Problem(404, "not-found", f"there is no asset {name!r}")
    return Response((_STATIC / name).read_bytes(), media_type=_ASSETS[name])


def _form(body: bytes) -> tuple[Action, Mending]:
    """Raises 400."""
    fields = {name: values[0] for name, values in parse_qs(body.decode("latin-1"), encoding="utf-8").items()}
    try:
        if any("\0" in each for each in fields.values()):
            raise ValueError("a field has the character U+0000 in it, which no text may have")
        action = Action(fields.pop("action", ""))
        if action is Action.CANCEL:
            raise ValueError("a saga is cancelled by its owner, not here")
        return action, msgspec.convert(fields, Mending)
    except ValueError as error:
        raise Problem(400, "bad-request", str(error)) from error


def _page(content: Html, status: int = 200) -> Response[str]:
    return Response(str(content), status_code=status, media_type="text/html", headers=_POLICY)


def _to(path: str, *cookies: Cookie) -> Response[str]:
    return Response("", status_code=303, headers={"location": path}, cookies=list(cookies), media_type="text/html")


def _as_page(_: Request[object, object, State], refused: Problem) -> Response[str]:
    return _page(problem_page(refused.title, refused.detail), refused.status)
