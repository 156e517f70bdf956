"""What others may ask payments directly: what became of a payment."""

from collections.abc import Mapping

from amends.service import Service
from shop import papers
from shop.payments import tables
from shop.payments.domain import PaymentState
from shop.payments.tables import Payment

__all__ = ["Payment", "PaymentState", "PaymentsDesk"]


class PaymentsDesk:
    """Payments, for the shop's edges."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._storage = service.storage

    async def payment(self, payment_id: str) -> Payment | None:
        """A payment as it stands; None when it was never asked for."""
        async with self._storage.reading() as reader:
            return await tables.find(reader, payment_id)

    async def paper(self, scope: str, id: str) -> str | None:
        """What a storefront's client keeps here by hand under an id; None when there is nothing."""
        async with self._storage.reading() as reader:
            return await papers.find_paper(reader, scope, id)

    async def put_papers(self, scope: str, written: Mapping[str, str]) -> None:
        """Keeps new papers, by id, in one transaction."""
        await self._service.transact(lambda tx: papers.put_papers(tx, scope, written))

    async def change_paper(self, scope: str, id: str, body: str | None) -> bool:
        """Replaces a paper, or removes it when there is no body; False when there is none."""
        return await self._service.transact(lambda tx: papers.change_paper(tx, scope, id, body))
