"""Releases money that was held and not captured in time."""

from amends.connections import Tx
from amends.service import Service
from shop.billing.held import delete_expiry, expired
from shop.billing.participant import release

_AT_ONCE = 500


class Expiry:
    """A chore of billing."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def sweep(self) -> int:
        """Releases the holds whose time has come, some at a time; returns how many."""
        async with self._service.storage.reading() as reader:
            due = await expired(reader, self._service.runtime.now(), _AT_ONCE)
        return await self._service.transact(lambda tx: _release(tx, due)) if due else 0


async def _release(tx: Tx, due: list[str]) -> int:
    """What was captured meanwhile stays so."""
    await delete_expiry(tx, due)
    _, released = await release(tx, due)
    return len(released)
