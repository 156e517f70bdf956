"""What others may ask the warehouse, what it answers, and what it tells of orders with a number, their key."""

import msgspec

from amends import Command, Event, Refusal, Reply
from shop.service_status import ServiceStatus


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


class ReserveItems(WarehouseCommand):
    """`ReserveStock` for an order with a number; it is told. The id of an item is the last part of its sku."""

    order_id: str
    number: int
    lines: tuple[StockLine, ...]


class CancelItems(WarehouseCommand):
    """`ReleaseStock` of what `ReserveItems` reserved; it is told."""

    order_id: str
    number: int


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


class Item(msgspec.Struct, frozen=True, gc=False):
    item_id: int
    quantity: int


class ItemsWanted(Event):
    """The warehouse was asked to reserve."""

    topic = "orders.service.warehouse.reserv"
    order_id: int
    items: tuple[Item, ...]


class CancelWanted(Event):
    """The warehouse was asked to take a reservation back."""

    topic = "orders.service.warehouse.cancel"
    order_id: int


class WarehouseTold(Event):
    """What became of it; `operation` is `reserv` or `cancel`, `detail` the reason of a refusal."""

    topic = "orders.service.warehouse.status"
    order_id: int
    operation: str
    status: ServiceStatus
    detail: str = ""
