"""What others may ask the warehouse directly: what can be had, and stock to set by hand."""

from collections.abc import Mapping, Sequence

from amends.connections import Tx
from amends.service import Service
from shop import papers
from shop.warehouse import tables
from shop.warehouse.domain import Put

__all__ = ["Put", "WarehouseDesk"]


class WarehouseDesk:
    """The warehouse, for the shop's edges."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._storage = service.storage

    async def available(self, skus: Sequence[str]) -> dict[str, int]:
        """How much of each sku can still be had; an unknown one is left out."""
        async with self._storage.reading() as reader:
            return await tables.available(reader, skus)

    async def put_stock(self, on_hand: Mapping[str, int]) -> dict[str, Put]:
        """Sets what is on hand of each sku, in one transaction; where more is reserved it stays as it was."""

        async def put(tx: Tx) -> dict[str, Put]:
            return {sku: await tables.put_stock(tx, sku, count) for sku, count in sorted(on_hand.items())}

        return await self._service.transact(put)

    async def put_unknown(self, skus: Sequence[str]) -> None:
        """Has as much on hand as there can be of every sku that was never stocked; the others stay as they are."""
        await self._service.transact(lambda tx: tables.put_unknown(tx, skus))

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

    async def stock_new(self, on_hand: Mapping[str, int]) -> int:
        """Stocks the skus that are not known yet, in one transaction; returns how many."""
        return await self._service.transact(lambda tx: tables.stock_new(tx, on_hand))
