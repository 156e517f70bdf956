"""What others may ask billing, and what it answers. Amounts are in minor units; `hold` is made by who asks."""

from amends import Command, Refusal, Reply


class BillingCommand(Command):
    participant = "billing"


class OpenWallet(BillingCommand):
    wallet_id: str


class HoldMoney(BillingCommand):
    hold_id: str
    wallet_id: str
    amount_minor: int


class ReleaseMoney(BillingCommand):
    hold_id: str


class CaptureMoney(BillingCommand):
    hold_id: str


class RefundMoney(BillingCommand):
    """Gives back what a hold has captured."""

    hold_id: str


class WalletOpened(Reply): ...


class MoneyHeld(Reply): ...


class MoneyReleased(Reply): ...


class MoneyCaptured(Reply): ...


class MoneyRefunded(Reply): ...


class InsufficientFunds(Refusal): ...


class HoldGone(Refusal):
    """The hold is not there, or not in a state in which this can be done."""
