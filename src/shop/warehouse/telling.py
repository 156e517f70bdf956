"""Orders with a number: the same work as for others, and everybody is told what was asked and what became of it."""

from collections.abc import Sequence

from amends import Refusal, Reply, Tx
from amends.faults import Refuse, RefusedByFault
from amends.messages import Command, Event, reason_of, type_name
from shop.service_status import ServiceStatus
from shop.warehouse.contract import (
    CancelItems,
    CancelWanted,
    Item,
    ItemsWanted,
    ReleaseStock,
    ReserveItems,
    ReserveStock,
    StockLine,
    WarehouseTold,
)
from shop.warehouse.participant import release_stock, reserve_stock, warehouse

TOLD: tuple[type[Event], ...] = (ItemsWanted, CancelWanted, WarehouseTold)


@warehouse.handles_many(ReserveItems)
async def reserve_items(tx: Tx, commands: Sequence[ReserveItems]) -> Sequence[Reply | Refusal]:
    answers = await reserve_stock(tx, [ReserveStock(each.order_id, each.lines) for each in commands])
    for command, answer in zip(commands, answers, strict=True):
        _tell_reserved(tx, command, answer)
    return answers


@warehouse.handles_many(CancelItems)
async def cancel_items(tx: Tx, commands: Sequence[CancelItems]) -> Sequence[Reply | Refusal]:
    for each in commands:
        tx.tell(CancelWanted(each.number), key=str(each.number))
        tx.tell(WarehouseTold(each.number, "cancel", ServiceStatus.ACCEPTED), key=str(each.number))
        tx.tell(WarehouseTold(each.number, "cancel", ServiceStatus.OK), key=str(each.number))
    return await release_stock(tx, [ReleaseStock(each.order_id) for each in commands])


async def refuse_items(tx: Tx, command: ReserveItems) -> Refusal:
    """On purpose."""
    refused = RefusedByFault()
    _tell_reserved(tx, command, refused)
    return refused


REFUSALS: dict[type[Command], Refuse] = {ReserveItems: refuse_items}


def _tell_reserved(tx: Tx, command: ReserveItems, answer: Reply | Refusal) -> None:
    number, key = command.number, str(command.number)
    refused = isinstance(answer, Refusal)
    end = ServiceStatus.NOT_OK if refused else ServiceStatus.OK
    tx.tell(ItemsWanted(number, tuple(map(_item, command.lines))), key=key)
    tx.tell(WarehouseTold(number, "reserv", ServiceStatus.ACCEPTED), key=key)
    detail = reason_of(type_name(type(answer))) if refused else ""
    tx.tell(WarehouseTold(number, "reserv", end, detail), key=key)


def _item(line: StockLine) -> Item:
    return Item(int(line.sku.rpartition("/")[2]), line.quantity)
