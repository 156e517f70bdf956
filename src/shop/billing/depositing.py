"""Putting money into a wallet, once an idempotency key."""

import msgspec

from amends.connections import Tx
from amends.idempotency import IdempotencyKeys, fingerprint
from amends.pages import KeyScope
from amends.service import Service
from shop.billing.tables import deposit
from shop.web import Answer, Problem, answer_once

_encode = msgspec.json.Encoder().encode


class Deposit(msgspec.Struct, frozen=True):
    """A deposit, and the wallet's balance after it."""

    id: str
    amount_minor: int
    balance_minor: int
    currency: str


class Depositing:
    """Deposits into the wallets of one billing database."""

    def __init__(self, service: Service, currency: str) -> None:
        self._service = service
        self._keys = IdempotencyKeys(service.storage)
        self._currency = currency

    async def put(self, scope: KeyScope, wallet_id: str, amount_minor: int) -> Answer:
        """201 with a `Deposit`, or 404; the same key gets the same answer. Raises `KeyReused`."""
        wanted = fingerprint(_encode((wallet_id, amount_minor)))

        async def once(tx: Tx) -> Answer:
            return await answer_once(self._keys, tx, scope, wanted, lambda: self._put(tx, wallet_id, amount_minor))

        return await self._service.transact(once)

    async def _put(self, tx: Tx, wallet_id: str, amount_minor: int) -> Answer:
        id = self._service.runtime.new_id()
        after = await deposit(tx, id, wallet_id, amount_minor)
        if after is None:
            return Problem(404, "not-found", f"there is no wallet {wallet_id}").answer()
        made = Deposit(id, amount_minor, after.balance_minor, self._currency)
        return Answer(201, [(b"content-type", b"application/json")], _encode(made))
