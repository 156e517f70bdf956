"""What requests to the shop's own API have in common."""

from typing import Any

from tools.postman.items import Json, ask
from tools.postman.scripts import check

ME = {"authorization": "Bearer {{token}}"}
OTHER = {"authorization": "Bearer {{otherToken}}"}
OPERATOR = {"authorization": "Bearer {{operatorToken}}"}
WAIT = {"prefer": "wait=20"}
KETTLE, GOLD = "{{run}}-kettle", "{{run}}-gold"
APPROVED, DECLINED, SLOW = "card:4242424242424242", "card:4000000000000002", "card:4000000000002008"
WALLET, PRODUCTS = "/api/wallet", "/api/products?after={{run}}-&limit=2"
SLOTS, ORDERS = "/api/slots?day={{day}}", "/api/orders"
SLOT = {"slot": "{{time}}Z"}


def key(name: str = "{{$randomUUID}}") -> dict[str, str]:
    return {"idempotency-key": name}


def order(sku: str = KETTLE, quantity: int = 1, pay_with: str = "wallet", **changed: Any) -> Json:
    return {"items": [{"sku": sku, "quantity": quantity}], **SLOT, "pay_with": pay_with} | changed


def left(when: str, money: int, kettles: int, couriers: int) -> list[Json]:
    """Money, stock and couriers as they have to be."""
    mine = "const slot = answer.find(each => each.slot === pm.collectionVariables.get('time') + 'Z');"
    free = check(f"{couriers} couriers are free", f"(slot.couriers_free).to.eql({couriers})")
    wallet = {"": {"balance_minor": money, "held_minor": 0, "currency": "EUR"}}
    return [
        ask(f"{when}: the wallet", f"GET {WALLET}", headers=ME, want=wallet),
        ask(f"{when}: the stock", f"GET {PRODUCTS}", want={"[1].sku": KETTLE, "[1].available": kettles}),
        ask(f"{when}: the couriers", f"GET {SLOTS}", tests=[mine, free]),
    ]
