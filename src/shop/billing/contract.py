"""What others may ask billing, what it answers, and what it tells everybody. Amounts are in minor units.

Ids of holds are made by who asks. The key of an event is its wallet.
"""

from amends import Command, Event, Refusal, Reply


class BillingCommand(Command):
    participant = "billing"


class OpenWallet(BillingCommand):
    wallet_id: str


class HoldMoney(BillingCommand):
    hold_id: str
    wallet_id: str
    amount_minor: int


class HoldMoneyFor(BillingCommand):
    """A hold that is released by itself unless it is captured or released within `stands_s` seconds."""

    hold_id: str
    wallet_id: str
    amount_minor: int
    stands_s: float


class PreparePayment(BillingCommand):
    """A vote by prepared transaction: the whole payment, seen by nobody before its commit."""

    hold_id: str
    wallet_id: str
    amount_minor: int


class CommitPayment(BillingCommand): ...


class AbortPayment(BillingCommand): ...


class ReleaseMoney(BillingCommand):
    hold_id: str


class CaptureMoney(BillingCommand):
    hold_id: str


class RefundMoney(BillingCommand):
    """Gives back what a hold has captured."""

    hold_id: str


class FindWallet(BillingCommand):
    """Asks whether there is such a wallet."""

    wallet_id: str


class LeaveWallet(BillingCommand):
    """Undoes `FindWallet`, which has changed nothing."""

    wallet_id: str


class TakeMoney(BillingCommand):
    """A payment: takes money off a wallet at once. Its id is one of a hold, and its owner sees it under a number."""

    payment_id: str
    wallet_id: str
    amount_minor: int


class ReturnMoney(BillingCommand):
    """Gives a payment back, if there was one."""

    payment_id: str


class WalletOpened(Reply): ...


class MoneyHeld(Reply): ...


class MoneyReleased(Reply): ...


class MoneyCaptured(Reply): ...


class MoneyRefunded(Reply): ...


class WalletFound(Reply): ...


class WalletLeft(Reply): ...


class MoneyTaken(Reply): ...


class MoneyReturned(Reply): ...


class InsufficientFunds(Refusal): ...


class NoSuchWallet(Refusal): ...


class HoldGone(Refusal):
    """The hold is not there, or not in a state in which this can be done."""


class BillingEvent(Event):
    topic = "billing.events"
    wallet_id: str


class WalletIsOpen(BillingEvent): ...


class MoneyPaidIn(BillingEvent):
    """`balance_minor` is what is in the wallet afterwards."""

    deposit_id: str
    amount_minor: int
    balance_minor: int


class MoneyPaidOut(BillingEvent):
    """Paid out of a wallet by hand, not for an order; `balance_minor` is what is in it afterwards."""

    payment_id: str
    amount_minor: int
    balance_minor: int


class PaymentRefused(BillingEvent):
    """The wallet was too small to pay so much; nothing was changed."""

    payment_id: str
    amount_minor: int
    balance_minor: int
