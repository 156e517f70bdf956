"""What others may ask the warehouse, and what it answers."""

import msgspec

from amends import Command, Refusal, Reply


class WarehouseCommand(Command):
    participant = "warehouse"


class StockLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    sku: str
    quantity: int


class ReserveStock(WarehouseCommand):
    order_id: str
    lines: tuple[StockLine, ...]


class ReleaseStock(WarehouseCommand):
    order_id: str


class StockReserved(Reply): ...


class StockReleased(Reply): ...


class OutOfStock(Refusal): ...
