"""HTTP of the warehouse: what can be bought."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
from litestar import get

from shop.warehouse.desk import WarehouseDesk
from shop.web import After, Limit, Route, open_to_all


class Listed(Protocol):
    """A product as the catalogue has it."""

    @property
    def sku(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def price_minor(self) -> int: ...


class ProductView(msgspec.Struct, frozen=True):
    """`available` is what is on hand and not reserved."""

    sku: str
    title: str
    price_minor: int
    available: int


def routes(warehouse: WarehouseDesk, catalogue: Callable[[], Awaitable[Sequence[Listed]]]) -> list[Route]:
    """`/api/products`. The catalogue, with titles and prices, is another room's: it gives what is listed, by sku."""

    @get("/api/products")
    async def products(limit: Limit = 100, after: After = "") -> list[ProductView]:
        """What can be bought, by sku; `after` is the last sku seen."""
        listed = [each for each in await catalogue() if each.sku > after][:limit]
        left = await warehouse.available([each.sku for each in listed])
        return [ProductView(each.sku, each.title, each.price_minor, left.get(each.sku, 0)) for each in listed]

    return [open_to_all(products)]
