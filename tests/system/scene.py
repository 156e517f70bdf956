"""A shop in which something has happened already, to see that what is wrong with a request changes nothing of it."""

from typing import Any, NamedTuple

from tests.system.people import Buyer, Operator, buyers, order_of
from tests.system.shop_process import ShopProcess
from tests.system.wire import Answer, Connection, ask_once

SLOT = "2034-08-01T08:00:00Z"


class Scene(NamedTuple):
    """A shop with a lamp for sale, two buyers with money, an order of each, a login at the storefront."""

    shop: ShopProcess
    operator: Operator
    ann: Buyer
    bob: Buyer
    ann_order: str
    bob_order: str

    async def figures(self) -> Any:
        """Everything that a bad request could have changed."""
        storefront = [await self.storefront("GET", path) for path in ("/stock", "/delivery", "/billing/account/ann")]
        return (
            await self.operator.check(),
            [await each.wallet() for each in (self.ann, self.bob)],
            [await each.orders() for each in (self.ann, self.bob)],
            await self.ann.products(),
            await self.ann.couriers(SLOT),
            [each.body for each in storefront],
            [each["id"] for each in await self.operator.sagas("")],
        )

    async def storefront(self, method: str, path: str, body: object = None) -> Answer:
        return await ask_once(self.shop.addresses["queue-saga"], method, path, body)


async def furnished(shop: ShopProcess) -> Scene:
    operator = Operator(shop)
    await operator.put_product("lamp", 1_000, 100)
    await operator.put_slot(SLOT, 10)
    ann, bob = await buyers(shop, 2, 10_000)
    placed = [await each.ask("POST", "/api/orders", order_of("lamp", SLOT), key="first") for each in (ann, bob)]
    scene = Scene(shop, operator, ann, bob, *(each.json()["id"] for each in placed))
    await scene.storefront("POST", "/billing/register?login=ann")
    await scene.storefront("POST", "/billing/refill", {"login": "ann", "balance": 10})
    await scene.storefront("POST", "/stock/register", {"description": "lamp", "quantity": 10})
    await operator.settle()
    return scene


def connection_to(scene: Scene, path: str) -> Connection:
    """To the edge of a path, as somebody who may: with ann's token, or the operator's."""
    if path.startswith("/ops"):
        return Connection(scene.shop.addresses["ops"], scene.shop.token)
    if path.startswith("/api"):
        return scene.ann.connection()
    return Connection(scene.shop.addresses["queue-saga"])


async def ask(scene: Scene, path: str, raw: bytes, key: str = "bad") -> Answer:
    """Sends a body as it is. `ANN` and `ORDER` in the path stand for the ids of her wallet and her order."""
    return await send(scene, path, {"Content-Length": str(len(raw)), "Idempotency-Key": key}, raw)


async def send(scene: Scene, path: str, headers: dict[str, str], body: bytes) -> Answer:
    """Sends these headers, beside those that name host and sender, and these bytes."""
    connection = connection_to(scene, path)
    path = path.replace("ANN", scene.ann.id).replace("ORDER", scene.ann_order)
    method = "PUT" if path.startswith(("/ops/products", "/ops/slots")) else "POST"
    try:
        return await connection.send(connection.head(method, path, headers) + body)
    finally:
        connection.close()
