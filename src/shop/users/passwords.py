"""Passwords: argon2id (RFC 9106), beside the event loop, with a bound on how many wait."""

from collections.abc import Callable
from typing import Protocol, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from shop.web import Problem

T = TypeVar("T")

ROUNDS = 2
MEMORY_KIB = 19 * 1024
MOST_WAITING = 64
_NOBODY = f"$argon2id$v=19$m={MEMORY_KIB},t={ROUNDS},p=1${'A' * 22}${'A' * 43}"


class Offload(Protocol):
    """Does work beside the event loop."""

    async def run(self, work: Callable[[], T]) -> T: ...


class Passwords:
    """Hashes and checks; the costs are those that OWASP names for 19 MiB."""

    def __init__(self, offload: Offload, most_waiting: int = MOST_WAITING) -> None:
        self._hasher = PasswordHasher(ROUNDS, MEMORY_KIB, parallelism=1)
        self._offload = offload
        self._most = most_waiting
        self._waiting = 0

    async def hash(self, password: str) -> str:
        """Raises 503 when too many wait."""
        return await self._bounded(lambda: self._hasher.hash(password))

    async def fits(self, password: str, stored: str | None) -> bool:
        """Takes as long when there is no such user (`stored` None). Raises 503 when too many wait."""
        checked = await self._bounded(lambda: self._check(password, stored or _NOBODY))
        return checked and stored is not None

    def _check(self, password: str, stored: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _bounded(self, work: Callable[[], T]) -> T:
        if self._waiting >= self._most:
            raise Problem(503, "overloaded", "too many sign in at once: come back", retry_after_s=1.0)
        self._waiting += 1
        try:
            return await self._offload.run(work)
        finally:
            self._waiting -= 1
