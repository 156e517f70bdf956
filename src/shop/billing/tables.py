"""Accounts, holds on wallets, and the ledger.

A row of `transfers` is a balanced pair, so the postings, two a transfer, sum to zero whatever is written. An account's
balance is what it was credited less what it was debited: money comes from `external`, whose balance is negative, into
wallets, and goes to `revenue` when it is captured.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader
from amends.errors import Conflict
from shop.billing import held, transactions
from shop.billing.contract import MoneyPaidIn, WalletIsOpen
from shop.billing.domain import Balance, Hold, HoldState, is_amount

EXTERNAL = "external"
REVENUE = "revenue"

MIGRATIONS = (
    Migration(
        1,
        "billing",
        (
            """
            create table accounts (
                id text primary key,
                kind text not null check (kind in ('wallet', 'external', 'revenue')),
                balance_minor bigint not null
                    check (balance_minor between -9000000000000000000 and 9000000000000000000),
                held_minor bigint not null check (held_minor >= 0),
                scope text not null,
                check (kind <> 'wallet' or balance_minor >= held_minor),
                check (kind = 'wallet' or held_minor = 0)
            )
            """,
            """
            insert into accounts (id, kind, balance_minor, held_minor, scope)
            values ('external', 'external', 0, 0, ''), ('revenue', 'revenue', 0, 0, '')
            """,
            """
            create table holds (
                id text primary key,
                account text not null references accounts (id),
                amount_minor bigint not null check (amount_minor > 0),
                state text not null check (state in ('held', 'captured', 'released', 'refunded'))
            )
            """,
            """
            create table transfers (
                id text primary key,
                debit text not null references accounts (id),
                credit text not null references accounts (id),
                amount_minor bigint not null check (amount_minor > 0),
                kind text not null check (kind in ('deposit', 'capture', 'refund')),
                at double precision not null,
                check (debit <> credit)
            )
            """,
            "create index transfers_from_wallets on transfers (debit, at, id) where kind = 'capture'",
            "create index transfers_to_wallets on transfers (credit, at, id) where kind <> 'capture'",
            """
            create view postings as
            select debit as account, -amount_minor as amount_minor, kind, at, id from transfers
            union all
            select credit as account, amount_minor, kind, at, id from transfers
            """,
        ),
    ),
    transactions.MIGRATION,
    held.MIGRATION,
)

insert_wallet = """
insert into accounts (id, kind, balance_minor, held_minor, scope)
values (:id, 'wallet', 0, 0, :scope)
on conflict (id) do nothing
"""
select_wallet = "select balance_minor, held_minor from accounts where id = :id and kind = 'wallet'"
select_free = """
select id, balance_minor - held_minor
from keys cross join accounts
where id = key and kind = 'wallet'
"""
change_account = """
update accounts
set balance_minor = balance_minor + :balance, held_minor = held_minor + :held
where id = :id
and held_minor + :held >= 0
and (kind <> 'wallet' or balance_minor + :balance >= held_minor + :held)
"""

select_holds = "select id, account, amount_minor, state from keys cross join holds where id = key"
insert_hold = "insert into holds (id, account, amount_minor, state) values (:id, :account, :amount, :state)"
change_hold = "update holds set state = :after where id = :id and state = :before"

insert_transfer = """
insert into transfers (id, debit, credit, amount_minor, kind, at)
values (:id, :debit, :credit, :amount, :kind, :at)
on conflict (id) do nothing
"""
select_newest_entries = """
select id, -amount_minor as amount_minor, kind, at from transfers
where debit = :account and kind = 'capture'
union all
select id, amount_minor, kind, at from transfers
where credit = :account and kind <> 'capture'
order by at desc, id desc
limit :limit
"""
select_older_entries = """
select id, -amount_minor as amount_minor, kind, at from transfers
where debit = :account and kind = 'capture' and (at, id) < (select at, id from transfers where id = :after)
union all
select id, amount_minor, kind, at from transfers
where credit = :account and kind <> 'capture' and (at, id) < (select at, id from transfers where id = :after)
order by at desc, id desc
limit :limit
"""

_STATES = {each.value: each for each in HoldState}


class Transfer(NamedTuple):
    """Takes an amount from the account `debit` to the account `credit`."""

    id: str
    debit: str
    credit: str
    amount_minor: int
    kind: str
    at: float


class Entry(NamedTuple):
    """A line of a wallet: what came in, or went out (negative), at a Unix time."""

    id: str
    amount_minor: int
    kind: str
    at: float


async def open_wallet(tx: Tx, wallet_id: str, scope: str = "") -> bool:
    """Opens an empty wallet and tells so; returns False when there is one already. `scope` says whose lists show it.

    Raises `ValueError` for the id of one of billing's own accounts.
    """
    if wallet_id in (EXTERNAL, REVENUE):
        raise ValueError(f"account {wallet_id!r} is billing's own: choose another id for the wallet")
    if await tx.run(insert_wallet, (wallet_id, scope)) == 0:
        return False
    tx.tell(WalletIsOpen(wallet_id), key=wallet_id)
    return True


async def wallet(reader: Reader, wallet_id: str) -> Balance | None:
    rows = await reader.fetch(select_wallet, (wallet_id,))
    return Balance(*rows[0]) if rows else None


async def deposit(tx: Tx, deposit_id: str, wallet_id: str, amount_minor: int) -> Balance | None:
    """Puts money into a wallet and tells so, once a deposit id; returns the balance, None when there is no such wallet.

    Raises `ValueError` unless 0 < amount_minor <= 10**12.
    """
    if not is_amount(amount_minor):
        raise ValueError(f"deposit {deposit_id}: {amount_minor} is no amount: it has to be from 1 to 10**12")
    if await wallet(tx, wallet_id) is None:
        return None
    made = Transfer(deposit_id, EXTERNAL, wallet_id, amount_minor, "deposit", tx.now)
    fresh = await tx.run(insert_transfer, made)
    if fresh:
        await change_accounts(tx, {EXTERNAL: Balance(-amount_minor, 0), wallet_id: Balance(amount_minor, 0)})
    after = await wallet(tx, wallet_id)
    if fresh and after is not None:
        tx.tell(MoneyPaidIn(wallet_id, deposit_id, amount_minor, after.balance_minor), key=wallet_id)
    return after


async def entries(reader: Reader, wallet_id: str, limit: int, after: str | None = None) -> list[Entry]:
    """The wallet's lines, newest first; `after` is the id of the last one seen. An unknown one is followed by none."""
    if after is None:
        rows = await reader.fetch(select_newest_entries, (wallet_id, limit))
    else:
        rows = await reader.fetch(select_older_entries, (wallet_id, after, limit))
    return [Entry(*row) for row in rows]


async def lock_free(tx: Tx, wallet_ids: Sequence[str]) -> dict[str, int]:
    """What each wallet has and doesn't hold; it stays so until the transaction has ended."""
    rows: list[tuple[str, int]] = await tx.lock_each(select_free, sorted({*wallet_ids}))
    return dict(rows)


async def find_holds(reader: Reader, ids: Sequence[str]) -> dict[str, Hold]:
    rows = await reader.fetch_each(select_holds, sorted(ids))
    return {id: Hold(account, amount, _STATES[state]) for id, account, amount, state in rows}


async def insert_holds(tx: Tx, holds: Mapping[str, Hold]) -> None:
    await tx.run_many(insert_hold, [(id, *hold) for id, hold in holds.items()])


async def change_holds(tx: Tx, holds: Mapping[str, Hold], after: HoldState) -> None:
    """Raises `Conflict` when one is not in the state any more in which it was seen."""
    rows = [(after, id, hold.state) for id, hold in sorted(holds.items())]
    _expect(len(rows), await tx.run_many(change_hold, rows), "a hold")


async def change_accounts(tx: Tx, changes: Mapping[str, Balance]) -> None:
    """Adds to balances. Raises `Conflict` when a wallet is short of the money."""
    rows = [(*change, id) for id, change in sorted(changes.items())]
    _expect(len(rows), await tx.run_many(change_account, rows), "an account")


async def insert_transfers(tx: Tx, transfers: Sequence[Transfer]) -> None:
    """Raises `Conflict` when one was made already."""
    _expect(len(transfers), await tx.run_many(insert_transfer, transfers), "the ledger")


def _expect(wanted: int, changed: int, what: str) -> None:
    if changed != wanted:
        raise Conflict(f"billing: {what} changed underneath: {changed} rows of {wanted} written; try again")
