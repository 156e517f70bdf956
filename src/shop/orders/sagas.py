"""The sagas of an order: `place_order`, and `cancel_order` for one that was approved already."""

import msgspec

from amends import Cause, Command, Saga, begun, compensatable, pivot, retriable, together
from shop.billing.contract import CaptureMoney, HoldMoney, RefundMoney, ReleaseMoney
from shop.delivery.contract import BookCourier, CancelCourier
from shop.notifications.contract import Notify
from shop.orders.contract import ApproveOrder, CancelOrder, RejectOrder
from shop.payments.contract import AuthorizeCard, CaptureCard, RefundCard, VoidCard
from shop.warehouse.contract import ReleaseStock, ReserveStock, StockLine


class Purchase(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """An order as its saga knows it. `card` is empty when the wallet pays.

    `number` is the order's in its storefront, 0 where it has none; `details` is what only its dialect knows, as JSON.
    """

    order_id: str
    user_id: str
    email: str
    lines: tuple[StockLine, ...]
    total_minor: int
    calendar: str
    slot: str
    wallet_id: str
    card: str
    number: int = 0
    details: str = ""


def hold_money(order: Purchase) -> Command:
    if order.card:
        return AuthorizeCard(order.order_id, order.card, order.total_minor)
    return HoldMoney(order.order_id, order.wallet_id, order.total_minor)


def release_money(order: Purchase) -> Command:
    return VoidCard(order.order_id) if order.card else ReleaseMoney(order.order_id)


def capture_money(order: Purchase) -> Command:
    return CaptureCard(order.order_id) if order.card else CaptureMoney(order.order_id)


def refund_money(order: Purchase) -> Command:
    return RefundCard(order.order_id) if order.card else RefundMoney(order.order_id)


def reserve_stock(order: Purchase) -> ReserveStock:
    return ReserveStock(order.order_id, order.lines)


def release_stock(order: Purchase) -> ReleaseStock:
    return ReleaseStock(order.order_id)


def book_courier(order: Purchase) -> BookCourier:
    return BookCourier(order.order_id, order.calendar, order.slot)


def cancel_courier(order: Purchase) -> CancelCourier:
    return CancelCourier(order.order_id)


def approve(order: Purchase) -> ApproveOrder:
    return ApproveOrder(order.order_id)


def reject(order: Purchase, cause: Cause) -> RejectOrder:
    return RejectOrder(order.order_id, cause)


def cancel(order: Purchase) -> CancelOrder:
    return CancelOrder(order.order_id)


def tell_approved(order: Purchase) -> Notify:
    text = f"Your order {order.order_id} is on its way."
    return Notify(f"{order.order_id}/approved", order.user_id, order.email, text)


def tell_cancelled(order: Purchase) -> Notify:
    text = f"Your order {order.order_id} was cancelled, the money is on its way back."
    return Notify(f"{order.order_id}/cancelled", order.user_id, order.email, text)


place_order = Saga(
    "place-order",
    Purchase,
    begun("open order", undo=reject),
    together(
        compensatable("hold money", hold_money, undo=release_money),
        compensatable("reserve stock", reserve_stock, undo=release_stock),
        compensatable("book courier", book_courier, undo=cancel_courier),
    ),
    pivot("capture money", capture_money),
    together(
        retriable("approve order", approve),
        retriable("notify", tell_approved),
    ),
    deadline_s=30,
)

cancel_order = Saga(
    "cancel-order",
    Purchase,
    together(
        retriable("refund money", refund_money),
        retriable("release stock", release_stock),
        retriable("cancel courier", cancel_courier),
    ),
    retriable("cancel order", cancel),
    retriable("notify", tell_cancelled),
)
