"""The simulated card gateway for a storefront's shop, and its auditor."""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from amends.adapters.sqlite import SqliteStorage
from amends.service import Service
from amends.testing.runtime import VirtualRuntime
from shop import rooms
from shop.audit import CHECKS
from shop.payments import gateway_tables
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway_http import GatewayApp
from shop.payments.gateway_wire import KEY_HEADER, Authorization, Record
from shop.payments.tables import CardOperation


class Gateway:
    """Asked in this process, so that its answers take no real time."""

    def __init__(self, storage: SqliteStorage, asgi: Any) -> None:
        self.storage = storage
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(asgi), base_url="http://gateway")

    async def carry_out(self, wanted: CardOperation) -> PaymentState | None:
        key = quote(wanted.payment_id, safe="")
        if wanted.wish is Wish.AUTHORIZE:
            body = msgspec.json.encode(Authorization(wanted.card or "", wanted.amount_minor, wanted.charge > 0))
            return _state(await self._client.post("/authorizations", content=body, headers={KEY_HEADER: key}))
        return _state(await self._client.post(f"/authorizations/{key}/{wanted.wish}"))

    async def status(self, payment_id: str) -> PaymentState | None:
        return _state(await self._client.get(f"/authorizations/{quote(payment_id, safe='')}"))

    async def close(self) -> None:
        await self._client.aclose()


async def open_gateway(folder: Path, runtime: VirtualRuntime, payments: Service, undo: AsyncExitStack) -> Gateway:
    """One that payments asks."""
    storage = SqliteStorage(folder / "gateway.db", gateway_tables.MIGRATIONS)
    await storage.migrate()
    undo.push_async_callback(storage.close)
    gateway = Gateway(storage, GatewayApp(rooms.open_gateway(storage, runtime, undo)))
    undo.push_async_callback(gateway.close)
    rooms.open_payments(payments, undo, gateway)
    return gateway


async def broken(services: Mapping[str, Service], gateway: Gateway) -> list[str]:
    """What the auditor finds."""
    async with AsyncExitStack() as stack:
        storages = {name: each.storage for name, each in services.items()} | {"gateway": gateway.storage}
        readers = {name: await stack.enter_async_context(each.reading()) for name, each in storages.items()}
        return [found.name for check in CHECKS for found in await check(readers) if not found.holds]


def _state(answer: httpx.Response) -> PaymentState | None:
    known = answer.status_code < 500 and answer.status_code != 404
    return PaymentState(msgspec.json.decode(answer.content, type=Record).state) if known else None
