"""What the owner of a wallet does with the money in it: pays in, pays, takes a payment back."""

from typing import assert_never

from amends.connections import Tx
from amends.errors import KeyReused
from shop.billing import tables, transactions
from shop.billing.contract import MoneyPaidOut
from shop.billing.domain import Balance, TransactionKind, Verdict, is_amount
from shop.billing.tables import REVENUE, Transfer
from shop.billing.transactions import Transaction


async def transact(
    tx: Tx, transaction_id: str, wallet_id: str, kind: TransactionKind, amount_minor: int
) -> Transaction | Verdict:
    """Moves money once a transaction id. `GONE`: there is no such wallet; `SHORT`: it hasn't, or paid, that much.

    Raises `KeyReused` when the id is that of another transaction, `ValueError` unless 0 < amount_minor <= 10**12.
    """
    if not is_amount(amount_minor):
        raise ValueError(f"transaction {transaction_id}: {amount_minor} is no amount: it has to be from 1 to 10**12")
    free = (await tables.lock_free(tx, [wallet_id])).get(wallet_id)
    known = await transactions.transaction(tx, transaction_id)
    if known is not None:
        return _same(known, transaction_id, (wallet_id, kind, amount_minor))
    if free is None:
        return Verdict.GONE
    if not await _may(tx, wallet_id, kind, amount_minor, free):
        return Verdict.SHORT
    await _move(tx, Transfer(transaction_id, *_accounts(kind, wallet_id), amount_minor, kind, tx.now))
    await transactions.number_transfers(tx, {transaction_id: wallet_id}, by_hand=True)
    made = await transactions.transaction(tx, transaction_id)
    assert made is not None
    return made


def _same(known: Transaction, id: str, asked: tuple[str, TransactionKind, int]) -> Transaction:
    if (known.wallet_id, known.kind, known.amount_minor) != asked:
        raise KeyReused(f"transaction {id} is another one: make a new key for a new intent")
    return known


async def _may(tx: Tx, wallet_id: str, kind: TransactionKind, amount_minor: int, free_minor: int) -> bool:
    match kind:
        case TransactionKind.DEPOSIT:
            return True
        case TransactionKind.CAPTURE:
            return amount_minor <= free_minor
        case TransactionKind.REFUND:
            return await transactions.may_refund(tx, wallet_id, amount_minor)
        case _:
            assert_never(kind)


def _accounts(kind: TransactionKind, wallet_id: str) -> tuple[str, str]:
    """Debit and credit."""
    match kind:
        case TransactionKind.DEPOSIT:
            return tables.EXTERNAL, wallet_id
        case TransactionKind.CAPTURE:
            return wallet_id, REVENUE
        case TransactionKind.REFUND:
            return REVENUE, wallet_id
        case _:
            assert_never(kind)


async def _move(tx: Tx, transfer: Transfer) -> None:
    id, debit, credit, amount_minor, kind, _ = transfer
    if kind == TransactionKind.DEPOSIT:
        await tables.deposit(tx, id, credit, amount_minor)
        return
    await tables.change_accounts(tx, {debit: Balance(-amount_minor, 0), credit: Balance(amount_minor, 0)})
    await tables.insert_transfers(tx, [transfer])
    if kind == TransactionKind.CAPTURE:
        await transactions.let_refund(tx, debit, amount_minor)
        after = await tables.wallet(tx, debit)
        assert after is not None, f"wallet {debit} is locked"
        tx.tell(MoneyPaidOut(debit, id, amount_minor, after.balance_minor), key=debit)
