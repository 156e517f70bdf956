"""Records that clients keep by hand: replaced, removed, without any effect; those of sagas are only shown."""

from typing import Any

import pytest

from tests.shop.storefronts.parallel_saga.conftest import ORDER, PHONE, UNKNOWN, Shop

BODIES: dict[str, dict[str, Any]] = {
    "order": ORDER,
    "payment": {"orderId": UNKNOWN, "cost": 123.45, "status": "SUCCESS"},
    "warehouse": {"orderId": UNKNOWN, "item": "phone", "status": "RESERVED"},
    "delivery": {"orderId": UNKNOWN, "timeDelivery": "2034-05-26T16:00", "status": "SCHEDULED"},
}
CHANGES: dict[str, dict[str, Any]] = {
    "order": {"status": "CANCELED", "contents": [PHONE, {"item": "pen", "amount": 1000000, "price": 0.01}]},
    "payment": {"orderId": UNKNOWN, "cost": 10**10, "status": "CANCELED"},
    "warehouse": {"orderId": UNKNOWN, "item": "Ручка", "status": "CANCELED"},
    "delivery": {"orderId": UNKNOWN, "timeDelivery": "9999-12-31T23:59:59", "status": "CANCELED"},
}
EFFECTS = {
    "orders": "select id from orders",
    "payments": "select payment_id from payments",
    "warehouse": "select sku from stock",
    "delivery": "select slot from slots",
}

each_kind = pytest.mark.parametrize("kind", BODIES)


async def created(shop: Shop, kind: str) -> str:
    body: Any = [BODIES[kind]] if kind == "warehouse" else BODIES[kind]
    made = await shop.ask("POST", f"/{kind}/{kind}", body)
    return str((made[0] if kind == "warehouse" else made)["id"])


@each_kind
async def test_record_is_replaced_and_removed_without_an_effect(shop: Shop, kind: str) -> None:
    id, other = await created(shop, kind), await created(shop, kind)
    path = f"/{kind}/{kind}/{id}"
    changed = {"id": id, **CHANGES[kind]}
    assert await shop.ask("PUT", path, CHANGES[kind]) == changed
    assert await shop.get(path) == changed
    assert await shop.ask("PUT", path.upper().replace(f"/{kind}/{kind}".upper(), f"/{kind}/{kind}"), changed) == changed
    assert await shop.ask("DELETE", path) == changed
    for method, body in (("GET", None), ("PUT", BODIES[kind]), ("DELETE", None)):
        assert (await shop.client.request(method, path, json=body)).status_code == 404
    assert await shop.get(f"/{kind}/{kind}/{other}") == {"id": other, **BODIES[kind]}
    for room, sql in EFFECTS.items():
        assert await shop.rows(room, sql) == []


@each_kind
async def test_record_of_one_kind_is_none_of_another(shop: Shop, kind: str) -> None:
    id = await created(shop, kind)
    others = [each for each in BODIES if each != kind]
    assert [(await shop.client.get(f"/{each}/{each}/{id}")).status_code for each in others] == [404] * 3


async def test_several_items_are_kept_at_once(shop: Shop) -> None:
    bodies = [BODIES["warehouse"] | {"item": f"pen {n}"} for n in range(100)]
    made = await shop.ask("POST", "/warehouse/warehouse", bodies)
    assert [each["item"] for each in made] == [each["item"] for each in bodies]
    assert await shop.get(f"/warehouse/warehouse/{made[99]['id']}") == made[99]


@each_kind
async def test_what_a_saga_made_can_not_be_changed_by_hand(shop: Shop, kind: str) -> None:
    order, payment, delivery, [item] = (await shop.place()).json()
    made = {"order": order, "payment": payment, "delivery": delivery, "warehouse": item}[kind]
    path = f"/{kind}/{kind}/{made['id']}"
    assert (await shop.client.put(path, json=BODIES[kind])).status_code == 409
    assert (await shop.client.delete(path)).status_code == 409
    assert await shop.get(path) == made
    assert await shop.broken() == []


async def test_order_of_another_storefront_is_not_shown(shop: Shop) -> None:
    (await shop.place()).raise_for_status()
    await shop.services["orders"].transact(lambda tx: tx.run("update orders set scope = 'shop'"))
    [(id,)] = await shop.rows("orders", "select id from orders")
    for kind in ("order", "payment", "delivery"):
        assert (await shop.client.get(f"/{kind}/{kind}/{id}")).status_code == 404
