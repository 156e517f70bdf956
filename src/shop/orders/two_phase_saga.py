"""The saga of the dialect `two-phase`: payment, warehouse and delivery vote, then all commit or all abort.

Payment commits last: a balance shows what is committed everywhere. `buy_by_xa` is the same by prepared transactions:
they hold locks, so it asks in turn, and sagas that want the same rows can't wait for each other.
"""

from amends import Retry, begun, retriable, two_phase, voter
from shop.billing.contract import AbortPayment, CommitPayment, PreparePayment
from shop.delivery.contract import (
    AbortCourier,
    CommitCourier,
    ConfirmCourier,
    DropCourier,
    HoldCourier,
    PrepareCourier,
)
from shop.orders.sagas import Purchase, approve, capture_money, hold_money, reject, release_money
from shop.warehouse.contract import AbortStock, CommitStock, ConfirmStock, DropStock, HoldStock, PrepareStock


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


def prepare_payment(order: Purchase) -> PreparePayment:
    return PreparePayment(order.order_id, order.wallet_id, order.total_minor)


def commit_payment(_: Purchase) -> CommitPayment:
    return CommitPayment()


def abort_payment(_: Purchase) -> AbortPayment:
    return AbortPayment()


def prepare_stock(order: Purchase) -> PrepareStock:
    return PrepareStock(order.order_id, order.lines)


def commit_stock(_: Purchase) -> CommitStock:
    return CommitStock()


def abort_stock(_: Purchase) -> AbortStock:
    return AbortStock()


def prepare_courier(order: Purchase) -> PrepareCourier:
    return PrepareCourier(order.order_id, order.calendar, order.slot)


def commit_courier(_: Purchase) -> CommitCourier:
    return CommitCourier()


def abort_courier(_: Purchase) -> AbortCourier:
    return AbortCourier()


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

_ONCE, _PATIENCE_S = Retry(attempts=1), 9.0

buy_by_xa = two_phase(
    "buy-by-xa",
    Purchase,
    voter(
        "payment",
        prepare=prepare_payment,
        commit=commit_payment,
        abort=abort_payment,
        timeout_s=_PATIENCE_S,
        retry=_ONCE,
        last=True,
    ),
    voter(
        "warehouse",
        prepare=prepare_stock,
        commit=commit_stock,
        abort=abort_stock,
        timeout_s=_PATIENCE_S,
        retry=_ONCE,
    ),
    voter(
        "delivery",
        prepare=prepare_courier,
        commit=commit_courier,
        abort=abort_courier,
        timeout_s=_PATIENCE_S,
        retry=_ONCE,
    ),
    before=[begun("open order", undo=reject)],
    after=[retriable("approve order", approve)],
    in_turn=True,
    deadline_s=30,
)
