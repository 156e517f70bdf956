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


class HoldStock(WarehouseCommand):
    """Reserves what has still to be confirmed; after `stands_s` seconds without that it is released, 0: never."""

    order_id: str
    lines: tuple[StockLine, ...]
    stands_s: float = 0.0


class ConfirmStock(WarehouseCommand):
    order_id: str


class DropStock(WarehouseCommand):
    """Releases what was held and not confirmed."""

    order_id: str


class PrepareStock(WarehouseCommand):
    """A vote by prepared transaction: the whole reservation, seen by nobody before its commit."""

    order_id: str
    lines: tuple[StockLine, ...]


class CommitStock(WarehouseCommand): ...


class AbortStock(WarehouseCommand): ...


class StockReserved(Reply): ...


class StockReleased(Reply): ...


class StockHeld(Reply): ...


class StockConfirmed(Reply): ...


class StockDropped(Reply): ...


class OutOfStock(Refusal): ...


class StockGone(Refusal):
    """Too late: what was held has been released."""
