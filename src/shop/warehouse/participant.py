"""What the warehouse does when it is asked."""

from collections.abc import Iterable, Sequence

from amends import Participant, Refusal, Reply, Tx
from shop.held import delete_held, insert_held, lock_held
from shop.warehouse.contract import (
    ConfirmStock,
    DropStock,
    HoldStock,
    OutOfStock,
    ReleaseStock,
    ReserveStock,
    StockConfirmed,
    StockDropped,
    StockGone,
    StockHeld,
    StockReleased,
    StockReserved,
)
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
_HELD = StockHeld()
_CONFIRMED = StockConfirmed()
_GONE = StockGone()
_DROPPED = StockDropped()


@warehouse.handles_many(ReserveStock)
async def reserve_stock(tx: Tx, commands: Sequence[ReserveStock]) -> list[Reply | Refusal]:
    """All lines of an order, or none of them."""
    answers, _ = await _reserve_all(tx, commands)
    return answers


@warehouse.handles_many(ReleaseStock)
async def release_stock(tx: Tx, commands: Sequence[ReleaseStock]) -> list[Reply | Refusal]:
    await release(tx, [each.order_id for each in commands])
    return [_RELEASED] * len(commands)


@warehouse.handles_many(HoldStock)
async def hold_stock(tx: Tx, commands: Sequence[HoldStock]) -> list[Reply | Refusal]:
    answers, fresh = await _reserve_all(tx, commands)
    stand = {each.order_id: tx.now + each.stands_s if each.stands_s else None for each in commands}
    await insert_held(tx, [(id, stand[id]) for id in sorted(fresh)])
    return [_HELD if answer is _RESERVED else answer for answer in answers]


@warehouse.handles_many(ConfirmStock)
async def confirm_stock(tx: Tx, commands: Sequence[ConfirmStock]) -> list[Reply | Refusal]:
    """What is still there is confirmed, however late."""
    ids = [each.order_id for each in commands]
    await delete_held(tx, list(await lock_held(tx, ids)))
    stand = await find_reservations(tx, ids)
    return [_CONFIRMED if id in stand else _GONE for id in ids]


@warehouse.handles_many(DropStock)
async def drop_stock(tx: Tx, commands: Sequence[DropStock]) -> list[Reply | Refusal]:
    await drop(tx, [each.order_id for each in commands])
    return [_DROPPED] * len(commands)


async def drop(tx: Tx, order_ids: Sequence[str]) -> int:
    """Releases those of the orders that are held; returns how many."""
    held = list(await lock_held(tx, order_ids))
    if held:
        await delete_held(tx, held)
        await release(tx, held)
    return len(held)


async def release(tx: Tx, order_ids: Sequence[str]) -> None:
    known = await find_reservations(tx, order_ids)
    reservations = [row for rows in known.values() for row in rows]
    if reservations:
        await delete_reservations(tx, reservations)
        await change_stock(tx, _by_sku(reservations, -1))


async def _reserve_all(
    tx: Tx, commands: Sequence[ReserveStock] | Sequence[HoldStock]
) -> tuple[list[Reply | Refusal], Iterable[str]]:
    """Also the ids of the orders that had no reservation before."""
    known = await find_reservations(tx, [each.order_id for each in commands])
    free = await lock_available(tx, [line.sku for each in commands for line in each.lines])
    fresh: dict[str, list[Reservation]] = {}
    answers = [_reserve(each, free, known, fresh) for each in commands]
    reservations = [row for rows in fresh.values() for row in rows]
    if reservations:
        await change_stock(tx, _by_sku(reservations, +1))
        await insert_reservations(tx, reservations)
    return answers, fresh


def _reserve(
    command: ReserveStock | HoldStock,
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
