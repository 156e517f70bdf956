"""The saga of the dialect `two-phase`: payment, warehouse and delivery vote, then all commit or all abort.

Payment commits last: a balance shows what is committed everywhere.
"""

from amends import begun, retriable, two_phase, voter
from shop.delivery.contract import ConfirmCourier, DropCourier, HoldCourier
from shop.orders.sagas import Purchase, approve, capture_money, hold_money, reject, release_money
from shop.warehouse.contract import ConfirmStock, DropStock, HoldStock


def hold_stock(order: Purchase) -> HoldStock:
    return HoldStock(order.order_id, order.lines)


def confirm_stock(order: Purchase) -> ConfirmStock:
    return ConfirmStock(order.order_id)


def drop_stock(order: Purchase) -> DropStock:
    return DropStock(order.order_id)


def hold_courier(order: Purchase) -> HoldCourier:
    return HoldCourier(order.order_id, order.calendar, order.slot)


def confirm_courier(order: Purchase) -> ConfirmCourier:
    return ConfirmCourier(order.order_id)


def drop_courier(order: Purchase) -> DropCourier:
    return DropCourier(order.order_id)


buy_two_phase = two_phase(
    "buy-two-phase",
    Purchase,
    voter("payment", prepare=hold_money, commit=capture_money, abort=release_money, last=True),
    voter("warehouse", prepare=hold_stock, commit=confirm_stock, abort=drop_stock),
    voter("delivery", prepare=hold_courier, commit=confirm_courier, abort=drop_courier),
    before=[begun("open order", undo=reject)],
    after=[retriable("approve order", approve)],
    deadline_s=30,
)
