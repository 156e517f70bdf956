"""The card gateway: an external provider, simulated, with its own database and its own idempotency keys.

Each call may be repeated. Numbers that are not in `gateway_wire` are declined.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

from amends.ports import Runtime, Storage
from shop.payments.gateway_books import Books, Change
from shop.payments.gateway_wire import APPROVED, KEY_HEADER, LATE, LOST, SLOW, Authorization, Outcome, Record

_TAKES_MONEY = frozenset({APPROVED, SLOW, LATE, LOST})
_OPENED: dict[Outcome, int] = {"authorized": 201, "captured": 201, "refunded": 409, "voided": 409, "declined": 402}


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How the gateway misbehaves. `flaky` is the share, from 0 to 1, of calls answered with 503.

    Half of those have been carried out all the same. `slow_s` and `late_s` belong to the test numbers.
    """

    slow_s: float = 2.0
    late_s: float = 8.0
    flaky: float = 0.0


class Told(NamedTuple):
    """What a call is answered: a status of HTTP and what is under the key; or why there is nothing to show."""

    status: int
    record: Record | None
    detail: str = ""


class Gateway:
    """Keeps the money: every answer is durable before it leaves.

    `start` before use. `close` ends what it delays on purpose, `stop` everything. `storage` is its own, with
    `gateway_tables.MIGRATIONS` applied.
    """

    def __init__(self, storage: Storage, runtime: Runtime, settings: GatewaySettings | None = None) -> None:
        self._books = Books(storage, runtime)
        self._runtime = runtime
        self._settings = settings or GatewaySettings()
        self._closing = runtime.signal()
        self.start = self._books.start
        self.close = self._closing.set
        self.stop = self._books.stop

    async def answer(self, work: Callable[[], Awaitable[Told]]) -> Told:
        """Flaky on request: before the work, or after it."""
        chance = self._runtime.roll()
        if chance < self._settings.flaky / 2:
            return _failed(503)
        done = await work()
        return _failed(503) if chance < self._settings.flaky else done

    async def status(self, key: str) -> Told:
        return _reached(await self._books.find(key), *_OPENED)

    async def authorize(self, key: str, wanted: Authorization) -> Told:
        if wanted.card == SLOW and await self._books.find(key) is None:
            await self._linger(self._settings.slow_s)
        record, new = await self._books.make(Change(key, _opened(key, wanted)))
        assert record is not None
        if (record.card_last4, record.amount_minor) != _shown(wanted) and record.amount_minor:
            return Told(422, None, f"{KEY_HEADER} {key!r} belongs to another authorization")
        if new and wanted.card == LATE:
            await self._linger(self._settings.late_s)
        return _failed(500) if new and wanted.card == LOST else Told(_OPENED[record.state], record)

    async def capture(self, key: str) -> Told:
        record, _ = await self._books.make(Change(key, None, "authorized", "captured"))
        return _reached(record, "captured")

    async def void(self, key: str) -> Told:
        record, _ = await self._books.make(Change(key, _tombstone(key), "authorized", "voided"))
        return _reached(record, "voided", "declined", "refunded")

    async def refund(self, key: str) -> Told:
        record, _ = await self._books.make(Change(key, _tombstone(key), "captured", "refunded"))
        return _reached(record, "refunded")

    async def _linger(self, seconds: float) -> None:
        """No longer than it is open."""
        await self._runtime.within(seconds, self._closing.wait())


def _opened(key: str, wanted: Authorization) -> Record:
    taken: Outcome = "captured" if wanted.capture else "authorized"
    return Record(key, taken if wanted.card in _TAKES_MONEY else "declined", *_shown(wanted))


def _shown(wanted: Authorization) -> tuple[str, int]:
    return wanted.card[-4:], wanted.amount_minor


def _tombstone(key: str) -> Record:
    """A key never seen: an authorization that comes later is refused."""
    return Record(key, "voided", "", 0)


def _reached(record: Record | None, *wanted: str) -> Told:
    if record is None:
        return Told(404, None, "no authorization has this key")
    return Told(200 if record.state in wanted else 409, record)


def _failed(status: int) -> Told:
    return Told(status, None, "try again, or ask for the status")
