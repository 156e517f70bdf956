"""Whatever is wrong with a request: a 4xx that says so, and nothing is changed."""

import json
from itertools import product
from typing import Any

from tests.shop.storefronts.conftest import Shop, wanted

NO_AMOUNTS = ["-1", "-0.01", "0", "0.001", "1.005", "0.30000000000000004", "1e-3", "1e300", "1e99999", "10000000000.01"]
NO_AMOUNTS += [
    "NaN",
    "Infinity",
    "-Infinity",
    '"1"',
    '"NaN"',
    "true",
    "null",
    "[1]",
    "{}",
    "9" * 400,
    "1.",
    "+1",
    "0x1",
]
NO_COUNTS = [-1, 10**13, 10**400, 1.5, "1", True, None, [1]]
NO_QUANTITIES = [0, -1, 1_000_001, 10**400, 1.5, "1", True, None]
NO_TIMES = [
    "",
    "tomorrow",
    "2025-01-08",
    "2025-02-30 10:00:00",
    "2025-01-08 25:00:00",
    "2025-01-08 10:00",
    "2025-01-08 10:00:00\n",
    "2025-01-08 10:00:00Z",
    "2025-01-08 10:00:00.5",
    "0000-01-01 10:00:00",
    "2025-01-08 10:00:00" * 1000,
    "٢٠٢٥-01-08 10:00:00",
    1736330400,
    None,
]
MALFORMED = [b"", b"null", b"[]", b"1", b'"x"', b"{", b'{"login":}', b"\xff\xfe", b"login=ann&balance=1", b"[" * 20_000]


async def refuse(shop: Shop, path: str, body: bytes) -> dict[str, Any]:
    """Posts the body; checks that it is refused and that nothing is changed."""
    before = await shop.state("ann")
    answer = await shop.client.post(path, content=body)
    await shop.runtime.settle()
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert await shop.state("ann") == before
    assert (await shop.client.get("/orders/last")).status_code == 404
    problem: dict[str, Any] = answer.json()
    assert problem["detail"]
    return problem


def encoded(body: dict[str, Any]) -> bytes:
    return json.dumps(body).encode()


async def test_amount_that_is_none_is_refused(shop: Shop) -> None:
    for number in NO_AMOUNTS:
        await refuse(shop, "/billing/refill", b'{"login":"ann","balance":%s}' % number.encode())
        order = encoded(wanted("ann", amount="AMOUNT")).replace(b'"AMOUNT"', number.encode())
        await refuse(shop, "/orders/", order)


async def test_malformed_body_is_refused(shop: Shop) -> None:
    for path, body in product(["/billing/refill", "/stock/register", "/orders/"], MALFORMED):
        await refuse(shop, path, body)


async def test_stock_that_is_no_count_is_refused(shop: Shop) -> None:
    for count in NO_COUNTS:
        await refuse(shop, "/stock/register", encoded({"description": "pear", "quantity": count}))


async def test_quantity_that_is_none_is_refused(shop: Shop) -> None:
    for quantity in NO_QUANTITIES:
        await refuse(shop, "/orders/", encoded(wanted("ann", quntity=quantity)))


async def test_time_that_is_none_is_refused(shop: Shop) -> None:
    for dtime in NO_TIMES:
        await refuse(shop, "/orders/", encoded(wanted("ann", dtime=dtime)))


async def test_missing_field_is_named(shop: Shop) -> None:
    for field in ["login", "e_mail", "id_product", "quntity", "amount", "dtime"]:
        order = wanted("ann")
        del order[field]
        assert field in (await refuse(shop, "/orders/", encoded(order)))["detail"]


async def test_unknown_field_is_named(shop: Shop) -> None:
    assert "status" in (await refuse(shop, "/orders/", encoded(wanted("ann", status="Delivery Succes"))))["detail"]


async def test_unknown_product_is_404(shop: Shop) -> None:
    for id_product in [0, 2, -1, 10**30]:
        assert (await refuse(shop, "/orders/", encoded(wanted("ann", id_product=id_product))))["status"] == 404


async def test_unknown_login_is_404(shop: Shop) -> None:
    for login in ["bob", "", "Ann", "ann ", "queue-saga/ann", "x" * 10_000]:
        assert (await refuse(shop, "/orders/", encoded(wanted(login))))["status"] == 404
        assert (await refuse(shop, "/billing/refill", encoded({"login": login, "balance": 1})))["status"] == 404


async def test_lone_surrogate_is_refused(shop: Shop) -> None:
    await refuse(shop, "/billing/refill", b'{"login":"\\ud800","balance":1}')
    await refuse(shop, "/stock/register", b'{"description":"\\ud800","quantity":1}')


async def test_account_of_an_unknown_login_is_404(shop: Shop) -> None:
    for path in ["/billing/account/bob", "/billing/account/%FF", "/billing/account/"]:
        answer = await shop.client.get(path)
        assert answer.status_code == 404
        assert answer.json()["detail"]


async def test_login_that_is_none_is_not_registered(shop: Shop) -> None:
    for query in ["", "?login=", "?name=bob", "?login=a%2Fb", "?login=a%00", "?login=%0A", "?login=" + "x" * 101]:
        assert (await refuse(shop, f"/billing/register{query}", b""))["status"] == 400


async def test_body_over_64_kib_is_413(shop: Shop) -> None:
    order = encoded(wanted("ann"))
    order += b" " * (64 * 1024 + 1 - len(order))
    assert (await refuse(shop, "/orders/", order))["status"] == 413


async def test_invalid_utf8_login_breaks_nothing(shop: Shop) -> None:
    answer = await shop.client.post("/billing/register?login=%FF%FE")
    assert answer.status_code < 500
