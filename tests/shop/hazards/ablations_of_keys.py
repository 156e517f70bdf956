"""Rules of idempotency keys, each taken out by a patch."""

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from amends import idempotency
from amends.adapters.sqlite.idempotency_keys import SqliteKeys
from amends.connections import Reader, Tx
from amends.idempotency import IdempotencyKeys, fingerprint
from amends.pages import KeyScope, StoredAnswer
from shop.billing.depositing import Depositing
from shop.orders import placing
from shop.orders.placing import Batch, OrderIntake, Placing
from shop.web import Answer

Patch = pytest.MonkeyPatch


def keys_of_orders_are_not_read(patch: Patch) -> None:
    """Who loses a race finds out by the constraint, and doesn't look."""

    async def nothing(self: OrderIntake, tx: Tx, placings: Sequence[Placing]) -> dict[KeyScope, StoredAnswer]:
        return {}

    patch.setattr(OrderIntake, "_known_keys", nothing)


def keys_of_orders_are_not_stored(patch: Patch) -> None:
    async def store(self: OrderIntake, *arguments: Any) -> None: ...

    patch.setattr(OrderIntake, "_store", store)


def keys_are_not_inserted(patch: Patch) -> None:
    async def claim(self: IdempotencyKeys, tx: Tx, scope: KeyScope, wanted: bytes) -> None: ...

    async def finish(self: IdempotencyKeys, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> None: ...

    patch.setattr(IdempotencyKeys, "claim", claim)
    patch.setattr(IdempotencyKeys, "finish", finish)


def claims_are_durable_and_never_end(patch: Patch) -> None:
    """The key goes in by a transaction of its own, without a lease."""
    put = Depositing.put

    async def claimed(self: Depositing, scope: KeyScope, wallet_id: str, amount_minor: int) -> Answer:
        wanted = fingerprint(msgspec.json.encode((wallet_id, amount_minor)))
        async with self._service.transaction() as tx:
            await self._keys.claim(tx, scope, wanted, lease_s=1e9)
        return await put(self, scope._replace(key=f"{scope.key} "), wallet_id, amount_minor)

    patch.setattr(Depositing, "put", claimed)


def leases_never_end(patch: Patch) -> None:
    judging = idempotency.judge
    for module in (idempotency, placing):
        patch.setattr(
            module, "judge", lambda stored, wanted, now: judging(stored, wanted, _before_the_end(stored, now))
        )


def _before_the_end(stored: StoredAnswer | None, now: float) -> float:
    return now if stored is None else min(now, stored.lease_until - 1)


def lapsed_claims_are_not_taken_over(patch: Patch) -> None:
    """The key is free, and yet in the table."""

    async def store(self: OrderIntake, tx: Tx, answers: Sequence[Any], known: object) -> None:
        await self._storage.keys.insert(tx, answers)

    patch.setattr(OrderIntake, "_store", store)


def refused_orders_are_forgotten(patch: Patch) -> None:
    patch.setattr(Batch, "add", lambda self, each: self.results.append(self._decide(each, len(self.results))))


def refusals_are_forgotten(patch: Patch) -> None:
    finish = IdempotencyKeys.finish

    async def finish_successes(self: IdempotencyKeys, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> StoredAnswer:
        lapsed = answer._replace(status=0) if answer.status >= 400 else answer
        return await finish(self, tx, scope, lapsed)

    patch.setattr(IdempotencyKeys, "finish", finish_successes)


def keys_belong_to_everybody(patch: Patch) -> None:
    for module in ("orders.counter", "billing.api"):
        patch.setattr(f"shop.{module}.KeyScope", lambda _, *rest: KeyScope("everybody", *rest))


def principals_are_not_compared(patch: Patch) -> None:
    """The table is read by key alone."""
    known = SqliteKeys.known

    async def shared(self: SqliteKeys, tx: Reader, scopes: Sequence[KeyScope]) -> dict[KeyScope, StoredAnswer]:
        found = {scope.key: answer for scope, answer in (await known(self, tx, scopes)).items()}
        return {scope: found[scope.key] for scope in scopes if scope.key in found}

    patch.setattr(SqliteKeys, "known", shared)


def bodies_are_not_compared(patch: Patch) -> None:
    judging = idempotency.judge
    for module in (idempotency, placing):
        patch.setattr(
            module, "judge", lambda stored, _, now: judging(stored, stored.fingerprint if stored else b"", now)
        )
