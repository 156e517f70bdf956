"""Every saga that orders coordinates. An order is placed by one of `PLACING`; all of them begin with a `Purchase`."""

from collections.abc import Mapping
from typing import Any

from amends import Saga
from shop.orders.idempotent_saga import place_once
from shop.orders.parallel_saga import place_in_parallel
from shop.orders.pivot_saga import place_with_pivot
from shop.orders.sagas import Purchase, cancel_order, place_order
from shop.orders.tcc_saga import place_by_tcc
from shop.orders.two_phase_saga import buy_by_xa, buy_two_phase

PLACING: Mapping[str, Saga[Purchase]] = {
    saga.name: saga
    for saga in (place_order, place_in_parallel, place_once, buy_two_phase, buy_by_xa, place_by_tcc, place_with_pivot)
}
ALL: tuple[Saga[Any], ...] = (*PLACING.values(), cancel_order)
