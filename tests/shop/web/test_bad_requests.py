"""Whatever is wrong with a request gets a documented 4xx as problem details, and changes nothing."""

from collections.abc import AsyncIterator, MutableMapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from shop.web import Rates
from tests.shop.web.edges import SLOT, Edges, open_edges

DEPOSITS = "/api/wallet/deposits"
KEY = {"Idempotency-Key": "k1"}

BAD_BODIES = {
    "nothing": b"",
    "malformed": b'{"amount_minor":',
    "not an object": b"[]",
    "null": b"null",
    "missing field": b"{}",
    "text for a number": b'{"amount_minor":"100"}',
    "fraction": b'{"amount_minor":1.5}',
    "zero": b'{"amount_minor":0}',
    "negative": b'{"amount_minor":-1}',
    "huge": b'{"amount_minor":1000000000001}',
    "beyond 64 bits": b'{"amount_minor":' + b"9" * 400 + b"}",
    "not a number": b'{"amount_minor":NaN}',
    "infinity": b'{"amount_minor":Infinity}',
    "float infinity": b'{"amount_minor":1e999}',
    "deep": b'{"amount_minor":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
    "not text": b'{"amount_minor":"\xff\xfe"}',
    "lone surrogate": b'{"amount_minor":"\\ud800"}',
}


def assert_problem(answer: httpx.Response, status: int, name: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == f"/problems/{name}"
    assert answer.json()["status"] == status


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
async def test_bad_body_is_refused_and_changes_nothing(edges: Edges, body: bytes) -> None:
    await edges.join()
    answer = await edges.client.post(DEPOSITS, content=body, headers=KEY)
    assert_problem(answer, 400, "bad-request")
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 0


NUL = {
    "escaped": b'{"email":"bob@example.com","name":"B\\u0000b","password":"correct horse"}',
    "behind a backslash": b'{"email":"bob@example.com","name":"B\\\\\\u0000b","password":"correct horse"}',
    "as it is": b'{"email":"bob@example.com","name":"B\x00b","password":"correct horse"}',
    "in a name": b'{"email":"bob@example.com","name":"Bob","password":"correct horse","\\u0000":1}',
}


@pytest.mark.parametrize("body", NUL.values(), ids=NUL.keys())
async def test_text_with_nul_is_refused_on_every_database(edges: Edges, body: bytes) -> None:
    assert_problem(await edges.client.post("/api/users", content=body), 400, "bad-request")


async def test_six_characters_that_look_like_nul_are_text(edges: Edges) -> None:
    body = b'{"email":"bob@example.com","name":"B\\\\u0000b","password":"correct horse"}'
    joined = await edges.client.post("/api/users", content=body)
    assert (joined.status_code, joined.json()["name"]) == (201, r"B\u0000b")


@pytest.mark.parametrize("address", ["/api/orders/a%00b", "/api/orders?before=%00", "/api/products?after=a%00"])
async def test_address_with_nul_is_refused_on_every_database(edges: Edges, address: str) -> None:
    await edges.join()
    assert_problem(await edges.client.get(address), 400, "bad-request")


async def test_order_with_nul_is_refused_on_every_database(edges: Edges) -> None:
    await edges.join()
    body = b'{"items":[{"sku":"a\\u0000","quantity":1}],"slot":"%s","pay_with":"wallet"}' % SLOT.encode()
    assert_problem(await edges.client.post("/api/orders", content=body, headers=KEY), 400, "bad-request")


async def test_slash_at_the_end_of_a_path_counts_for_nothing(edges: Edges) -> None:
    await edges.join()
    for path in ("/api/wallet", "/api/wallet/"):
        assert (await edges.client.get(path)).status_code == 200


async def test_last_of_two_members_of_one_name_counts(edges: Edges) -> None:
    await edges.join()
    twice = b'{"amount_minor":1,"amount_minor":2}'
    assert (await edges.client.post(DEPOSITS, content=twice, headers=KEY)).json()["amount_minor"] == 2


async def test_unknown_field_is_named(edges: Edges) -> None:
    await edges.join()
    body = {"amount_minor": 1, "wallet_id": "somebody"}
    answer = await edges.client.post(DEPOSITS, json=body, headers=KEY)
    assert_problem(answer, 400, "bad-request")
    assert "wallet_id" in answer.json()["detail"]


async def test_wrong_field_is_named(edges: Edges) -> None:
    await edges.join()
    answer = await edges.client.post(DEPOSITS, json={"amount_minor": "1"}, headers=KEY)
    assert "amount_minor" in answer.json()["detail"]


async def test_body_over_64_kib_is_refused(edges: Edges) -> None:
    await edges.join()
    fits = b'{"amount_minor":5' + b" " * (64 * 1024 - 18) + b"}"
    assert len(fits) == 64 * 1024
    assert (await edges.client.post(DEPOSITS, content=fits, headers=KEY)).status_code == 201
    too_large = await edges.client.post(DEPOSITS, content=fits + b" ", headers=KEY)
    assert_problem(too_large, 413, "body-too-large")
    assert too_large.headers["connection"] == "close"


async def test_body_of_unknown_length_is_not_read_to_its_end(edges: Edges) -> None:
    await edges.join()
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1024
            yield b" " * 1024

    transport = edges.client._transport
    assert isinstance(transport, httpx.ASGITransport)
    chunks = endless()
    replies: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": await anext(chunks), "more_body": True}

    async def send(message: MutableMapping[str, Any]) -> None:
        replies.append(message)

    headers = [(b"authorization", edges.client.headers["authorization"].encode()), (b"idempotency-key", b"k1")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": DEPOSITS,
        "headers": headers,
        "query_string": b"",
        "client": ("127.0.0.1", 1),
    }
    await transport.app(scope, receive, send)
    assert replies[0]["status"] == 413
    assert sent <= 66 * 1024


@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", "1.5", "99999999999999999999"])
async def test_pages_have_a_bound(edges: Edges, limit: str) -> None:
    assert_problem(await edges.client.get("/api/products", params={"limit": limit}), 400, "bad-request")


async def test_over_long_cursor_is_refused(edges: Edges) -> None:
    assert_problem(await edges.client.get("/api/products", params={"after": "x" * 201}), 400, "bad-request")


@pytest.mark.parametrize("day", ["", "tomorrow", "2034-13-01", "2034-05-26T16:00:00Z", "12"])
async def test_wrong_day_is_refused(edges: Edges, day: str) -> None:
    assert_problem(await edges.client.get("/api/slots", params={"day": day}), 400, "bad-request")


async def test_unknown_path_and_method_are_problems(edges: Edges) -> None:
    assert_problem(await edges.client.get("/api/nothing"), 404, "not-found")
    refused = await edges.client.delete("/api/users")
    assert_problem(refused, 405, "method-not-allowed")
    assert "POST" in refused.headers["allow"]


async def test_trace_id_comes_back(edges: Edges) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    answer = await edges.client.get("/api/wallet", headers={"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
    assert_problem(answer, 401, "not-signed-in")
    assert answer.json()["trace_id"] == trace


async def test_products_and_slots_are_shown_page_by_page(edges: Edges) -> None:
    first = (await edges.client.get("/api/products?limit=1")).json()
    assert first == [{"sku": "apple", "title": "Apple", "price_minor": 100, "available": 100}]
    then = (await edges.client.get("/api/products?limit=1&after=apple")).json()
    assert then == [{"sku": "pear", "title": "Pear", "price_minor": 250, "available": 0}]
    slots = (await edges.client.get("/api/slots?day=2034-05-26")).json()
    assert slots == [{"slot": SLOT, "couriers_free": 3}]
    assert (await edges.client.get("/api/slots?day=2034-05-27")).json() == []


async def test_who_asks_too_often_has_to_wait(tmp_path: Path) -> None:
    async with open_edges(tmp_path, Rates(per_s=0.5, burst=3)) as edges:
        answers = [await edges.client.get("/api/products") for _ in range(4)]
    assert [each.status_code for each in answers] == [200, 200, 200, 429]
    assert_problem(answers[3], 429, "too-many-requests")
    assert answers[3].headers["retry-after"] == "2"


async def test_health_tells_what_is_missing(edges: Edges) -> None:
    assert (await edges.client.get("/healthz")).json()["status"] == "alive"
    assert (await edges.client.get("/readyz")).status_code == 200
    edges.stopping = True
    stopping = await edges.client.get("/readyz")
    assert (stopping.status_code, stopping.json()["missing"]) == (503, ["stopping"])


async def test_replaced_coordinator_is_not_ready(edges: Edges) -> None:
    orders = edges.services["orders"]
    assert orders.coordinator is not None
    async with orders.storage.transaction(edges.home.runtime.now()) as tx:
        await orders.storage.leases.acquire(tx, [f"{orders.coordinator.name}/0"], "another")
    answer = await edges.client.get("/readyz")
    assert answer.status_code == 503
    assert "orders" in answer.json()["missing"][0]
