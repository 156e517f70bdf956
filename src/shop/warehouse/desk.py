"""What others may ask the warehouse directly: what can be had, and stock to set by hand."""

from collections.abc import Mapping, Sequence

from amends.connections import Tx
from amends.service import Service
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
