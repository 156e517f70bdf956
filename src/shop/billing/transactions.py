"""Transfers under numbers, as the owners of wallets see them, and what of their payments may be given back to them.

A transaction is a transfer between a wallet and one of billing's own accounts: a `deposit`, a `capture` or a `refund`.
`by_hand`: the owner asked for it, no saga. Only such payments can be refunded by hand; those of a saga are its own.
"""

from collections.abc import Mapping
from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader
from shop.billing.domain import TransactionKind

MIGRATION = Migration(
    2,
    "transactions",
    (
        """
        create table transactions (
            number bigint primary key,
            account text not null references accounts (id),
            transfer text not null unique references transfers (id),
            by_hand bigint not null check (by_hand in (0, 1))
        )
        """,
        "create index transactions_of_account on transactions (account, number)",
        """
        create table last_transaction (
            one bigint primary key check (one = 1),
            number bigint not null
        )
        """,
        "insert into last_transaction (one, number) values (1, 0)",
        """
        create table refundable (
            account text primary key references accounts (id),
            amount_minor bigint not null check (amount_minor >= 0)
        )
        """,
    ),
)

take_numbers = "update last_transaction set number = number + :count where one = 1"
select_last_number = "select number from last_transaction where one = 1"
insert_transaction = """
insert into transactions (number, account, transfer, by_hand) values (:number, :account, :transfer, :by_hand)
"""
select_transaction = """
select number, account, kind, amount_minor, at
from transactions join transfers on id = transfer
where transfer = :transfer
"""
select_transactions = """
select number, account, kind, amount_minor, at
from transactions join transfers on id = transfer
where account = :account and number < :before
order by number desc
limit :limit
"""
add_refundable = """
insert into refundable (account, amount_minor) values (:account, :amount)
on conflict (account) do update set amount_minor = refundable.amount_minor + excluded.amount_minor
"""
use_refundable = """
update refundable set amount_minor = amount_minor - :amount where account = :account and amount_minor >= :amount
"""

_LAST = 2**63 - 1


class Transaction(NamedTuple):
    """A transfer from or to a wallet, under its number; `at` is Unix time in seconds."""

    number: int
    wallet_id: str
    kind: TransactionKind
    amount_minor: int
    at: float


async def number_transfers(tx: Tx, wallets: Mapping[str, str], *, by_hand: bool = False) -> None:
    """Gives transfers, by id with their wallets, the next numbers in this order."""
    await tx.run(take_numbers, (len(wallets),))
    [(last,)] = await tx.fetch(select_last_number)
    first = last - len(wallets) + 1
    rows = [(first + nth, wallet, id, int(by_hand)) for nth, (id, wallet) in enumerate(wallets.items())]
    await tx.run_many(insert_transaction, rows)


async def transaction(reader: Reader, transfer_id: str) -> Transaction | None:
    rows = await reader.fetch(select_transaction, (transfer_id,))
    return _transaction(*rows[0]) if rows else None


async def transactions(reader: Reader, wallet_id: str, limit: int, before: int | None = None) -> list[Transaction]:
    """The wallet's, newest first; `before` is the number of the last one seen."""
    rows = await reader.fetch(select_transactions, (wallet_id, before or _LAST, limit))
    return [_transaction(*row) for row in rows]


async def let_refund(tx: Tx, wallet_id: str, amount_minor: int) -> None:
    """A payment by hand: so much more may be refunded by hand."""
    await tx.run(add_refundable, (wallet_id, amount_minor))


async def may_refund(tx: Tx, wallet_id: str, amount_minor: int) -> bool:
    """Uses up what may be refunded by hand; False when that is less."""
    return await tx.run(use_refundable, {"account": wallet_id, "amount": amount_minor}) == 1


def _transaction(number: int, wallet_id: str, kind: str, amount_minor: int, at: float) -> Transaction:
    return Transaction(number, wallet_id, TransactionKind(kind), amount_minor, at)
