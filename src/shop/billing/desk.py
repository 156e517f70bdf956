"""What others may ask billing directly: what is in a wallet, money to put in and to take out."""

from amends.connections import Tx
from amends.pages import KeyScope
from amends.service import Service
from shop.billing import tables, transactions
from shop.billing.depositing import Deposit, Depositing
from shop.billing.domain import Balance, Hold, HoldState, TransactionKind, Verdict
from shop.billing.paying import pay
from shop.billing.tables import Entry
from shop.billing.transacting import transact
from shop.billing.transactions import Transaction
from shop.web.problems import Answer

__all__ = [
    "Balance",
    "BillingDesk",
    "Deposit",
    "Entry",
    "Hold",
    "HoldState",
    "Transaction",
    "TransactionKind",
    "Verdict",
]


class BillingDesk:
    """Billing, for the shop's edges. Amounts are in minor units of `currency`."""

    def __init__(self, service: Service, currency: str = "EUR") -> None:
        self._service = service
        self._storage = service.storage
        self._depositing = Depositing(service, currency)

    async def wallet(self, wallet_id: str) -> Balance | None:
        """What is in a wallet; None when there is none."""
        async with self._storage.reading() as reader:
            return await tables.wallet(reader, wallet_id)

    async def entries(self, wallet_id: str, limit: int, after: str | None = None) -> list[Entry]:
        """The wallet's lines, newest first; `after` is the id of the last one seen."""
        async with self._storage.reading() as reader:
            return await tables.entries(reader, wallet_id, limit, after)

    async def open_wallet(self, wallet_id: str, scope: str) -> Balance | None:
        """Opens a wallet unless there is one; returns what is in it. `scope` says whose lists show it."""

        async def opened(tx: Tx) -> Balance | None:
            await tables.open_wallet(tx, wallet_id, scope)
            return await tables.wallet(tx, wallet_id)

        return await self._service.transact(opened)

    async def deposit(self, deposit_id: str, wallet_id: str, amount_minor: int) -> Balance | None:
        """Puts money in, once a deposit id; returns what is in it then, None when there is no such wallet."""
        return await self._service.transact(lambda tx: tables.deposit(tx, deposit_id, wallet_id, amount_minor))

    async def pay(self, payment_id: str, wallet_id: str, amount_minor: int) -> bool | None:
        """Takes money out, once a payment id; False when the wallet is too small, None when there is no such wallet."""
        return await self._service.transact(lambda tx: pay(tx, payment_id, wallet_id, amount_minor))

    async def deposit_once(self, key: KeyScope, wallet_id: str, amount_minor: int) -> Answer:
        """Puts money in, once an idempotency key: 201 with a `Deposit`, or 404. Raises `KeyReused`, `KeyInUse`."""
        return await self._depositing.put(key, wallet_id, amount_minor)

    async def transact(
        self, transaction_id: str, wallet_id: str, kind: TransactionKind, amount_minor: int
    ) -> Transaction | Verdict:
        """Pays in, pays, or takes a payment by hand back, once a transaction id. Raises `KeyReused`.

        `GONE`: there is no such wallet; `SHORT`: there is not that much in it, or was not paid by hand.
        """
        return await self._service.transact(lambda tx: transact(tx, transaction_id, wallet_id, kind, amount_minor))

    async def transactions(self, wallet_id: str, limit: int, before: int | None = None) -> list[Transaction]:
        """The wallet's numbered transfers, newest first; `before` is the number of the last one seen."""
        async with self._storage.reading() as reader:
            return await transactions.transactions(reader, wallet_id, limit, before)

    async def hold(self, hold_id: str) -> Hold | None:
        """A hold or a payment as it stands."""
        async with self._storage.reading() as reader:
            return (await tables.find_holds(reader, [hold_id])).get(hold_id)
