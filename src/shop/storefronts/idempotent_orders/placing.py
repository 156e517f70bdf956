"""An order of `idempotent-orders` as the room of orders takes it. Products are numbers; each piece costs the same."""

import msgspec

from amends.idempotency import fingerprint
from amends.pages import KeyScope
from shop.orders.desk import OrderView, Placing
from shop.orders.idempotent_saga import place_once
from shop.storefronts.idempotent_orders.bodies import Item, NewOrder
from shop.users.desk import Customer
from shop.web.traces import TRACEPARENT

SCOPE = "idempotent-orders"
PRICE_MINOR = 100

_encode = msgspec.json.Encoder().encode


def placing_of(customer: Customer, key: str, data: NewOrder) -> Placing:
    """Two bodies that say the same are the same request."""
    return Placing(
        key=KeyScope(customer.user_id, "POST", SCOPE, key),
        fingerprint=fingerprint(_encode(data)),
        scope=SCOPE,
        user_id=customer.id,
        email=customer.email,
        wallet_id=customer.id,
        items=tuple((f"{SCOPE}/{item.product_id}", item.quantity) for item in data.items),
        calendar="",
        slot="",
        pay_with="wallet",
        card="",
        traceparent=TRACEPARENT.get(),
        details="{}",
        prices=(PRICE_MINOR,) * len(data.items),
        saga=place_once.name,
    )


def items_of(order: OrderView) -> list[Item]:
    return [Item(int(each.sku.removeprefix(f"{SCOPE}/")), each.quantity, each.price_minor) for each in order.items]
