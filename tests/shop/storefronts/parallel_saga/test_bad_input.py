"""Whatever is wrong with a request: a documented 4xx that says so, and nothing is changed."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.shop.storefronts.parallel_saga.conftest import LONG_AGO, NEXT_YEAR, ORDER, PHONE, UNKNOWN, OpenShop, Shop

SAGA = {"contents": [PHONE], "timeDelivery": NEXT_YEAR}
PAYMENT = {"orderId": UNKNOWN, "cost": 123.45, "status": "SUCCESS"}
ITEM = {"orderId": UNKNOWN, "item": "phone", "status": "RESERVED"}
DELIVERY = {"orderId": UNKNOWN, "timeDelivery": NEXT_YEAR, "status": "SCHEDULED"}
USER = {"name": "Maksim", "email": "sss@sss.ss"}
CREATING: dict[str, Any] = {
    "/order/order/saga": SAGA,
    "/order/order": ORDER,
    "/payment/payment": PAYMENT,
    "/warehouse/warehouse": [ITEM],
    "/delivery/delivery": DELIVERY,
    "/user/user": USER,
}
REPLACING: dict[str, Any] = {"order": ORDER, "payment": PAYMENT, "warehouse": ITEM, "delivery": DELIVERY}

MALFORMED = [b"", b"null", b"1", b'"x"', b"{", b'{"contents":}', b"\xff\xfe", b"name=ann", b"[" * 20_000, b"[1]", b"{}"]
NO_AMOUNTS = ["-1", "-0.01", "0", "0.001", "1.005", "0.30000000000000004", "1e-3", "1e300", "1e99999", "10000000000.01"]
NO_AMOUNTS += ["NaN", "Infinity", "-Infinity", "9" * 400, "1.", "0x1"]
NO_JSON_AMOUNTS = ['"1"', '"NaN"', "true", "null", "[1]", "{}", "+1"]
NO_COUNTS = ["0", "-1", "1000001", "1" + "0" * 400, "1.5", '"1"', "true", "null", "NaN"]
NO_TEXTS: list[Any] = ["", "x" * 201, "a\0b", "a\nb", "\n", "phone\n", 1, None, ["phone"], "\ud800"]
NO_TIMES: list[Any] = [
    "",
    "tomorrow",
    "2034-05-26",
    "2034-02-30T10:00:00",
    "2034-05-26T25:00:00",
    "2034-05-26T16:00:00\n",
]
NO_TIMES += ["2034-05-26T16:00:00Z", "2034-05-26 16:00:00", "0000-01-01T10:00:00", "٢٠٣٤-05-26T16:00:00"]
NO_TIMES += ["2034-05-26T16:00:00" * 1000, 1736330400, None]
NO_IDS = ["1", "x" * 36, "018f0000000070008000000000000000", f"{UNKNOWN}0", f"{UNKNOWN}%0A", "%00", "%FF", "x" * 5000]
READ = ["order/order", "payment/payment", "warehouse/warehouse", "delivery/delivery", "billing/billing"]
READ += ["notification/notification"]
MADE = {
    "orders": "select id from orders union all select id from papers",
    "payments": "select payment_id from payments union all select id from papers",
    "warehouse": "select sku from stock union all select id from papers",
    "delivery": "select slot from slots union all select id from papers",
    "users": "select id from customers",
    "billing": "select id from accounts where kind = 'wallet' and balance_minor <> 500",
}


@pytest.fixture
async def shop(open_shop: OpenShop) -> AsyncIterator[Shop]:
    async with open_shop() as opened:
        yield opened
        await opened.runtime.settle()
        for room, sql in MADE.items():
            assert await opened.rows(room, sql) == [], room
        assert await opened.broken() == []


async def refuse(shop: Shop, method: str, path: str, body: bytes = b"", status: int = 400) -> str:
    """Checks that it is refused with a message; that nothing is changed is checked at the end."""
    answer = await shop.client.request(method, path, content=body)
    assert answer.status_code == status, (method, path[:100], body[:100], answer.text)
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    assert detail
    return detail


def encoded(body: Any, **raw: str) -> bytes:
    """As JSON, with some fields as they are given."""
    text = json.dumps(body)
    for field, value in raw.items():
        text = text.replace(f'"{field}": {json.dumps(_found(body, field))}', f'"{field}": {value}')
    return text.encode()


def _found(body: Any, field: str) -> Any:
    if isinstance(body, list):
        return _found(body[0], field)
    return body[field] if field in body else _found(body["contents"], field)


@pytest.mark.parametrize("path", CREATING)
async def test_malformed_body_is_refused(shop: Shop, path: str) -> None:
    for body in MALFORMED:
        await refuse(shop, "POST", path, body)


@pytest.mark.parametrize("kind", REPLACING)
async def test_malformed_replacement_is_refused(shop: Shop, kind: str) -> None:
    for body in [*MALFORMED, encoded({**REPLACING[kind], "status": "DONE"})]:
        await refuse(shop, "PUT", f"/{kind}/{kind}/{UNKNOWN}", body)
    other = encoded({**REPLACING[kind], "id": "018f0000-0000-7000-8000-000000000001"})
    assert "id" in await refuse(shop, "PUT", f"/{kind}/{kind}/{UNKNOWN}", other)
    await refuse(shop, "PUT", f"/{kind}/{kind}/{UNKNOWN}", encoded(REPLACING[kind]), 404)


async def test_price_that_is_no_amount_is_refused(shop: Shop) -> None:
    for number in NO_AMOUNTS + NO_JSON_AMOUNTS:
        await refuse(shop, "POST", "/order/order/saga", encoded(SAGA, price=number))
        await refuse(shop, "POST", "/order/order", encoded(ORDER, price=number))
        await refuse(shop, "POST", "/payment/payment", encoded(PAYMENT, cost=number))


async def test_total_that_is_too_large_is_refused(shop: Shop) -> None:
    lines = [PHONE | {"amount": 1_000_000, "price": 10**10}] * 100
    assert "total" in await refuse(shop, "POST", "/order/order/saga", encoded(SAGA | {"contents": lines}))


async def test_count_that_is_none_is_refused(shop: Shop) -> None:
    for number in NO_COUNTS:
        await refuse(shop, "POST", "/order/order/saga", encoded(SAGA, amount=number))
        await refuse(shop, "POST", "/order/order", encoded(ORDER, amount=number))


async def test_no_items_or_too_many_are_refused(shop: Shop) -> None:
    for lines in ([], [PHONE] * 101, None, {}, PHONE):
        await refuse(shop, "POST", "/order/order/saga", encoded(SAGA | {"contents": lines}))
        await refuse(shop, "POST", "/order/order", encoded(ORDER | {"contents": lines}))
    for items in ([], [ITEM] * 101, ITEM):
        await refuse(shop, "POST", "/warehouse/warehouse", encoded(items))


async def test_text_that_is_none_is_refused(shop: Shop) -> None:
    for text in NO_TEXTS:
        value = json.dumps(text)
        await refuse(shop, "POST", "/order/order/saga", encoded(SAGA, item=value))
        await refuse(shop, "POST", "/order/order", encoded(ORDER, item=value))
        await refuse(shop, "POST", "/warehouse/warehouse", encoded([ITEM], item=value))
        await refuse(shop, "POST", "/user/user", encoded(USER, name=value))
        await refuse(shop, "POST", "/user/user", encoded(USER, email=value))


async def test_email_that_is_none_is_refused(shop: Shop) -> None:
    for email in ("sss", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\0", f"a@{'b' * 254}"):
        await refuse(shop, "POST", "/user/user", encoded(USER | {"email": email}))


async def test_time_that_is_none_is_refused(shop: Shop) -> None:
    for time in NO_TIMES:
        await refuse(shop, "POST", "/order/order/saga", encoded(SAGA | {"timeDelivery": time}))
        await refuse(shop, "POST", "/delivery/delivery", encoded(DELIVERY | {"timeDelivery": time}))


async def test_delivery_in_the_past_is_417(shop: Shop) -> None:
    for time in (LONG_AGO, "2033-05-18T03:33:20", "1000-01-01T00:00"):
        late = encoded(DELIVERY | {"timeDelivery": time})
        assert time in await refuse(shop, "POST", "/delivery/delivery", late, 417)
        await refuse(shop, "PUT", f"/delivery/delivery/{UNKNOWN}", late, 417)


async def test_status_that_is_no_word_of_the_dialect_is_refused(shop: Shop) -> None:
    for status in ("DONE", "success", "", None, 1, "SUCCESS "):
        for path in ("/order/order", "/payment/payment", "/delivery/delivery"):
            await refuse(shop, "POST", path, encoded(CREATING[path] | {"status": status}))
        await refuse(shop, "POST", "/warehouse/warehouse", encoded([ITEM | {"status": status}]))


async def test_order_id_that_is_none_is_refused(shop: Shop) -> None:
    for id in ("", "1", "x" * 36, f"{UNKNOWN}\n", None, 7):
        for path in ("/payment/payment", "/delivery/delivery"):
            await refuse(shop, "POST", path, encoded(CREATING[path] | {"orderId": id}))
        await refuse(shop, "POST", "/warehouse/warehouse", encoded([ITEM | {"orderId": id}]))


@pytest.mark.parametrize("path", CREATING)
async def test_missing_and_unknown_fields_are_named(shop: Shop, path: str) -> None:
    whole = CREATING[path]
    one = whole[0] if isinstance(whole, list) else whole
    for field in one:
        less: Any = {name: value for name, value in one.items() if name != field}
        assert field in await refuse(shop, "POST", path, encoded([less] if isinstance(whole, list) else less))
    more: Any = one | {"paid": True}
    assert "paid" in await refuse(shop, "POST", path, encoded([more] if isinstance(whole, list) else more))


async def test_id_of_ones_own_is_refused(shop: Shop) -> None:
    for path in ("/order/order", "/payment/payment", "/delivery/delivery"):
        await refuse(shop, "POST", path, encoded(CREATING[path] | {"id": UNKNOWN}))


@pytest.mark.parametrize("path", READ)
async def test_id_that_is_none_or_unknown_is_refused(shop: Shop, path: str) -> None:
    methods = ["GET", "DELETE"] if path in READ[:4] else ["GET"]
    for method in methods:
        for id in NO_IDS:
            await refuse(shop, method, f"/{path}/{id}")
        for id in (UNKNOWN, UNKNOWN.upper(), "00000000-0000-8000-8000-000000000000", "f" * 8 + UNKNOWN[8:]):
            await refuse(shop, method, f"/{path}/{id}", status=404)
        for id in ("00000000-0000-8000-8000-000000000001", "ffffffff-0000-8000-8000-ffffffffffff"):
            await refuse(shop, method, f"/{path}/{id}", status=404)


async def test_sum_that_is_no_amount_is_refused(shop: Shop) -> None:
    for number in [*NO_AMOUNTS, "abc", "1,5", "%00", "%FF", "1e", "--1", "١٠", " 1", "1 ", "1\n", "01", "+1"]:
        for path in ("/billing/billing/refill", "/billing/billing"):
            await refuse(shop, "PUT", f"{path}/{UNKNOWN}/{quote(number, safe='%')}")


async def test_sum_of_an_unknown_wallet_is_404(shop: Shop) -> None:
    for path in ("/billing/billing/refill", "/billing/billing"):
        await refuse(shop, "PUT", f"{path}/{UNKNOWN}/1", status=404)
        await refuse(shop, "PUT", f"{path}/external/1")


async def test_body_over_64_kib_is_413(shop: Shop) -> None:
    for path, body in CREATING.items():
        await refuse(shop, "POST", path, encoded(body).ljust(64 * 1024 + 1), 413)
