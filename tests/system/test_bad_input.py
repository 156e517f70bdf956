"""Whatever is wrong with a request, on any edge of the real shop: the documented 4xx, and nothing has changed."""

import json
from typing import Any

import pytest

from tests.system.people import Document, order_of
from tests.system.scene import SLOT, Scene, ask, connection_to, send
from tests.system.wire import LOST

MOST = 64 * 1024
LONG = "x" * 5_000
DEEP = b"[" * 20_000 + b"]" * 20_000
pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.usefixtures("nothing_changes")]


ORDER = order_of("lamp", SLOT)
PEAR = {"login": "ann", "e_mail": "a@b.c", "id_product": 1, "quntity": 1, "amount": 1, "dtime": "2034-08-01 08:00:00"}
GOOD: dict[str, Document] = {
    "/api/users": {"email": "eve@shop.example", "name": "Eve", "password": "secret-secret"},
    "/api/sessions": {"email": "buyer0@shop.example", "password": "correct-horse"},
    "/api/wallet/deposits": {"amount_minor": 5},
    "/api/orders": ORDER,
    "/ops/products/lamp": {"title": "Lamp", "price_minor": 1, "on_hand": 1},
    f"/ops/slots/{SLOT}": {"couriers": 5},
    "/ops/wallets/ANN/deposits": {"amount_minor": 5},
    "/ops/sagas/ORDER/retry": {"reason": "because", "actor": "me"},
    "/ops/sagas/ORDER/skip": {"reason": "because", "actor": "me"},
    "/ops/sagas/ORDER/resolve": {"reason": "because", "actor": "me"},
    "/billing/refill": {"login": "ann", "balance": 5},
    "/stock/register": {"description": "pear", "quantity": 5},
    "/orders/": PEAR,
}
PATHS = list(GOOD)
ILL_FORMED = {
    "nothing": b"",
    "cut off": b'{"items":[{"sku"',
    "not JSON": b"amount=5",
    "an array": b"[]",
    "null": b"null",
    "a text": b'"lamp"',
    "no fields": b"{}",
    "not UTF-8": b'{"\xff\xfe": 1}',
    "deep": DEEP,
    "deep inside": b'{"x":' + DEEP + b"}",
    "two documents": b"{}{}",
    "NaN": b"NaN",
}


@pytest.mark.parametrize("raw", ILL_FORMED.values(), ids=ILL_FORMED.keys())
@pytest.mark.parametrize("path", PATHS)
async def test_ill_formed_body_is_refused(scene: Scene, path: str, raw: bytes) -> None:
    answer = await ask(scene, path, raw)
    assert (answer.status, answer.problem) == (400, "bad-request")


WRONG: dict[str, list[Any]] = {
    "a number": [None, True, "5", [], {}, -1, 1.5, 10**13, 10**400, float("nan"), float("inf"), -float("inf")],
    "a text": [None, True, 5, [], {}, LONG],
    "a list": [None, 5, "lamp", {}, [], [5], [{}], [{"sku": "lamp", "quantity": 0}], [{"sku": "lamp"}]],
}


def wrong_values(field: str, good: object) -> list[Any]:
    if field in ("balance", "amount"):
        return [*(each for each in WRONG["a number"] if each != 1.5), 0, 0.001, 1.005, 10**11]
    if isinstance(good, list):
        items = [{"sku": "lamp", "quantity": each} for each in (-1, 10**9, "1", 1.5, None)]
        more = [{"sku": LONG, "quantity": 1}, {"sku": 5, "quantity": 1}, {"sku": "lamp", "quantity": 1, "price": 1}]
        return [*WRONG["a list"], *([each] for each in [*items, *more]), [{"sku": "lamp", "quantity": 1}] * 101]
    return WRONG["a text"] if isinstance(good, str) else WRONG["a number"]


ALLOWED = {("/api/sessions", "email"): {400, 401}, ("/api/sessions", "password"): {400, 401}} | {
    named: {400, 404} for named in (("/billing/refill", "login"), ("/orders/", "login"), ("/orders/", "id_product"))
}
CASES = [(path, field) for path, body in GOOD.items() for field in body]


@pytest.mark.parametrize(("path", "field"), CASES, ids=[f"{path}-{field}" for path, field in CASES])
async def test_wrong_value_of_a_field_is_refused(scene: Scene, path: str, field: str) -> None:
    for value in wrong_values(field, GOOD[path][field]):
        answer = await ask(scene, path, json.dumps(GOOD[path] | {field: value}).encode())
        assert answer.status in ALLOWED.get((path, field), {400}), (str(value)[:60], answer)
        assert answer.problem


@pytest.mark.parametrize("path", PATHS)
async def test_unknown_and_missing_fields_are_refused(scene: Scene, path: str) -> None:
    unknown = await ask(scene, path, json.dumps(GOOD[path] | {"price_minor_": 1}).encode())
    assert (unknown.status, unknown.problem) == (400, "bad-request")
    assert "price_minor_" in unknown.json()["detail"]
    for field in GOOD[path]:
        if field != "pay_with":
            less = {name: value for name, value in GOOD[path].items() if name != field}
            missing = await ask(scene, path, json.dumps(less).encode())
            assert (missing.status, missing.problem) == (400, "bad-request"), field


async def test_order_that_cannot_be_is_refused(scene: Scene) -> None:
    for change in (
        {"slot": "tomorrow"},
        {"slot": "2034-08-01T08:00:00"},
        {"slot": ""},
        {"pay_with": "gold"},
        {"pay_with": "card:4242"},
        {"pay_with": "card:４２４２４２４２４２４２４２４２"},
        {"total_minor": 1},
        {"user_id": "bob"},
        {"status": "approved"},
    ):
        answer = await ask(scene, "/api/orders", json.dumps(ORDER | change).encode())
        assert (answer.status, answer.problem) in ((400, "bad-request"), (400, "bad-payment")), change


async def test_unknown_things_are_refused(scene: Scene) -> None:
    answer = await ask(scene, "/api/orders", json.dumps(order_of("ghost", SLOT)).encode(), key="ghost")
    assert (answer.status, answer.problem) == (422, "unknown-product")
    for path, body, status in (
        ("/orders/", PEAR | {"id_product": 99}, 404),
        ("/orders/", PEAR | {"login": "ghost"}, 404),
        ("/billing/refill", {"login": "ghost", "balance": 5}, 404),
        ("/ops/wallets/ghost/deposits", {"amount_minor": 5}, 404),
        ("/ops/sagas/ghost/retry", {"reason": "because", "actor": "me"}, 404),
        ("/ops/sagas/ORDER/retry", {"reason": "because", "actor": "me"}, 409),
    ):
        answer = await ask(scene, path, json.dumps(body).encode(), key="ghost")
        assert (answer.status, bool(answer.problem)) == (status, True), path


@pytest.mark.parametrize("path", PATHS)
async def test_body_larger_than_64_kib_is_refused(scene: Scene, path: str) -> None:
    raw = json.dumps(GOOD[path]).encode()
    answer = await ask(scene, path, raw + b" " * (MOST + 1 - len(raw)))
    assert (answer.status, answer.problem) == (413, "body-too-large")


@pytest.mark.parametrize("path", PATHS)
async def test_chunked_body_larger_than_64_kib_is_refused(scene: Scene, path: str) -> None:
    chunks = b"".join(b"1000\r\n" + b" " * 0x1000 + b"\r\n" for _ in range(17)) + b"0\r\n\r\n"
    answer = await send(scene, path, {"Transfer-Encoding": "chunked", "Idempotency-Key": "bad"}, chunks)
    assert (answer.status, answer.problem) == (413, "body-too-large")


@pytest.mark.parametrize("path", PATHS)
async def test_announced_length_over_64_kib_is_refused_without_its_body(scene: Scene, path: str) -> None:
    answer = await send(
        scene, path, {"Content-Length": str(10**12), "Idempotency-Key": "bad"}, b"{" + b" " * MOST + b" "
    )
    assert (answer.status, answer.problem) == (413, "body-too-large")


@pytest.mark.parametrize("path", ["/api/orders", "/api/wallet/deposits", "/orders/"])
async def test_body_shorter_than_announced_changes_nothing(scene: Scene, path: str) -> None:
    raw = json.dumps(GOOD[path]).encode()
    connection = connection_to(scene, path)
    head = connection.head("POST", path, {"Content-Length": str(len(raw) + 10), "Idempotency-Key": "bad"})
    with pytest.raises(LOST):
        await connection.send(head + raw, patience_s=0.3)


@pytest.mark.parametrize("path", ["/api/orders", "/api/wallet/deposits", "/orders/"])
async def test_body_longer_than_announced_is_cut_and_refused(scene: Scene, path: str) -> None:
    raw = json.dumps(GOOD[path]).encode()
    headers = {"Content-Length": str(len(raw) - 10), "Idempotency-Key": "bad"}
    assert (await send(scene, path, headers, raw)).status == 400


@pytest.mark.parametrize("path", ["/api/orders", "/api/wallet/deposits", "/orders/"])
async def test_two_lengths_are_refused(scene: Scene, path: str) -> None:
    raw = json.dumps(GOOD[path]).encode()
    both = {"Content-Length": str(len(raw)), "Transfer-Encoding": "chunked", "Idempotency-Key": "bad"}
    assert (await send(scene, path, both, raw)).status == 400
    other = {"Content-Length": str(len(raw)), "content-length": str(len(raw) + 1), "Idempotency-Key": "bad"}
    assert (await send(scene, path, other, raw + b" ")).status == 400
