"""Tells everybody of the orders of `pivot-saga`: that they are there, and what becomes of them.

An order is told of as it begins, in its own transaction; its end in one of its own, once its saga has ended.
"""

from collections.abc import Sequence

import msgspec

from amends import Event, Tx
from amends.coordinator import Begin
from amends.messages import SagaId
from amends.service import Service
from shop.orders import tables, untold
from shop.orders.pivot_saga import OrderCode, code_of, detail_of, place_with_pivot
from shop.orders.sagas import Purchase


class OrderedItem(msgspec.Struct, frozen=True, gc=False):
    """One line of an order as its client sent it."""

    item_id: int
    quantity: int
    price: int | float


class OrderRegistered(Event):
    """An order as its client sent it, with its new number."""

    topic = "orders.service.order"
    order_id: int
    user_id: int
    payment: int
    notification: int
    created_at: str
    approved_at: str
    sum: int
    items: tuple[OrderedItem, ...]
    status: int
    detail: str


class OrderStatusTold(Event):
    """`detail` tells what each service has answered."""

    topic = "orders.service.status"
    order_id: int
    status: OrderCode
    detail: str = ""


TOLD: tuple[type[Event], ...] = (OrderRegistered, OrderStatusTold)
_registered = msgspec.json.Decoder(OrderRegistered).decode


async def tell_begun(tx: Tx, saga: str, begins: Sequence[Begin]) -> None:
    """Of orders whose saga begins in this transaction; those of other sagas are nobody's business."""
    if saga != place_with_pivot.name:
        return
    for each in begins:
        assert isinstance(each.input, Purchase)
        number, key = each.input.number, str(each.input.number)
        sent = _registered(each.input.details)
        tx.tell(msgspec.structs.replace(sent, order_id=number, status=OrderCode.NEW, detail=""), key=key)
        tx.tell(OrderStatusTold(number, OrderCode.NEW), key=key)
        tx.tell(OrderStatusTold(number, OrderCode.IN_PROCESS), key=key)
    await untold.add(tx, [each.id for each in begins])


class Telling:
    """Tells the end of orders; a chore of the service of orders. Several processes may do it: each end is told once."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def tell_ended(self) -> None:
        async with self._service.storage.reading() as reader:
            ended = await untold.ended(reader)
        if ended:
            await self._service.transact(lambda tx: self._tell(tx, ended))

    async def _tell(self, tx: Tx, ended: Sequence[str]) -> None:
        orders, numbers = await tables.load(tx, ended), await tables.numbers_of(tx, ended)
        sagas = await self._service.storage.sagas.load(tx, [SagaId(id) for id in ended])
        for id in ended:
            if await untold.remove(tx, id):
                saga = sagas[SagaId(id)]
                told = OrderStatusTold(numbers[id], code_of(orders[id].status, saga), detail_of(saga))
                tx.tell(told, key=str(numbers[id]))
