"""Whatever is wrong with a request: a 4xx that says so, and nothing is changed."""

import json
from itertools import product
from typing import Any

import pytest

from tests.shop.storefronts.idempotent_orders.conftest import ANN, TWO, Client, Shop

MALFORMED = [b"", b"null", b"[]", b"1", b'"x"', b"{", b'{"items":}', b"\xff\xfe", b"a=1&b=2", b"[" * 20_000]
MALFORMED += [b'{"items":' * 5_000, b'{"a":' * 10_000 + b"1" + b"}" * 10_000]
NO_NUMBERS = ["-1", "0", "1.5", "1e400", "NaN", "Infinity", "-Infinity", '"1"', "true", "null", "[1]", "{}", "9" * 400]
TOO_MANY = "1000000000001"
NO_KEYS = ["", " ", "\x7f", "x" * 256, "k\x7f"]


async def state(shop: Shop, ann: Client) -> Any:
    """What must not change."""
    counted = [await shop.rows(room, f"select count(*) from {table}") for room, table in TABLES]
    return await ann.transactions(), counted


TABLES = [("orders", "orders"), ("users", "users"), ("users", "customers"), ("billing", "transfers")]
TABLES += [("orders", "idempotency_keys")]


async def refuse(shop: Shop, ann: Client, path: str, body: bytes, key: str = "k") -> dict[str, Any]:
    """Posts the body; checks that it is refused and that nothing is changed."""
    before = await state(shop, ann)
    answer = await ann.ask("POST", path, body, X_Idempotency_Key=key)
    await shop.runtime.settle()
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await state(shop, ann) == before
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    return problem


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


def transaction(ann: Client, **changed: Any) -> dict[str, Any]:
    return {"account_id": ann.id, "type": "charge", "amount": 1, "currency": "USD"} | changed


def with_number(body: dict[str, Any], number: str) -> bytes:
    """The body with a number as it is written in place of "N"."""
    return encoded(body).replace(b'"N"', number.encode())


async def test_malformed_body_is_refused(shop: Shop, ann: Client) -> None:
    for path, body in product(["/register/", "/balance_transactions/", "/orders/"], MALFORMED):
        await refuse(shop, ann, path, body)


async def test_amount_that_is_none_is_refused(shop: Shop, ann: Client) -> None:
    for number, type in product([*NO_NUMBERS, TOO_MANY], ["charge", "payment", "payment_refund"]):
        await refuse(shop, ann, "/balance_transactions/", with_number(transaction(ann, type=type, amount="N"), number))


async def test_account_id_that_is_none_is_refused(shop: Shop, ann: Client) -> None:
    for number in NO_NUMBERS:
        await refuse(shop, ann, "/balance_transactions/", with_number(transaction(ann, account_id="N"), number))


async def test_item_that_is_none_is_refused(shop: Shop, ann: Client) -> None:
    for number, field in product(NO_NUMBERS, ["product_id", "quantity"]):
        item = {"product_id": 1, "quantity": 1} | {field: "N"}
        await refuse(shop, ann, "/orders/", with_number({"items": [item]}, number))
    for count in (1_000_001, 2**63, 2**64):
        await refuse(shop, ann, "/orders/", encoded({"items": [{"product_id": 1, "quantity": count}]}))


async def test_no_items_or_too_many_are_refused(shop: Shop, ann: Client) -> None:
    wrong: list[Any] = [[], [TWO["items"][0]] * 101, None, {}, "x", [None], [[]]]
    for items in wrong:
        await refuse(shop, ann, "/orders/", encoded({"items": items}))


async def test_type_or_currency_that_is_none_is_refused(shop: Shop, ann: Client) -> None:
    for field, values in {
        "type": ["", "Charge", "refund", None, 1],
        "currency": ["", "usd", "US", "USDT", "USD\n", "EUR", None, 840],
    }.items():
        for value in values:
            await refuse(shop, ann, "/balance_transactions/", encoded(transaction(ann, **{field: value})))


@pytest.mark.parametrize("field", ["account_id", "type", "amount", "currency"])
async def test_missing_field_of_a_transaction_is_named(shop: Shop, ann: Client, field: str) -> None:
    body = transaction(ann)
    del body[field]
    assert field in (await refuse(shop, ann, "/balance_transactions/", encoded(body)))["detail"]


async def test_unknown_field_is_named(shop: Shop, ann: Client) -> None:
    wrong = {
        "/register/": {**ANN, "email": "bob@example.org", "admin": True},
        "/balance_transactions/": transaction(ann, admin=True),
        "/orders/": {**TWO, "admin": True},
    }
    for path, body in wrong.items():
        assert "admin" in (await refuse(shop, ann, path, encoded(body)))["detail"]
    priced = {"items": [{"product_id": 1, "quantity": 1, "unit_price": 1}]}
    assert "unit_price" in (await refuse(shop, ann, "/orders/", encoded(priced)))["detail"]


async def test_user_that_is_none_is_refused(shop: Shop, ann: Client) -> None:
    wrong: dict[str, list[Any]] = {
        "email": ["", "bob", "@", "a@b@c", "a b@c", "a@b\n", "a\u0000@b", "x" * 260 + "@y", None, 1],
        "phone": ["\u0000", "x" * 51, None, 7],
        "first_name": ["", "\u0000", "\n", "x" * 50, None, 1],
        "last_name": ["", "\u0000", "x" * 50, None],
        "password": ["", "x" * 201, None, 123456],
    }
    for field, values in wrong.items():
        for value in values:
            body = {**ANN, "email": "bob@example.org", field: value}
            await refuse(shop, ann, "/register/", encoded(body))
    await refuse(shop, ann, "/register/", encoded(ANN).replace(b'"Ann"', b'"\\ud800"'))


async def test_order_without_a_good_key_is_400(shop: Shop, ann: Client) -> None:
    before = await state(shop, ann)
    missing = await ann.ask("POST", "/orders/", TWO)
    assert (missing.status_code, missing.json()["type"]) == (400, "/problems/bad-request")
    assert "X-Idempotency-Key" in missing.text
    for key in NO_KEYS:
        assert (await ann.ask("POST", "/orders/", TWO, X_Idempotency_Key=key)).status_code == 400, key
    assert await state(shop, ann) == before


async def test_body_over_64_kib_is_413(shop: Shop, ann: Client) -> None:
    bodies: dict[str, dict[str, Any]] = {"/orders/": TWO, "/register/": {**ANN, "email": "bob@example.org"}}
    for path, body in {**bodies, "/balance_transactions/": transaction(ann)}.items():
        padded = encoded(body) + b" " * (64 * 1024 + 1 - len(encoded(body)))
        assert (await refuse(shop, ann, path, padded))["status"] == 413


async def test_largest_order_has_its_price_or_is_cancelled(shop: Shop, ann: Client) -> None:
    most = {"items": [{"product_id": 2**53 - 1, "quantity": 1_000_000}] * 100}
    answer = await ann.order("most", most)
    assert (answer.status_code, answer.json()["status"]) == (201, "cancelled")
    assert await shop.broken() == []


async def test_list_is_asked_for_in_bounds(ann: Client) -> None:
    for query in ("limit=0", "limit=101", "limit=x", "before=0", "before=x", f"before={2**63}"):
        assert (await ann.ask("GET", f"/balance_transactions/?{query}")).status_code == 400
