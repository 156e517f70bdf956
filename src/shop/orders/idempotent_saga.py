"""The saga of the dialect `idempotent-orders`: the account is found, the money taken, the order completed and told."""

from amends import Saga, begun, compensatable, retriable
from shop.billing.contract import FindWallet, LeaveWallet, ReturnMoney, TakeMoney
from shop.orders.contract import CompleteOrder, ReopenOrder, TellCompleted
from shop.orders.sagas import Purchase, reject

FIND, PAY, COMPLETE, TELL = "find account", "create payment", "complete order", "tell order-completed"


def find_account(order: Purchase) -> FindWallet:
    return FindWallet(order.wallet_id)


def leave_account(order: Purchase) -> LeaveWallet:
    return LeaveWallet(order.wallet_id)


def create_payment(order: Purchase) -> TakeMoney:
    return TakeMoney(order.order_id, order.wallet_id, order.total_minor)


def return_payment(order: Purchase) -> ReturnMoney:
    return ReturnMoney(order.order_id)


def complete(order: Purchase) -> CompleteOrder:
    return CompleteOrder(order.order_id)


def reopen(order: Purchase) -> ReopenOrder:
    return ReopenOrder(order.order_id)


def tell_completed(order: Purchase) -> TellCompleted:
    return TellCompleted(order.order_id, order.number, order.user_id, order.total_minor)


place_once = Saga(
    "place-once",
    Purchase,
    begun("create order", undo=reject),
    compensatable(FIND, find_account, undo=leave_account),
    compensatable(PAY, create_payment, undo=return_payment),
    compensatable(COMPLETE, complete, undo=reopen),
    retriable(TELL, tell_completed),
    deadline_s=60,
)
