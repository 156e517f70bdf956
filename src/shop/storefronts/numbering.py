"""The small growing numbers by which storefronts' clients know orders."""

from collections.abc import Sequence
from typing import NamedTuple

from amends.connections import Reader
from shop.orders import tables

numbers_by_order = "select order_id, number, scope from keys cross join order_numbers on order_id = key"


class Numbered(NamedTuple):
    number: int
    order_id: str


async def last_order(reader: Reader, scope: str) -> Numbered | None:
    """The newest order of a storefront."""
    rows = await reader.fetch(tables.last_number, (scope,))
    return Numbered(rows[0][0], rows[0][1]) if rows else None


async def numbers_of(reader: Reader, scope: str, order_ids: Sequence[str]) -> dict[str, int]:
    """The numbers of those orders that the storefront has numbered."""
    rows = await reader.fetch_each(numbers_by_order, order_ids)
    return {order_id: number for order_id, number, owner in rows if owner == scope}
