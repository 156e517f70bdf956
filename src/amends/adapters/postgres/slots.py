"""Replication slots from outside: how far behind a capture is, and whether it still has a place to go on from.

    guard = SlotGuard(storage, slot_name("hotel"), runtime.now, signals)
    service = Service(storage, …, chores=[guard])
    guard.show(meter)

The connector says that it runs, also when its slot is lost: only the database knows. It keeps its log for a slot up to
`max_slot_wal_keep_size`, and gives the slot up then.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from amends.adapters.postgres import heartbeat
from amends.connections import Reader
from amends.ports import Storage
from amends.signals import Signals

MISSING = "missing"
LOST = ("lost", MISSING)
_SHOWN_FOR_S = 1.0

find_slot = """
select
    coalesce(wal_status, 'reserved'), active,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint,
    pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint,
    safe_wal_size
from pg_replication_slots
where slot_name = :slot and database = current_database()
"""


class Slot(NamedTuple):
    """A slot as it stands.

    `status` is the database's `wal_status`: `reserved`, `extended`, `unreserved`, `lost`; or `missing`. `lag_bytes` of
    log were written since what the capture has confirmed, `kept_bytes` are kept for it, `left_bytes` may still be
    written until it is lost; None: nothing to be said. `beat_age_s`: since the capture's last heartbeat.
    """

    name: str
    status: str = MISSING
    active: bool = False
    lag_bytes: int | None = None
    kept_bytes: int | None = None
    left_bytes: int | None = None
    beat_age_s: float | None = None

    @property
    def is_lost(self) -> bool:
        return self.status in LOST


class Bounds(NamedTuple):
    """What is still well: bytes of log that are kept, seconds in which nobody reads, or no heart beats."""

    kept_bytes: int = 2**30
    silent_s: float = 60.0
    look_every_s: float = 5.0
    tell_every_s: float = 60.0


class Gauges(Protocol):
    """Where gauges are shown, such as `amends.adapters.prometheus.Meter`."""

    def gauge(
        self,
        name: str,
        help: str,
        labels: Sequence[str],
        read: Callable[[], Awaitable[Mapping[tuple[str, ...], float]]],
    ) -> None: ...


async def look(reader: Reader, slot: str) -> Slot:
    """The slot in the reader's database."""
    age = await heartbeat.age_s(reader)
    for status, active, lag, kept, left in await reader.fetch(find_slot, {"slot": slot}):
        return Slot(slot, status, active, lag, kept, left, age)
    return Slot(slot, beat_age_s=age)


class SlotGuard:
    """A chore: looks at a slot now and then, and signals `slot.lagging` and `slot.lost`, again while it is so."""

    def __init__(
        self,
        storage: Storage,
        slot: str,
        now: Callable[[], float],
        signals: Signals,
        bounds: Bounds = Bounds(),  # noqa: B008 - a value, never changed
    ) -> None:
        self.slot = Slot(slot)
        """As it was when it was looked at last."""
        self._storage = storage
        self._now = now
        self._signals = signals
        self._bounds = bounds
        self._looked_at = 0.0
        self._active_at = now()
        self._told = ("", 0.0)

    async def __call__(self) -> None:
        now = self._now()
        if now >= self._looked_at + self._bounds.look_every_s:
            await self._look(now)
            self._tell(now)

    def show(self, gauges: Gauges) -> None:
        """Adds gauges of the slot."""
        labels = ("service", "slot")
        gauges.gauge("amends_slot_active", "1: a capture reads the slot", labels, self._read("active"))
        gauges.gauge("amends_slot_lost", "1: the slot is lost or missing", labels, self._read("is_lost"))
        gauges.gauge("amends_slot_lag_bytes", "Log that is not confirmed", labels, self._read("lag_bytes"))
        gauges.gauge("amends_slot_kept_bytes", "Log that is kept for it", labels, self._read("kept_bytes"))
        gauges.gauge("amends_slot_left_bytes", "Log until it is lost", labels, self._read("left_bytes"))
        gauges.gauge("amends_slot_beat_age_seconds", "Since the last heartbeat", labels, self._read("beat_age_s"))

    def _read(self, field: str) -> Callable[[], Awaitable[dict[tuple[str, ...], float]]]:
        async def read() -> dict[tuple[str, ...], float]:
            if self._now() >= self._looked_at + _SHOWN_FOR_S:
                await self._look(self._now())
            value = getattr(self.slot, field)
            return {} if value is None else {(self._storage.name, self.slot.name): float(value)}

        return read

    async def _look(self, now: float) -> None:
        async with self._storage.reading() as reader:
            self.slot = await look(reader, self.slot.name)
        self._looked_at = now
        if self.slot.active:
            self._active_at = now

    def _tell(self, now: float) -> None:
        slot, why = self.slot, self._why(now)
        said, at = self._told
        if why == said and (not why or now < at + self._bounds.tell_every_s):
            return
        self._told = (why, now)
        if slot.is_lost:
            self._signals.emit("slot.lost", service=self._storage.name, slot=slot.name, status=slot.status)
        elif why:
            kept, lag = slot.kept_bytes or 0, slot.lag_bytes or 0
            self._signals.emit(
                "slot.lagging", service=self._storage.name, slot=slot.name, why=why, kept_bytes=kept, lag_bytes=lag
            )

    def _why(self, now: float) -> str:
        """What is wrong with it; empty: nothing."""
        slot, bounds = self.slot, self._bounds
        if slot.is_lost or slot.status == "unreserved":
            return slot.status
        if (slot.kept_bytes or 0) > bounds.kept_bytes:
            return "too much is kept"
        if now > self._active_at + bounds.silent_s:
            return "nobody reads it"
        if (slot.beat_age_s or 0.0) > bounds.silent_s:
            return "no heart beats"
        return ""
