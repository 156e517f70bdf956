"""The storefront parallel-saga over processes: the saga by Kafka, what billing tells by Debezium."""

from typing import Any

import pytest

from tests.distributed.running import RunningShop
from tests.system.people import Operator, until
from tests.system.wire import Answer, ask_once

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

NEXT_TIME, LAST_TIME = "2034-06-26T16:00:00", "2024-06-26T16:00:00"
PHONE = {"item": "phone", "amount": 2, "price": 123.45}


async def ask(shop: RunningShop, method: str, path: str, body: Any = None) -> Answer:
    return await ask_once(shop.addresses["parallel-saga"], method, path, body)


async def got(shop: RunningShop, method: str, path: str, body: Any = None) -> Any:
    """What is answered with 200."""
    answer = await ask(shop, method, path, body)
    assert answer.status == 200, answer
    return answer.json()


async def test_order_is_answered_when_its_saga_has_ended(shop: RunningShop, operator: Operator) -> None:
    for _ in range(2):
        placed = {"contents": [PHONE], "timeDelivery": NEXT_TIME}
        order, payment, delivery, [item] = await got(shop, "POST", "/order/order/saga", placed)
        statuses = [each["status"] for each in (order, payment, delivery, item)]
        assert statuses == ["SUCCESS", "SUCCESS", "SCHEDULED", "RESERVED"]
        assert (payment["cost"], delivery["timeDelivery"]) == (246.9, "2034-06-26T16:00")
        for path, part in (("payment", payment), ("delivery", delivery), ("warehouse", item)):
            assert await got(shop, "GET", f"/{path}/{path}/{part['id']}") == part
    await operator.settle()
    await operator.check()


async def test_refused_delivery_undoes_the_rest(shop: RunningShop, operator: Operator) -> None:
    refused = await ask(shop, "POST", "/order/order/saga", {"contents": [PHONE], "timeDelivery": LAST_TIME})
    assert (refused.status, refused.json()) == (424, {"status": "CANCELED"})
    order = await got(shop, "GET", refused.headers["location"])
    assert order["status"] == "CANCELED"
    assert (await got(shop, "GET", f"/payment/payment/{order['id']}"))["status"] == "CANCELED"
    await operator.settle()
    await operator.check()


async def test_each_wallet_operation_is_told_once(shop: RunningShop) -> None:
    user = await got(shop, "POST", "/user/user", {"name": "Maksim", "email": "sss@sss.ss"})
    wallet = user["billingId"]
    assert await got(shop, "PUT", f"/billing/billing/refill/{wallet}/100.20") == {"status": True}
    assert await got(shop, "PUT", f"/billing/billing/{wallet}/48.90") == {"status": True}
    assert await got(shop, "PUT", f"/billing/billing/{wallet}/148.90") == {"status": False}
    assert await got(shop, "GET", f"/billing/billing/{wallet}") == {"id": wallet, "wallet": 51.3}
    where = f"/notification/notification/{user['id']}"

    async def has_four() -> bool:
        return len(await got(shop, "GET", where)) == 4

    await until(has_four)
    assert {each["email"] for each in await got(shop, "GET", where)} == {"sss@sss.ss"}
