"""The same order by try, confirm, cancel: what was tried expires by itself.

A reservation stands for `STANDS_S` from when it was made. The saga turns back `DEADLINE_S` after its start, so a
confirmation is asked for long before that, and its retries end (`UNTIL_DONE`, some minutes) before it, too.
"""

from amends import Command, begun, reservation, retriable, tcc, together
from shop.billing.contract import HoldMoneyFor
from shop.delivery.contract import HoldCourier
from shop.orders.sagas import Purchase, approve, capture_money, hold_money, reject, release_money, tell_approved
from shop.orders.two_phase_saga import confirm_courier, confirm_stock, drop_courier, drop_stock
from shop.warehouse.contract import HoldStock

DEADLINE_S = 30.0
STANDS_S = 900.0


def try_money(order: Purchase) -> Command:
    """A card's authorization expires by the rules of its bank."""
    if order.card:
        return hold_money(order)
    return HoldMoneyFor(order.order_id, order.wallet_id, order.total_minor, STANDS_S)


def try_stock(order: Purchase) -> HoldStock:
    return HoldStock(order.order_id, order.lines, STANDS_S)


def try_courier(order: Purchase) -> HoldCourier:
    return HoldCourier(order.order_id, order.calendar, order.slot, STANDS_S)


place_by_tcc = tcc(
    "place-by-tcc",
    Purchase,
    reservation("payment", reserve=try_money, confirm=capture_money, cancel=release_money),
    reservation("warehouse", reserve=try_stock, confirm=confirm_stock, cancel=drop_stock),
    reservation("delivery", reserve=try_courier, confirm=confirm_courier, cancel=drop_courier),
    before=[begun("open order", undo=reject)],
    after=[together(retriable("approve order", approve), retriable("notify", tell_approved))],
    deadline_s=DEADLINE_S,
)
