"""A reservation as one transaction that PostgreSQL prepares: its effect."""

from amends import Refusal, Tx
from shop.warehouse.contract import PrepareStock, ReserveStock
from shop.warehouse.participant import reserve_stock


async def prepare_stock(tx: Tx, command: PrepareStock) -> Refusal | None:
    """The whole effect, or a refusal."""
    [answer] = await reserve_stock(tx, [ReserveStock(command.order_id, command.lines)])
    return answer if isinstance(answer, Refusal) else None
