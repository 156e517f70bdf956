"""The saga of the dialect `parallel-saga`: payment, stock and courier are asked at the same time; it pays by card."""

from amends import Saga, begun, compensatable, pivot, retriable, together
from shop.orders.sagas import (
    Purchase,
    approve,
    book_courier,
    cancel_courier,
    capture_money,
    hold_money,
    reject,
    release_money,
    release_stock,
    reserve_stock,
)

PAYMENT, STOCK, COURIER, CAPTURE = "authorize payment", "reserve stock", "book courier", "capture payment"

place_in_parallel = Saga(
    "place-in-parallel",
    Purchase,
    begun("open order", undo=reject),
    together(
        compensatable(PAYMENT, hold_money, undo=release_money),
        compensatable(STOCK, reserve_stock, undo=release_stock),
        compensatable(COURIER, book_courier, undo=cancel_courier),
    ),
    pivot(CAPTURE, capture_money),
    retriable("approve order", approve),
    deadline_s=30,
)
