"""Taking an order back: before the pivot its saga is turned back, after approval a second saga undoes it."""

from contextlib import suppress

from amends.asking import input_of
from amends.connections import Tx
from amends.coordinator import Begin
from amends.errors import CannotMend
from amends.mending import Action
from amends.messages import SagaId
from amends.service import Service
from shop.orders import tables
from shop.orders.definitions import PLACING
from shop.orders.domain import Status, Wrong
from shop.orders.sagas import cancel_order
from shop.orders.tables import Order
from shop.web.traces import TRACEPARENT


class Cancelling:
    """Cancels orders in the orders service's own database."""

    def __init__(self, service: Service) -> None:
        assert service.coordinator is not None
        assert service.operator is not None
        self._service = service
        self._coordinator = service.coordinator
        self._operator = service.operator

    async def cancel(self, tx: Tx, order: Order) -> Wrong | None:
        """Carries a buyer's wish out, or notes it for the moment at which it can be. None when it is on its way."""
        match order.status:
            case Status.REJECTED:
                return Wrong("order-rejected", f"order {order.id} was rejected: there is nothing to cancel")
            case Status.CANCELLED:
                return None
            case Status.PENDING:
                await self._turn_back(tx, order)
            case Status.APPROVED:
                await self._begin(tx, order)
        return None

    async def begin_wanted(self) -> None:
        """Begins the second saga of orders that were taken back between the pivot and their approval."""
        async with self._service.storage.reading() as reader:
            wanted = await tables.to_cancel(reader)
        if wanted:
            async with self._service.storage.transaction(self._service.runtime.now()) as tx:
                for order in wanted:
                    await self._begin(tx, order)

    async def _turn_back(self, tx: Tx, order: Order) -> None:
        """The wish is noted in any case: another process may coordinate the saga, and find it past its pivot."""
        await tx.run(tables.want_cancel, (order.id,))
        with suppress(CannotMend):
            await self._operator.mend_in(tx, SagaId(order.id), Action.CANCEL, order.user_id, "cancelled by its buyer")

    async def _begin(self, tx: Tx, order: Order) -> None:
        """The purchase is the one that the order's saga began with."""
        saga = self._coordinator.new_id()
        if await tx.run(tables.set_cancel_saga, (saga, order.id)):
            placed = (await self._service.storage.sagas.load(tx, [SagaId(order.id)]))[SagaId(order.id)]
            purchase = input_of(PLACING[placed.name], placed)
            await self._coordinator.start(tx, cancel_order, [Begin(saga, purchase, TRACEPARENT.get())])
