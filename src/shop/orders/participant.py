"""What orders does when asked: an order is approved, turned back, taken back, told of."""

from collections.abc import Sequence

from amends import Participant, Tx
from shop.orders import tables
from shop.orders.contract import (
    ApproveOrder,
    CancelOrder,
    CompletedTold,
    CompleteOrder,
    OrderApproved,
    OrderCancelled,
    OrderCompleted,
    OrderNotPending,
    OrderRejected,
    OrderReopened,
    RejectOrder,
    ReopenOrder,
    TellCompleted,
)
from shop.orders.domain import verdict

orders = Participant("orders")


@orders.handles_many(ApproveOrder)
async def approve(tx: Tx, commands: Sequence[ApproveOrder]) -> list[OrderApproved]:
    await tx.run_many(tables.approve_order, [(command.order_id,) for command in commands])
    return [OrderApproved()] * len(commands)


@orders.handles_many(RejectOrder)
async def reject(tx: Tx, commands: Sequence[RejectOrder]) -> list[OrderRejected]:
    known = await tables.load(tx, [command.order_id for command in commands])
    rows = []
    for command in commands:
        by_card = known[command.order_id].pay_with.startswith("card:")
        status, reason = verdict(command.reason, by_card)
        rows.append((status.value, reason, command.order_id))
    await tx.run_many(tables.turn_order_back, rows)
    return [OrderRejected()] * len(commands)


@orders.handles(CancelOrder)
async def cancel(tx: Tx, command: CancelOrder) -> OrderCancelled:
    await tx.run(tables.cancel_approved_order, (command.order_id,))
    return OrderCancelled()


@orders.handles(CompleteOrder)
async def complete(tx: Tx, command: CompleteOrder) -> OrderApproved | OrderNotPending:
    approved = await tx.run(tables.approve_order, (command.order_id,))
    return OrderApproved() if approved else OrderNotPending()


@orders.handles(ReopenOrder)
async def reopen(tx: Tx, command: ReopenOrder) -> OrderReopened:
    await tx.run(tables.reopen_order, (command.order_id,))
    return OrderReopened()


@orders.handles(TellCompleted)
async def tell_completed(tx: Tx, command: TellCompleted) -> CompletedTold:
    told = OrderCompleted(command.order_id, command.number, command.user_id, command.total_minor)
    tx.tell(told, key=command.order_id)
    return CompletedTold()
