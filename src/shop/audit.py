"""What has to hold across the rooms: an order that ended has all of its parts, or none."""

from amends.audit import Check, Finding, Readers
from shop.billing.audit import audit as audit_billing
from shop.delivery.audit import audit as audit_delivery
from shop.payments.audit import audit as audit_payments
from shop.warehouse.audit import audit as audit_warehouse

_PAGE = 5_000

GOODS = {"shop": 2, "queue-saga": 2, "parallel-saga": 2, "two-phase": 2, "idempotent-orders": 0, "pivot-saga": 1}
"""How many of stock and courier an approved order of a scope has."""

page_of_orders = """
select id, status, pay_with, cancel_saga, scope from orders
where id > :after and status <> 'pending'
order by id
limit :limit
"""
states_of_sagas = "select id, status from keys cross join sagas on id = key"
states_of_holds = "select id, state from keys cross join holds on id = key"
orders_reserved = "select distinct order_id from keys cross join reservations on order_id = key"
orders_booked = "select order_id from keys cross join bookings on order_id = key"


async def audit_orders(readers: Readers) -> list[Finding]:
    """Approved: money captured, stock reserved, courier booked. Rejected or cancelled: nothing of the three."""
    counted = {"approved": 0, "undone": 0, "in flight": 0}
    broken: list[str] = []
    after = ""
    while page := await readers["orders"].fetch(page_of_orders, (after, _PAGE)):
        after = page[-1][0]
        settled = await _settled(readers, [(id, cancel) for id, _, _, cancel, _ in page])
        counted["in flight"] += len(page) - len(settled)
        ids = [row[0] for row in page if row[0] in settled]
        parts = await _parts(readers, ids)
        for id, status, pay_with, _, scope in page:
            if id in settled:
                approved = status == "approved"
                counted["approved" if approved else "undone"] += 1
                wanted = (pay_with == "wallet") + GOODS.get(scope, 2) if approved else 0
                if parts[id] != wanted:
                    broken.append(f"{id} is {status} and has {parts[id]} of its parts, not {wanted}")
    return [Finding("an order has all of its parts or none", not broken, counted, "; ".join(broken[:5]))]


async def _settled(readers: Readers, orders: list[tuple[str, str | None]]) -> set[str]:
    """Orders whose sagas have all ended."""
    wanted = [saga for order in orders for saga in order if saga]
    ended = set()
    for id, status in await readers["orders"].fetch_each(states_of_sagas, wanted):
        if status in ("completed", "compensated"):
            ended.add(id)
    return {id for id, cancel in orders if id in ended and (not cancel or cancel in ended)}


async def _parts(readers: Readers, ids: list[str]) -> dict[str, int]:
    """How many of money, stock and courier each order holds."""
    parts = dict.fromkeys(ids, 0)
    for id, state in await readers["billing"].fetch_each(states_of_holds, ids):
        parts[id] += state in ("held", "captured")
    for room, statement in (("warehouse", orders_reserved), ("delivery", orders_booked)):
        for (id,) in await readers[room].fetch_each(statement, ids):
            parts[id] += 1
    return parts


CHECKS: tuple[Check, ...] = (audit_orders, audit_billing, audit_warehouse, audit_delivery, audit_payments)
