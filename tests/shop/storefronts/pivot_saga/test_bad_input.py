"""Whatever is wrong with a request: a 4xx that says so, and nothing is changed."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from amends.testing.runtime import VirtualRuntime
from shop.orders.definitions import ALL
from shop.orders.pivot_saga import PAY, RESERVE, SEND, place_with_pivot
from shop.users.sagas import open_wallet
from tests.shop.storefronts.pivot_saga.conftest import ORDER, SERVICES, Shop, opened

MALFORMED = [b"", b"null", b"[]", b"1", b'"x"', b"{", b"\xff\xfe", b"mistakes=1", b"[" * 20_000]
NO_MISTAKES = ["101", "-1", '"x"', "NaN", "Infinity", "1.5", "null", "true", "1e99", "[1]", "9" * 400]
NO_SUMS = ["0", "-1", "1.5", "NaN", "Infinity", "-Infinity", '"1"', "null", "true", "1e300", "10000000000001"]
NO_PRICES = ["-1", "0.001", "NaN", "-Infinity", '"1"', "null", "true", "1e300", "10000000001"]
NO_TIMES = ["", "yesterday", "2024-01-30", "2024-02-30T00:00:00Z", "2024-01-30T21:35:12", "2024-01-30T21:35:12.Z", 5]


@pytest.fixture
async def shop(tmp_path: Path) -> Any:
    async with opened(tmp_path, VirtualRuntime(seed=1)) as found:
        yield found


async def refuse(shop: Shop, edge: str, path: str, body: bytes) -> None:
    """Posts the body; checks that it is refused and that nothing is changed."""
    before = await state(shop)
    answer = await shop.clients[edge].post(path, content=body)
    await shop.runtime.settle()
    assert 400 <= answer.status_code < 500, (body[:100], answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"]
    assert await state(shop) == before


async def state(shop: Shop) -> Any:
    faults = {
        service: await shop.rooms.faults[room].shown() for service, room in [("w", "warehouse"), ("p", "payments")]
    }
    orders = await shop.rows("orders", "select id from orders")
    return faults, orders, await shop.rows("warehouse", "select * from stock"), shop.watcher.heard


def order_with(field: str, raw: str) -> bytes:
    return json.dumps(ORDER | {field: "RAW"}).replace('"RAW"', raw).encode()


async def test_share_that_is_none_is_refused(shop: Shop) -> None:
    await shop.set("warehouse", 7)
    for service in SERVICES:
        for mistakes in NO_MISTAKES:
            await refuse(shop, f"pivot-saga/{service}", "/set", b'{"mistakes":%s}' % mistakes.encode())
        for body in [*MALFORMED, b"{}", b'{"mistakes":1,"more":1}']:
            await refuse(shop, f"pivot-saga/{service}", "/set", body)


async def test_order_that_is_none_is_refused(shop: Shop) -> None:
    for body in [*MALFORMED, b"{}"]:
        await refuse(shop, "pivot-saga", "/neworder", body)
    for sum in NO_SUMS:
        await refuse(shop, "pivot-saga", "/neworder", order_with("sum", sum))
    for field in ("payment", "notification"):
        for code in ("0", "3", "-1", '"1"', "null", "1.5"):
            await refuse(shop, "pivot-saga", "/neworder", order_with(field, code))
    for field in ("created_at", "approved_at"):
        for time in NO_TIMES:
            await refuse(shop, "pivot-saga", "/neworder", order_with(field, json.dumps(time)))
    for user in ("-1", '"2"', "null", "1e30", "9" * 30):
        await refuse(shop, "pivot-saga", "/neworder", order_with("user_id", user))


async def test_items_that_are_none_are_refused(shop: Shop) -> None:
    for items in ("[]", "null", "{}", "[1]", "[{}]"):
        await refuse(shop, "pivot-saga", "/neworder", order_with("items", items))
    for price in NO_PRICES:
        await refuse(shop, "pivot-saga", "/neworder", order_with("items", _item("10", "1", price)))
    for count in ("0", "-1", "1.5", '"1"', "1000001", "NaN"):
        await refuse(shop, "pivot-saga", "/neworder", order_with("items", _item("10", count, "1")))
    for id in ("-1", '"10"', "1.5", "9" * 30):
        await refuse(shop, "pivot-saga", "/neworder", order_with("items", _item(id, "1", "1")))
    await refuse(shop, "pivot-saga", "/neworder", order_with("items", json.dumps(ORDER["items"] * 51)))


async def test_missing_field_is_refused(shop: Shop) -> None:
    for field in set(ORDER) - {"status", "detail"}:
        body = {name: value for name, value in ORDER.items() if name != field}
        await refuse(shop, "pivot-saga", "/neworder", json.dumps(body).encode())


async def test_unknown_order_is_404(shop: Shop) -> None:
    for id in ("0", "1", "-1", "9" * 30, "x"):
        answer: httpx.Response = await shop.clients["pivot-saga"].get(f"/order/{id}")
        assert answer.status_code == 404, answer.text
        assert answer.json()["detail"]


async def test_order_is_known_by_the_number_as_it_was_given_only(shop: Shop) -> None:
    placed = await shop.clients["pivot-saga"].post("/neworder", json=ORDER)
    await shop.runtime.settle()
    assert placed.json()["order_id"] == 1
    for id in ("01", "+1", "%201", "1%20", "%D9%A1", "1%00"):
        assert (await shop.clients["pivot-saga"].get(f"/order/{id}")).status_code == 404, id
    assert (await shop.clients["pivot-saga"].get("/order/1")).status_code == 200


async def test_text_with_nul_is_refused(shop: Shop) -> None:
    await refuse(shop, "pivot-saga", "/neworder", order_with("detail", r'"a\u0000b"'))


async def test_json_is_read_whatever_its_type_is_said_to_be(shop: Shop) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        headers = {"content-type": kind}
        answer = await shop.clients["pivot-saga"].post("/neworder", content=json.dumps(ORDER).encode(), headers=headers)
        assert answer.status_code == 200, answer.text


async def test_without_the_option_set_says_how_to_switch_it_on(tmp_path: Path) -> None:
    async with opened(tmp_path, VirtualRuntime(seed=1), faults=False) as shop:
        for service in SERVICES:
            answer = await shop.clients[f"pivot-saga/{service}"].post("/set", json={"mistakes": 100})
            assert answer.status_code == 404
            assert "--faults" in answer.json()["detail"]
        assert (await shop.order())["status"] == 3


def test_steps_are_the_sagas_own_so_that_set_hits_nobody_else() -> None:
    others = {step.name for saga in (*ALL, open_wallet) if saga is not place_with_pivot for step in saga.steps}
    assert not others & {RESERVE, PAY, SEND}


def _item(id: str, quantity: str, price: str) -> str:
    return f'[{{"item_id":{id},"quantity":{quantity},"price":{price}}}]'
