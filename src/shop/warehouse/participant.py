"""What the warehouse does when it is asked."""

from collections.abc import Iterable, Sequence

from amends import Participant, Refusal, Reply, Tx
from shop.warehouse.contract import OutOfStock, ReleaseStock, ReserveStock, StockReleased, StockReserved
from shop.warehouse.domain import fits, wanted
from shop.warehouse.tables import (
    Reservation,
    change_stock,
    delete_reservations,
    find_reservations,
    insert_reservations,
    lock_available,
)

warehouse = Participant("warehouse")

_RESERVED = StockReserved()
_REFUSED = OutOfStock()
_RELEASED = StockReleased()


@warehouse.handles_many(ReserveStock)
async def reserve_stock(tx: Tx, commands: Sequence[ReserveStock]) -> list[Reply | Refusal]:
    """All lines of an order, or none of them."""
    known = await find_reservations(tx, [each.order_id for each in commands])
    free = await lock_available(tx, [line.sku for each in commands for line in each.lines])
    fresh: dict[str, list[Reservation]] = {}
    answers = [_reserve(each, free, known, fresh) for each in commands]
    reservations = [row for rows in fresh.values() for row in rows]
    if reservations:
        await change_stock(tx, _by_sku(reservations, +1))
        await insert_reservations(tx, reservations)
    return answers


@warehouse.handles_many(ReleaseStock)
async def release_stock(tx: Tx, commands: Sequence[ReleaseStock]) -> list[Reply | Refusal]:
    known = await find_reservations(tx, [each.order_id for each in commands])
    reservations = [row for rows in known.values() for row in rows]
    if reservations:
        await delete_reservations(tx, reservations)
        await change_stock(tx, _by_sku(reservations, -1))
    return [_RELEASED] * len(commands)


def _reserve(
    command: ReserveStock,
    free: dict[str, int],
    known: dict[str, list[Reservation]],
    fresh: dict[str, list[Reservation]],
) -> Reply | Refusal:
    """Decides, and notes the effect for the commands behind this one."""
    id = command.order_id
    if id in known or id in fresh:
        return _RESERVED
    quantities = wanted((line.sku, line.quantity) for line in command.lines)
    if quantities is None or not fits(quantities, free):
        return _REFUSED
    for sku, quantity in quantities.items():
        free[sku] -= quantity
    fresh[id] = [Reservation(id, sku, quantity) for sku, quantity in quantities.items()]
    return _RESERVED


def _by_sku(reservations: Iterable[Reservation], sign: int) -> dict[str, int]:
    sums: dict[str, int] = {}
    for _, sku, quantity in reservations:
        sums[sku] = sums.get(sku, 0) + sign * quantity
    return sums
