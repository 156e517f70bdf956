"""Orders through the API: placed, waited for, followed, taken back; whether the rooms are here or behind sockets."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from tests.shop.desks import AFAR, HERE
from tests.shop.web.edges import SLOT, Edges, open_edges

ORDER = {"items": [{"sku": "apple", "quantity": 2}], "slot": SLOT, "pay_with": "wallet"}


@pytest.fixture(params=[HERE, AFAR])
async def edges(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Edges]:
    """Ann is signed in and has money."""
    async with open_edges(tmp_path, where=request.param) as opened:
        await opened.join()
        deposit = {"amount_minor": 1000}
        await opened.client.post("/api/wallet/deposits", json=deposit, headers={"idempotency-key": "money"})
        yield opened


async def order(edges: Edges, key: str = "k", body: Any = ORDER, wait_s: int = 20) -> httpx.Response:
    prefer = {"prefer": f"wait={wait_s}"} if wait_s else {}
    return await edges.client.post("/api/orders", json=body, headers={"idempotency-key": key} | prefer)


async def cancel(edges: Edges, order_id: str, key: str = "c") -> httpx.Response:
    return await edges.client.post(f"/api/orders/{order_id}/cancel", headers={"idempotency-key": key})


async def available(edges: Edges) -> int:
    return int((await edges.client.get("/api/products?limit=1")).json()[0]["available"])


async def test_order_is_answered_with_its_end_when_asked_to_wait(edges: Edges) -> None:
    answer = await order(edges)
    assert answer.status_code == 201, answer.text
    ended = answer.json()
    assert (ended["status"], ended["total_minor"], ended["saga"]["state"]) == ("approved", 200, "completed")
    assert answer.headers["location"] == f"/api/orders/{ended['id']}"
    assert (await edges.client.get(answer.headers["location"])).json() == ended
    assert (await edges.client.get("/api/orders")).json() == [ended]
    assert (await edges.client.get("/api/wallet")).json()["balance_minor"] == 800
    assert await available(edges) == 98


async def test_repeated_order_is_the_same_order(edges: Edges) -> None:
    first, again = await order(edges), await order(edges)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await order(edges, body=ORDER | {"pay_with": "card:4242424242424242"})
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")


async def test_order_without_waiting_is_accepted_and_followed_to_its_end(edges: Edges) -> None:
    placed = await order(edges, wait_s=0)
    assert (placed.status_code, placed.json()["status"]) == (202, "pending")
    events = f"/api/orders/{placed.json()['id']}/events"
    lines = (await edges.client.get(events)).text.split("\n\n")
    assert lines[0].startswith('event: step\nid: 0\ndata: {"at":')
    kind, data = lines[-2].split("\n")
    assert kind == "event: end"
    assert msgspec.json.decode(data.removeprefix("data: "))["status"] == "approved"
    resumed = (await edges.client.get(events, headers={"last-event-id": "2"})).text
    assert resumed.startswith("event: step\nid: 3\n")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"items": [{"sku": "apple", "quantity": 999}]}, "insufficient-funds"),
        ({"slot": "2034-05-27T16:00:00Z"}, "no-courier"),
    ],
    ids=["money", "courier"],
)
async def test_refused_order_leaves_nothing_behind(edges: Edges, change: dict[str, Any], reason: str) -> None:
    ended = (await order(edges, body=ORDER | change)).json()
    assert (ended["status"], ended["reason"]) == ("rejected", reason)
    assert (await edges.client.get("/api/wallet")).json() == {"balance_minor": 1000, "held_minor": 0, "currency": "EUR"}
    assert await available(edges) == 100
    refused = await cancel(edges, ended["id"])
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/order-rejected")
    assert refused.json()["saga_id"] == ended["id"]


async def test_approved_order_is_taken_back_once(edges: Edges) -> None:
    order_id = (await order(edges)).json()["id"]
    first, again = await cancel(edges, order_id), await cancel(edges, order_id)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.json() == again.json()


async def test_unknown_product_is_refused(edges: Edges) -> None:
    answer = await order(edges, body=ORDER | {"items": [{"sku": "unicorn", "quantity": 1}]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/unknown-product")


async def test_order_of_another_looks_like_none(edges: Edges) -> None:
    order_id = (await order(edges)).json()["id"]
    await edges.join("bob@example.com")
    answers = [
        await edges.client.get(f"/api/orders/{order_id}"),
        await edges.client.get(f"/api/orders/{order_id}/events"),
        await cancel(edges, order_id),
        await edges.client.get("/api/orders/nothing"),
    ]
    assert {(each.status_code, each.json()["type"]) for each in answers} == {(404, "/problems/no-such-order")}
    assert (await edges.client.get("/api/orders")).json() == []
