"""Whatever is wrong with a request: a 4xx that says so, and nothing is changed."""

import json
from typing import Any

import pytest

from tests.shop.storefronts.two_phase.conftest import Shop, wanted

NO_CHANGES = ["0", "1", "10", "-0", "-0.5", "-10.5", "-10.0", "-1e1", "-10000000001", "-1e300", "-" + "9" * 400]
NO_NUMBERS = ["NaN", "Infinity", "-Infinity", '"-10"', "true", "null", "[-1]", "{}", "-", "-1.", "0x1"]
NO_INTEGERS = ["1.5", "1e400", "9" * 400, *NO_NUMBERS]
NO_BALANCES = ["-1", "-0.5", "0.5", "10000000001", *NO_INTEGERS]
MALFORMED = [b"", b"null", b"[]", b"1", b'"x"', b"{", b'{"name":}', b"\xff\xfe", b"name=ann&balance=1", b"[" * 20_000]


async def refuse(shop: Shop, path: str, body: bytes) -> dict[str, Any]:
    """Posts the body; checks that it is refused and that nothing is changed."""
    answer = await shop.client.post(path, content=body)
    await shop.runtime.settle()
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    return problem


async def unchanged(shop: Shop, user: int) -> None:
    """Nothing was bought, and nobody came."""
    assert await shop.balance(user) == 110
    assert await shop.rooms_state() == (0, {}, {})
    assert await shop.rooms.orders.last_order("two-phase") is None
    assert (await shop.client.get(f"/user/{user + 1}")).status_code == 404


def purchase(field: str, number: str) -> bytes:
    return json.dumps(wanted(**{field: "HERE"})).replace('"HERE"', number).encode()


async def test_price_that_is_none_is_refused(shop: Shop) -> None:
    user = await shop.user()
    for number in (*NO_CHANGES, *NO_NUMBERS):
        await refuse(shop, f"/buy/user/{user}", purchase("balance_change", number))
    await unchanged(shop, user)


@pytest.mark.parametrize("field", ["warehouse_id", "delivery_hour"])
async def test_warehouse_or_hour_that_is_no_number_is_refused(shop: Shop, field: str) -> None:
    user = await shop.user()
    for number in NO_INTEGERS:
        await refuse(shop, f"/buy/user/{user}", purchase(field, number))
    await unchanged(shop, user)


async def test_start_balance_that_is_none_is_refused(shop: Shop) -> None:
    user = await shop.user()
    for number in NO_BALANCES:
        await refuse(shop, "/user", b'{"name":"bob","balance":%s}' % number.encode())
    await unchanged(shop, user)


async def test_text_that_is_none_is_refused(shop: Shop) -> None:
    user = await shop.user()
    for text in ['""', "1", "null", '"\\ud800"', '"\\u0000"', json.dumps("x" * 201)]:
        await refuse(shop, "/user", b'{"name":%s,"balance":1}' % text.encode())
        await refuse(shop, f"/buy/user/{user}", purchase("product_name", text))
    await unchanged(shop, user)


async def test_malformed_body_is_refused(shop: Shop) -> None:
    user = await shop.user()
    for body in MALFORMED:
        await refuse(shop, "/user", body)
        await refuse(shop, f"/buy/user/{user}", body)
    await unchanged(shop, user)


async def test_missing_and_unknown_fields_are_named(shop: Shop) -> None:
    user = await shop.user()
    for field in wanted():
        body = {name: value for name, value in wanted().items() if name != field}
        assert field in (await refuse(shop, f"/buy/user/{user}", json.dumps(body).encode()))["detail"]
    assert "admin" in (await refuse(shop, f"/buy/user/{user}", json.dumps(wanted(admin=1)).encode()))["detail"]
    for field in ("name", "balance"):
        body = {name: value for name, value in {"name": "bob", "balance": 1}.items() if name != field}
        assert field in (await refuse(shop, "/user", json.dumps(body).encode()))["detail"]
    await unchanged(shop, user)


@pytest.mark.parametrize("id", ["2", "0", "-1", "9" * 30, "1.5", "ann", "%00", "%FF", "1%2F2", ""])
async def test_unknown_user_is_a_4xx_that_says_so(shop: Shop, id: str) -> None:
    user = await shop.user()
    looked = await shop.client.get(f"/user/{id}")
    bought = await shop.client.post(f"/buy/user/{id}", json=wanted())
    for answer in (looked, bought):
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.json()["detail"]
    assert (bought.status_code == 404) is (id not in {"9" * 30, "-1", "0"})
    await unchanged(shop, user)


async def test_user_is_known_by_the_number_as_it_was_given_only(shop: Shop) -> None:
    user = await shop.user()
    for id in (f"0{user}", f"+{user}", f"%20{user}", f"{user}%20", f"{user}_0", "%D9%A1", f"{user}%00"):
        for answer in (await shop.client.get(f"/user/{id}"), await shop.client.post(f"/buy/user/{id}", json=wanted())):
            assert answer.status_code == 404, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
    await unchanged(shop, user)


async def test_user_of_another_storefront_is_unknown_here(shop: Shop) -> None:
    for _ in range(3):
        await shop.rooms.users.enroll("other", "ann", "")
    assert (await shop.ask(3)).status_code == 404
