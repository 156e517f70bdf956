"""Paying out of a wallet at once, without a hold before: the hold is made captured."""

from amends.connections import Tx
from shop.billing import domain
from shop.billing.contract import MoneyPaidOut, PaymentRefused
from shop.billing.domain import Balance, Hold, HoldState, Verdict
from shop.billing.tables import (
    REVENUE,
    Transfer,
    change_accounts,
    find_holds,
    insert_holds,
    insert_transfers,
    lock_free,
    wallet,
)


async def pay(tx: Tx, payment_id: str, wallet_id: str, amount_minor: int) -> bool | None:
    """Takes money out, once a payment id, and tells so; True when it is paid.

    False: the wallet is too small; nothing is changed, which is told, too. None: there is no such wallet. Raises
    `ValueError` unless 0 < amount_minor <= 10**12, and for the id of something else.
    """
    if not domain.is_amount(amount_minor):
        raise ValueError(f"payment {payment_id}: {amount_minor} is no amount: it has to be from 1 to 10**12")
    free = (await lock_free(tx, [wallet_id])).get(wallet_id)
    if free is None:
        return None
    known = (await find_holds(tx, [payment_id])).get(payment_id)
    asked = Hold(wallet_id, amount_minor, HoldState.CAPTURED)
    verdict = domain.pay(known, asked, free)
    if verdict is Verdict.GONE:
        raise ValueError(f"payment {payment_id} is another payment or a hold: make a new id for a new payment")
    if verdict is Verdict.DO:
        await _take(tx, payment_id, asked)
    if verdict is not Verdict.DONE:
        await _tell(tx, payment_id, asked, verdict)
    return verdict is not Verdict.SHORT


async def _take(tx: Tx, payment_id: str, paid: Hold) -> None:
    wallet_id, amount_minor, _ = paid
    await change_accounts(tx, {wallet_id: Balance(-amount_minor, 0), REVENUE: Balance(amount_minor, 0)})
    await insert_holds(tx, {payment_id: paid})
    made = Transfer(f"{payment_id}/capture", wallet_id, REVENUE, amount_minor, "capture", tx.now)
    await insert_transfers(tx, [made])


async def _tell(tx: Tx, payment_id: str, asked: Hold, verdict: Verdict) -> None:
    wallet_id, amount_minor, _ = asked
    after = await wallet(tx, wallet_id)
    assert after is not None, f"wallet {wallet_id} is locked"
    event = PaymentRefused if verdict is Verdict.SHORT else MoneyPaidOut
    tx.tell(event(wallet_id, payment_id, amount_minor, after.balance_minor), key=wallet_id)
