"""What others may ask payments directly: what became of a payment."""

from amends.service import Service
from shop.payments import tables
from shop.payments.domain import PaymentState
from shop.payments.tables import Payment

__all__ = ["Payment", "PaymentState", "PaymentsDesk"]


class PaymentsDesk:
    """Payments, for the shop's edges."""

    def __init__(self, service: Service) -> None:
        self._storage = service.storage

    async def payment(self, payment_id: str) -> Payment | None:
        """A payment as it stands; None when it was never asked for."""
        async with self._storage.reading() as reader:
            return await tables.find(reader, payment_id)
