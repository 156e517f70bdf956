"""Each storefront's busy route goes around the framework, and answers as the framework would."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest

from amends.adapters.inprocess import InProcess
from amends.signals import Field, Signals
from amends.testing.runtime import VirtualRuntime
from shop.storefronts import every
from shop.storefronts.rooms import Common, Rooms
from tests.shop.storefronts.conftest import rooms_of
from tests.shop.storefronts.gateway import open_gateway

TIME = "2034-05-26T16:00:00.5+03:00"
MUCH = 10**6


class Busy(NamedTuple):
    """A storefront's busy route: where it is, what its clients send."""

    name: str
    path: str
    body: dict[str, Any]
    headers: dict[str, str]


Client = Callable[..., Awaitable[httpx.Response]]
Open = Callable[[httpx.AsyncClient], Awaitable[Busy]]


async def queue_saga(http: httpx.AsyncClient) -> Busy:
    await http.post("/billing/register?login=ann")
    await http.post("/billing/refill", json={"login": "ann", "balance": MUCH})
    id = (await http.post("/stock/register", json={"description": "apple", "quantity": MUCH})).json()["id"]
    order = {"login": "ann", "e_mail": "a@example.com", "id_product": id, "quntity": 1, "amount": 1}
    return Busy("queue-saga", "/orders/", order | {"dtime": "2025-01-08 10:00:00"}, {})


async def parallel_saga(_: httpx.AsyncClient) -> Busy:
    line = {"item": "phone", "amount": 1, "price": 1.25}
    return Busy("parallel-saga", "/order/order/saga", {"contents": [line], "timeDelivery": "2034-05-26T16:00:00"}, {})


async def pivot_saga(_: httpx.AsyncClient) -> Busy:
    codes = {"order_id": 0, "user_id": 2, "payment": 1, "notification": 1, "status": 1, "detail": "", "sum": 100}
    items = [{"item_id": 1, "quantity": 1, "price": 100}]
    return Busy("pivot-saga", "/neworder", codes | {"created_at": TIME, "approved_at": TIME, "items": items}, {})


async def idempotent_orders(http: httpx.AsyncClient) -> Busy:
    user = {"email": "a@example.com", "phone": "+1", "first_name": "A", "last_name": "B", "password": "correct horse"}
    bearer = {"Authorization": f"Bearer {(await http.post('/register/', json=user)).json()['access_token']}"}
    id = (await http.get("/account/", headers=bearer)).json()["id"]
    charge = {"account_id": id, "type": "charge", "amount": MUCH, "currency": "USD"}
    await http.post("/balance_transactions/", json=charge, headers=bearer)
    order = {"items": [{"product_id": 1, "quantity": 1}]}
    return Busy("idempotent-orders", "/orders/", order, bearer | {"X-Idempotency-Key": "k"})


async def two_phase(http: httpx.AsyncClient) -> Busy:
    id = (await http.post("/user", json={"name": "ann", "balance": MUCH})).json()["id"]
    purchase = {"product_name": "p", "balance_change": -1, "warehouse_id": 1, "delivery_hour": 1}
    return Busy("two-phase", f"/buy/user/{id}", purchase, {})


OPENED = (queue_saga, parallel_saga, pivot_saga, idempotent_orders, two_phase)


class Edge(NamedTuple):
    """A storefront's route, `hot` as it is asked, `plain` as the framework behind answers."""

    busy: Busy
    hot: httpx.AsyncClient
    plain: httpx.AsyncClient
    runtime: VirtualRuntime
    rooms: Rooms
    told: list[tuple[str, dict[str, Field]]]

    async def both(self, content: bytes, **changed: str | None) -> tuple[httpx.Response, httpx.Response]:
        """The answers to the same request; `changed` headers, None: without it."""
        named = {name.replace("_", "-").lower(): value for name, value in changed.items()}
        sent = {name.lower(): value for name, value in self.busy.headers.items()} | named
        headers = {name: value for name, value in sent.items() if value is not None}
        first = await self.post(self.hot, content, headers)
        return first, await self.post(self.plain, content, headers)

    async def post(self, http: httpx.AsyncClient, content: bytes, headers: dict[str, str]) -> httpx.Response:
        return await http.post(self.busy.path, content=content, headers=headers)

    async def order(self, http: httpx.AsyncClient) -> httpx.Response:
        return await self.post(http, msgspec.json.encode(self.busy.body), self.busy.headers)


@pytest.fixture(params=OPENED, ids=lambda each: each.__name__)
async def edge(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Edge]:
    async with opened(tmp_path, request.param) as made:
        yield made


@asynccontextmanager
async def opened(folder: Path, open_it: Open) -> AsyncIterator[Edge]:
    runtime, signals, told = VirtualRuntime(seed=1), Signals(), list[tuple[str, dict[str, Field]]]()
    signals.listen(lambda name, fields: told.append((name, fields)))
    async with rooms_of(folder, runtime, InProcess()) as (rooms, services), AsyncExitStack() as undo:
        await open_gateway(folder, runtime, services["payments"], undo)
        await every.prepare(rooms)
        name = open_it.__name__.replace("_", "-")
        app: Any = every.apps(rooms, Common(signals=signals))[name]
        hot = await undo.enter_async_context(client(app))
        plain = await undo.enter_async_context(client(app.behind))
        yield Edge(await open_it(plain), hot, plain, runtime, rooms, told)


def client(app: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://arch.homework")


def same(first: httpx.Response, second: httpx.Response) -> bool:
    return (first.status_code, first.headers, first.content) == (second.status_code, second.headers, second.content)


BAD = {
    "nothing": b"",
    "no JSON": b"{",
    "another type": b"[1]",
    "an unknown field": b'{"surprise": 1}',
    "no text": b'{"\xff": 1}',
    "U+0000": b'{"login": "\\u0000"}',
    "nested too deeply": b"[" * 5_000,
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD)
async def test_bad_body_is_refused_as_the_framework_refuses_it(edge: Edge, body: bytes) -> None:
    hot, plain = await edge.both(body)
    assert hot.status_code == 400
    assert same(hot, plain), (hot.text, plain.text)


async def test_long_body_is_refused_as_everywhere_else(edge: Edge) -> None:
    hot, plain = await edge.both(b" " * 70_000)
    assert [(each.status_code, each.json()["type"]) for each in (hot, plain)] == [(413, "/problems/body-too-large")] * 2
    assert hot.headers["connection"] == "close"


async def test_order_is_answered_as_the_framework_answers_it(edge: Edge) -> None:
    hot, plain = await edge.order(edge.hot), await edge.order(edge.plain)
    assert hot.status_code == plain.status_code
    assert hot.status_code in (200, 201)
    assert sorted(hot.headers) == sorted(plain.headers)
    assert shape(hot.json()) == shape(plain.json())


async def test_what_breaks_inside_is_told_and_not_shown(edge: Edge, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr(edge.rooms.orders, "place", broken)
    hot, plain = await edge.order(edge.hot), await edge.order(edge.plain)
    assert hot.status_code == 500
    assert same(hot, plain)
    first, second = [fields for name, fields in edge.told if name == "http.failed"]
    assert first["path"] == edge.busy.path
    assert first | {"path": ""} == second | {"path": ""}
    assert "the secret cause" in str(first["error"])


async def test_who_asks_too_often_is_told_so_whichever_way(edge: Edge) -> None:
    edge_gate = edge.hot._transport.app.behind.state.gate  # type: ignore[attr-defined]
    principal = "127.0.0.1" if edge.busy.name != "idempotent-orders" else (await user_of(edge))
    while not edge_gate.rates.take(principal, edge.runtime.now()):
        pass
    hot, plain = await edge.order(edge.hot), await edge.order(edge.plain)
    assert hot.status_code == 429
    assert same(hot, plain)


async def test_query_and_another_method_go_to_the_framework(edge: Edge) -> None:
    for method, path in (("GET", edge.busy.path), ("POST", f"{edge.busy.path}?a=%00"), ("OPTIONS", edge.busy.path)):
        hot, plain = await edge.hot.request(method, path), await edge.plain.request(method, path)
        assert same(hot, plain)


@pytest.mark.parametrize("token", [None, "Bearer nonsense", "", "Basic YTpi"])
async def test_who_shows_no_good_token_is_refused(tmp_path: Path, token: str | None) -> None:
    async with opened(tmp_path, idempotent_orders) as edge:
        hot, plain = await edge.both(msgspec.json.encode(edge.busy.body), authorization=token)
        assert hot.status_code == 401
        assert same(hot, plain)


@pytest.mark.parametrize("key", [None, "", " ", "x" * 256, "\t"])
async def test_bad_idempotency_key_is_refused(tmp_path: Path, key: str | None) -> None:
    async with opened(tmp_path, idempotent_orders) as edge:
        hot, plain = await edge.both(msgspec.json.encode(edge.busy.body), X_Idempotency_Key=key)
        assert (hot.status_code, hot.json()["type"]) == (400, "/problems/bad-request")
        assert (plain.status_code, plain.json()["type"]) == (400, "/problems/bad-request")


@pytest.mark.parametrize("number", ["0", "007", "-1", "1" * 15, "1" * 16, "9" * 30, "x"])
async def test_number_of_nobody_is_unknown_whichever_way(tmp_path: Path, number: str) -> None:
    async with opened(tmp_path, two_phase) as edge:
        path, body = f"/buy/user/{number}", edge.busy.body
        hot, plain = await edge.hot.post(path, json=body), await edge.plain.post(path, json=body)
        assert hot.status_code in (400, 404)
        assert same(hot, plain)


async def user_of(edge: Edge) -> str:
    principal = edge.rooms.verifier.principal(edge.busy.headers["Authorization"], edge.runtime.now())
    assert principal is not None
    return principal.user_id


def shape(told: Any) -> Any:
    """Names and types."""
    match told:
        case dict():
            return {name: shape(value) for name, value in told.items()}
        case list():
            return [shape(each) for each in told]
        case _:
            return type(told)
