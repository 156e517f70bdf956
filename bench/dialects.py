"""What the clients of each storefront send, as bytes for the load generator; and who has to be there before."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec

from bench.load import Request

MUCH = 10**9
SLOT = "2034-06-26T16:00:00"
_FIRST = datetime(2034, 1, 1, tzinfo=UTC)


class Dialect(NamedTuple):
    """`prepare` makes what an order needs, and returns the requests of so many orders; `synchronous`: the answer is
    that of the order's end."""

    name: str
    prepare: Callable[[str, int], Sequence[Request]]
    synchronous: bool


def request(address: str, path: str, body: object, key: str = "X-Nth", **headers: str) -> Request:
    """A POST; the header `key` is made anew for each by the load generator."""
    url, sent = urlsplit(address), msgspec.json.encode(body)
    lines = [f"POST {path} HTTP/1.1", f"Host: {url.hostname}:{url.port}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(sent)}", f"{key}: "]
    return Request("\r\n".join(lines).encode(), b"\r\n\r\n" + sent)


def _asked(address: str, path: str, body: object = None, **headers: str) -> Mapping[str, Any]:
    answer = httpx.post(f"{address}{path}", json=body, headers=headers, timeout=30).raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


def _queue_saga(address: str, count: int) -> list[Request]:
    """One courier a time: every order has a time of its own."""
    _asked(address, "/billing/register?login=bench")
    _asked(address, "/billing/refill", {"login": "bench", "balance": MUCH})
    apple = _asked(address, "/stock/register", {"description": "apple", "quantity": MUCH})["id"]
    order = {"login": "bench", "e_mail": "bench@example.com", "id_product": apple, "quntity": 1, "amount": 1}
    times = [_FIRST + timedelta(seconds=nth) for nth in range(count)]
    return [request(address, "/orders/", order | {"dtime": f"{time:%Y-%m-%d %H:%M:%S}"}) for time in times]


def _parallel_saga(address: str, count: int) -> list[Request]:
    orders = [
        {"contents": [{"item": f"phone {nth % 100}", "amount": 1, "price": 1.25}], "timeDelivery": SLOT}
        for nth in range(count)
    ]
    return [request(address, "/order/order/saga", order) for order in orders]


def _pivot_saga(address: str, count: int) -> list[Request]:
    at = "2034-05-26T16:00:00.123456789+03:00"
    return [
        request(
            address,
            "/neworder",
            {
                "order_id": 0,
                "user_id": 2,
                "payment": 1,
                "notification": 1,
                "created_at": at,
                "approved_at": at,
                "sum": 100,
                "items": [{"item_id": nth % 100, "quantity": 1, "price": 100}],
                "status": 1,
                "detail": "",
            },
        )
        for nth in range(count)
    ]


def _idempotent_orders(address: str, count: int) -> list[Request]:
    """Twenty users take turns."""
    known = [_joined(address, nth) for nth in range(20)]
    order = {"items": [{"product_id": 1, "quantity": 1}]}
    return [
        request(address, "/orders/", order, "X-Idempotency-Key", Authorization=known[nth % len(known)])
        for nth in range(count)
    ]


def _joined(address: str, nth: int) -> str:
    """The `Authorization` of a new user with money."""
    user = {"email": f"bench-{nth}@example.com", "phone": "+10000000", "first_name": "B", "last_name": "C"}
    bearer = f"Bearer {_asked(address, '/register/', user | {'password': 'correct horse'})['access_token']}"
    account = httpx.get(f"{address}/account/", headers={"Authorization": bearer}, timeout=30).raise_for_status().json()
    charge = {"account_id": account["id"], "type": "charge", "amount": MUCH, "currency": "USD"}
    _asked(address, "/balance_transactions/", charge, Authorization=bearer)
    return bearer


def _two_phase(address: str, count: int) -> list[Request]:
    """Twenty users take turns, and nine warehouses, and eighteen hours."""
    ids = [_asked(address, "/user", {"name": f"bench {nth}", "balance": MUCH})["id"] for nth in range(20)]
    return [
        request(
            address,
            f"/buy/user/{ids[nth % len(ids)]}",
            {
                "product_name": "p",
                "balance_change": -1,
                "warehouse_id": 1 + nth % 9,
                "delivery_hour": nth % 18,
            },
        )
        for nth in range(count)
    ]


DIALECTS = (
    Dialect("queue-saga", _queue_saga, synchronous=False),
    Dialect("parallel-saga", _parallel_saga, synchronous=True),
    Dialect("pivot-saga", _pivot_saga, synchronous=False),
    Dialect("idempotent-orders", _idempotent_orders, synchronous=True),
    Dialect("two-phase", _two_phase, synchronous=True),
)
