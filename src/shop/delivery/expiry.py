"""Cancels what was held and not confirmed in time."""

from amends.service import Service
from shop.delivery.held import expired
from shop.delivery.participant import drop

_AT_ONCE = 500


class Expiry:
    """A chore of delivery."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def sweep(self) -> int:
        """Cancels those of orders whose time has come, some at a time; returns how many."""
        async with self._service.storage.reading() as reader:
            due = await expired(reader, self._service.runtime.now(), _AT_ONCE)
        return await self._service.transact(lambda tx: drop(tx, due)) if due else 0
