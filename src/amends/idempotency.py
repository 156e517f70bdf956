"""Idempotency keys: a client's name for one intent; the same key gets the same answer.

    no row ──claim──▶ running (a lease) ──store──▶ answered ──the same request──▶ the stored answer again
                        │      └─ another request meanwhile: `KeyInUse`
                        └─ lease over (the first one crashed): the next request takes the claim over

A key belongs to (principal, method, route). Where effect and answer are one transaction, `first` and `store` inside it
are all that is needed; where they are not, `claim` comes first, in a transaction of its own. After the draft "The
Idempotency-Key HTTP Header Field" (IETF httpapi).
"""

import hashlib
from collections.abc import Sequence

from amends.connections import Tx
from amends.errors import KeyInUse, KeyReused
from amends.pages import KeyScope, StoredAnswer
from amends.ports import Storage

RUNNING = 0
LEASE_S = 30.0


def fingerprint(body: bytes) -> bytes:
    """What makes two requests the same request."""
    return hashlib.sha256(body).digest()


def judge(stored: StoredAnswer | None, wanted: bytes, now: float) -> StoredAnswer | None:
    """The answer to give again, or None when this request is the first.

    `wanted` is the request's fingerprint, `now` Unix time in seconds. Raises `KeyReused`, `KeyInUse`.
    """
    if stored is None:
        return None
    if stored.fingerprint != wanted:
        raise KeyReused("this idempotency key was used for another request: make a new key for a new intent")
    if stored.status != RUNNING:
        return stored
    if now < stored.lease_until:
        raise KeyInUse("the first request with this idempotency key still runs: ask again", stored.lease_until - now)
    return None


class IdempotencyKeys:
    """The keys of one service's database."""

    def __init__(self, storage: Storage) -> None:
        self._pages = storage.keys

    async def first(self, tx: Tx, scope: KeyScope, wanted: bytes) -> StoredAnswer | None:
        """None when this request is the first; else the stored answer. Raises `KeyReused`, `KeyInUse`."""
        known = await self._pages.known(tx, [scope])
        return judge(known.get(scope), wanted, tx.now)

    async def claim(self, tx: Tx, scope: KeyScope, wanted: bytes, lease_s: float = LEASE_S) -> StoredAnswer | None:
        """Like `first`, and marks the request as running for `lease_s` seconds."""
        known = await self._pages.known(tx, [scope])
        stored = judge(known.get(scope), wanted, tx.now)
        if stored is None:
            running = StoredAnswer(wanted, RUNNING, b"", b"", tx.now + lease_s)
            if scope in known:
                await self._pages.replace(tx, scope, running)
            else:
                await self._pages.insert(tx, [(scope, running)])
        return stored

    async def finish(self, tx: Tx, scope: KeyScope, answer: StoredAnswer) -> StoredAnswer:
        """Stores the answer to a claimed key; returns the one that stands.

        That is the first: a request that outlived its lease may find the answer of the one that took its claim over.
        """
        stored = (await self._pages.known(tx, [scope])).get(scope)
        if stored is not None and stored.status != RUNNING:
            return stored
        await self._pages.replace(tx, scope, answer)
        return answer

    async def store(self, tx: Tx, answers: Sequence[tuple[KeyScope, StoredAnswer]]) -> None:
        """Stores answers to keys that were never claimed, in the transaction of their effects."""
        await self._pages.insert(tx, answers)
