"""Gives back what was held in a room and not confirmed in time."""

from collections.abc import Awaitable, Callable, Sequence

from amends.connections import Reader, Tx
from amends.service import Service

Expired = Callable[[Reader, float, int], Awaitable[list[str]]]
Release = Callable[[Tx, Sequence[str]], Awaitable[int]]

_AT_ONCE = 500


class Expiry:
    """A chore of a room. `expired` finds what has had its time; `release` gives back what is still held of it."""

    def __init__(self, service: Service, expired: Expired, release: Release) -> None:
        self._service = service
        self._expired = expired
        self._release = release

    async def sweep(self) -> int:
        """Some at a time, the earliest first; returns how many were given back."""
        async with self._service.storage.reading() as reader:
            due = await self._expired(reader, self._service.runtime.now(), _AT_ONCE)
        return await self._service.transact(lambda tx: self._release(tx, due)) if due else 0
