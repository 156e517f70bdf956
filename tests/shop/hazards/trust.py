"""Scenarios of what a request may decide, whose things it may touch, and how much it may bring, ask and get."""

import asyncio
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from shop.web import MOST_BODY_BYTES, Rates
from tests.shop.hazards.keys import DEPOSITS
from tests.shop.hazards.scene import ORDER, PRICE_MINOR, SLOT, Member, Scene, open_shop

ITEM = {"sku": "apple", "quantity": 1}
JOINING = {"email": "eve@example.com", "name": "Eve", "password": "correct horse"}
UNKNOWN_FIELDS: list[tuple[str, dict[str, Any], str]] = [
    ("/api/orders", ORDER | {"total_minor": 1}, "total_minor"),
    ("/api/orders", ORDER | {"items": [ITEM | {"price_minor": 1}]}, "price_minor"),
    ("/api/orders", ORDER | {"user_id": "somebody"}, "user_id"),
    ("/api/orders", ORDER | {"status": "approved"}, "status"),
    (DEPOSITS, {"amount_minor": 5, "wallet_id": "somebody"}, "wallet_id"),
    (DEPOSITS, {"amount_minor": 5, "balance_minor": 10**9}, "balance_minor"),
    ("/api/users", JOINING | {"role": "operator"}, "role"),
    ("/api/users", JOINING | {"id": "somebody"}, "id"),
    ("/api/sessions", {"email": "eve@example.com", "password": "correct horse", "role": "operator"}, "role"),
]
OPERATORS: list[tuple[str, str, Any]] = [
    ("PUT", "/ops/products/apple", {"title": "Apple", "price_minor": 1, "on_hand": 1000}),
    ("PUT", f"/ops/slots/{SLOT}", {"couriers": 5}),
    ("POST", "/ops/wallets/ANN/deposits", {"amount_minor": 5}),
    ("GET", "/ops/sagas", None),
    ("GET", "/ops/check", None),
]
LISTS = ["/api/orders", "/api/wallet/entries", "/api/products", "/api/slots?day=2034-05-26"]
PER_S, BURST = 0.001, 8


async def unknown_fields_are_refused(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        for number, (path, body, field) in enumerate(UNKNOWN_FIELDS):
            answer = await ann.post(path, body, f"k{number}")
            assert answer.status_code == 400, f"{path} lets {field} in: {answer.status_code}"
            assert field in answer.json()["detail"], f"{path} doesn't say that it is about {field}"
        priced = {"title": "Apple", "price_minor": 1, "on_hand": 1, "sold": 1}
        assert (await scene.operate("PUT", "/ops/products/apple", priced)).status_code == 400, (
            "the operator's lets sold in"
        )
        assert (await ann.orders(), await ann.balance_minor()) == ([], 0), "a refused request has done something"


async def prices_and_totals_come_from_the_server(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        await ann.order("1", ORDER | {"total_minor": 1})
        await ann.order("2", ORDER | {"items": [ITEM | {"price_minor": 1}]})
        await ann.order("3")
        totals = {order["total_minor"] for order in await ann.orders()}
        assert totals == {PRICE_MINOR}, f"a buyer has named the price: {totals}"


async def owners_come_from_the_token(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann, bob = await scene.join("ann"), await scene.join("bob")
        await bob.order("1", ORDER | {"user_id": ann.id})
        await bob.order("2")
        assert await ann.orders() == [], "an order was placed for somebody else"
        assert {order["total_minor"] for order in await bob.orders()} == {PRICE_MINOR}, "bob's own order is gone"


async def states_come_from_the_saga(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        await ann.order("1", ORDER | {"status": "approved"}, prefer="wait=5")
        await ann.order("2", prefer="wait=5")
        states = {(order["status"], order["reason"]) for order in await ann.orders()}
        assert states == {("rejected", "insufficient-funds")}, f"a buyer has named the state: {states}"


async def members_are_no_operators(folder: Path) -> None:
    """The operator's edge has a token of its own; nothing that a user can have or say makes an operator."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        for method, path, body in OPERATORS:
            answer = await scene.operate(method, path.replace("ANN", ann.id), body, token=ann.token)
            assert answer.status_code == 401, f"a user is an operator: {method} {path} {answer.status_code}"
        assert await ann.balance_minor() == 0, "a user has made money"


async def order_of_another_looks_like_none(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann, bob = await scene.join("ann"), await scene.join("bob")
        await ann.post(DEPOSITS, {"amount_minor": 500})
        order_id = (await ann.order(prefer="wait=5")).json()["id"]
        for way in ("", "/events", "/cancel"):
            for id in (order_id, "no-such-order"):
                path = f"/api/orders/{id}{way}"
                answer = await (bob.post(path) if way == "/cancel" else bob.get(path))
                problem = answer.status_code, "no-such-order" in answer.json().get("type", "")
                assert problem == (404, True), f"{way or 'the order'}: another's isn't 404: {answer.status_code}"
        assert await bob.orders() == [], "another's order is listed"
        assert (await ann.orders())[0]["status"] == "approved", "another's order was cancelled"


async def bodies_are_bounded(folder: Path) -> None:
    """Both ways in, the hot route and the framework; a body of unknown length isn't read to its end."""
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        for number, (path, body) in enumerate((("/api/orders", ORDER), (DEPOSITS, {"amount_minor": 5}))):
            fits = filled(body, MOST_BODY_BYTES)
            assert (await ann.post(path, fits, f"fits{number}")).is_success, f"{path}: what fits is refused"
            answer = await ann.post(path, fits + b" ", f"large{number}")
            assert answer.status_code == 413, f"{path}: 64 KiB and a byte are let in: {answer.status_code}"
            for length in ("content-length: 1000000000", "transfer-encoding: chunked"):
                status = await first_line(scene, ann, path, length)
                assert b"413" in status, f"{path}, {length}: the body is read to its end: {status!r}"


def filled(body: object, size: int) -> bytes:
    """The same JSON, this long."""
    text = json.dumps(body).encode()
    return text[:-1] + b" " * (size - len(text)) + text[-1:]


async def first_line(scene: Scene, member: Member, path: str, length: str) -> bytes:
    """What is answered to 64 KiB and a byte of a body that goes on; empty when nothing comes within 10 s."""
    address = urlsplit(scene.shop.addresses["api"])
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    named = "".join(f"{name}: {value}\r\n" for name, value in member.headers("endless").items())
    writer.write(f"POST {path} HTTP/1.1\r\nhost: shop\r\n{named}{length}\r\n\r\n".encode())
    body = b" " * (MOST_BODY_BYTES + 1)
    writer.write(b"%x\r\n%s\r\n" % (len(body), body) if "chunked" in length else body)
    try:
        async with asyncio.timeout(10):
            return await reader.readline()
    except TimeoutError:
        return b""
    finally:
        writer.close()


async def pages_have_a_bound(folder: Path) -> None:
    async with open_shop(folder) as scene:
        ann = await scene.join("ann")
        for path in LISTS:
            query = f"{path}{'&' if '?' in path else '?'}limit="
            answer = await ann.get(f"{query}100")
            assert answer.status_code == 200, f"{path}: 100 are refused: {answer.text}"
            refused = await ann.get(f"{query}101")
            assert refused.status_code == 400, f"{path}: a page of 101 was given"
        assert (await scene.operate("GET", "/ops/sagas?limit=101", None)).status_code == 400, "sagas: a page of 101"


async def each_principal_has_a_rate(folder: Path) -> None:
    """Whoever asks too often has to wait; others don't. The gate and the counter count together."""
    async with open_shop(folder, Rates(PER_S, BURST)) as scene:
        ann, bob, eve = [await scene.join(name) for name in ("ann", "bob", "eve")]
        asked = [(await ann.get("/api/wallet")).status_code for _ in range(BURST + 2)]
        assert asked[-1] == 429, f"the gate counts nobody: {asked}"
        ordered = [(await bob.order()).status_code for _ in range(BURST + 2)]
        assert ordered[-1] == 429, f"the counter counts nobody: {ordered}"
        late = await ann.order()
        assert late.status_code == 429, "the counter lets pass whom the gate doesn't"
        assert int(late.headers["retry-after"]) > 0, "come back when?"
        assert (await eve.get("/api/wallet")).status_code == 200, "others have to wait, too"
        assert (asked, ordered) == ([200] * BURST + [429] * 2, [202] * BURST + [429] * 2), "counted wrongly"


async def strangers_have_a_rate_by_address(folder: Path) -> None:
    async with open_shop(folder, Rates(PER_S, BURST)) as scene:
        statuses = [(await scene.client.get("/api/products")).status_code for _ in range(BURST + 2)]
        assert statuses == [200] * BURST + [429] * 2, f"nobody has to wait: {statuses}"
        assert (await scene.client.get("/healthz")).status_code == 200, "health has to wait"


async def wrong_passwords_have_to_wait(folder: Path) -> None:
    async with open_shop(folder) as scene:
        await scene.join("ann")
        wrong = {"email": "ann@example.com", "password": "guessed"}
        statuses = [(await scene.client.post("/api/sessions", json=wrong)).status_code for _ in range(12)]
        assert statuses == [401] * 10 + [429] * 2, f"guess as you like: {statuses}"
        await scene.join("bob")


SCENARIOS = [
    unknown_fields_are_refused,
    prices_and_totals_come_from_the_server,
    owners_come_from_the_token,
    states_come_from_the_saga,
    members_are_no_operators,
    order_of_another_looks_like_none,
    bodies_are_bounded,
    pages_have_a_bound,
    each_principal_has_a_rate,
    strangers_have_a_rate_by_address,
    wrong_passwords_have_to_wait,
]
