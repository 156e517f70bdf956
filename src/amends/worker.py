"""Takes what has arrived for one address, in batches, through the hop of its owner.

A message that fails alone is *deferred*: kept in the table `parked` with a time for the next try; later messages of its
key wait behind it there, so that nothing overtakes it and everything else moves on. When its budget is spent it stays
*parked*, with its error, until a person retries or drops it.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from amends.errors import DefinitionError, Fenced, TryAgain, Unavailable, UnknownMessage
from amends.halving import in_halves
from amends.messages import Envelope
from amends.pages import Parked
from amends.ports import Runtime, ShardOwner, Storage, Subscription, Task
from amends.retry import Retry
from amends.signals import Signals
from amends.stumbling import again

Hop = Callable[[Sequence[Envelope]], Awaitable[None]]

MOST = 1000
_LOAD_EVERY_S = 1.0
DEFER = Retry(attempts=8, base_s=0.05, cap_s=10.0)
_NEVER_RIGHT = (msgspec.DecodeError, UnknownMessage, DefinitionError)


async def _nothing_left() -> None:
    """Of a service that sends nothing."""


class Worker:
    """Runs one hop after the other; `stop` lets the present one finish.

    `shard_of` says to which shard a key belongs: what is parked is looked after by whoever reads its shard. Before the
    first message of a shard `take_over` is called and `owner` is told. A `ShardOwner` itself.
    """

    def __init__(
        self,
        hop: Hop,
        address: str,
        subscription: Subscription,
        storage: Storage,
        runtime: Runtime,
        signals: Signals,
        *,
        most: int = MOST,
        take_over: Callable[[], Awaitable[None]] = _nothing_left,
        owner: ShardOwner | None = None,
        shard_of: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._hop = hop
        self._address = address
        self._subscription = subscription
        self._storage = storage
        self._runtime = runtime
        self._signals = signals
        self._most = most
        self._take_over = take_over
        self._owner = owner
        self._shard_of = shard_of
        self._shards: set[int] = set()
        self._waiting: dict[str, list[Parked]] = {}
        self._kept = 0
        self._unsure = False
        self._load_at = 0.0
        self._stopping = False
        self._task: Task | None = None

    async def start(self) -> None:
        """Reads what there is, and what was parked for its address."""
        await self._subscription.open(self)
        self._task = self._runtime.spawn(self._run(), self._address)

    async def gained(self, shards: Sequence[int]) -> None:
        await self._take_over()
        if self._owner is not None:
            await self._owner.gained(shards)
        self._shards.update(shards)
        await self._load()

    async def lost(self, shards: Sequence[int]) -> None:
        self._shards.difference_update(shards)
        if self._owner is not None:
            await self._owner.lost(shards)
        await self._load()

    def stop(self) -> None:
        """The present hop is the last one."""
        self._stopping = True
        self._subscription.close()

    async def stopped(self) -> None:
        if self._task is not None:
            await self._task.join()

    async def _run(self) -> None:
        while not self._stopping:
            batch = await self._subscription.receive(self._most)
            if await self._made_durable(batch):
                await self._subscription.acknowledge(batch)

    async def _made_durable(self, batch: Sequence[Envelope]) -> bool:
        """Takes the batch, again and again while the database is away; False when stopped before that worked."""
        attempt = 0
        while not (attempt and self._stopping):
            attempt += 1
            try:
                await self.take(batch)
                return True
            except Fenced as error:  # the next try leaves out what belongs to another process now
                self._signals.emit("worker.fenced", address=self._address, error=_named(error))
            except Exception as error:  # not even setting a message aside worked: nothing is acknowledged
                self._signals.emit("worker.failed", address=self._address, error=_named(error))
            await self._runtime.sleep(DEFER.pause_s(attempt, self._runtime.roll()))
        return False

    async def take(self, batch: Sequence[Envelope]) -> None:
        """One batch through the hop; whatever happens to it is durable afterwards."""
        if self._waiting:
            held = [each for each in batch if each.key in self._waiting]
            await self._defer_behind(held)
            batch = [each for each in batch if each.key not in self._waiting]
        await in_halves(batch, self._hop_or_hold, self._defer)

    async def _hop_or_hold(self, batch: Sequence[Envelope]) -> None:
        """A key may have been deferred by the other half of this batch."""
        if self._waiting:
            await self._defer_behind([each for each in batch if each.key in self._waiting])
            batch = [each for each in batch if each.key not in self._waiting]
        if batch:
            await again(lambda: self._hop(batch), self._runtime)

    async def retry_due(self) -> None:
        """Gives deferred messages their next try; a key whose head succeeds goes on with the ones behind."""
        now = self._runtime.now()
        if (self._waiting or self._unsure) and now >= self._load_at:
            await self._load()
        for key in [key for key, rows in self._waiting.items() if _is_due(rows[0], now)]:
            while rows := self._waiting.get(key):
                if not await self._retry(rows[0]):
                    break

    async def _load(self) -> None:
        """Other workers of the service share the table; a person may have changed it from outside.

        A message counts for the worker that reads the shard of its key.
        """
        kept, rows = self._kept, await self._read()
        while kept != self._kept:  # what was set aside meanwhile may be missing in what was read
            kept, rows = self._kept, await self._read()
        self._waiting, self._unsure = {}, False
        self._wait([row for row in rows if self._is_mine(row.envelope)])
        self._load_at = self._runtime.now() + _LOAD_EVERY_S

    async def _read(self) -> list[Parked]:
        async with self._storage.reading() as reader:
            return await self._storage.parking.all(reader, limit=10_000)

    def _is_mine(self, envelope: Envelope) -> bool:
        return envelope.to == self._address and self._shard_of(envelope.key) in self._shards

    def _wait(self, rows: Sequence[Parked]) -> None:
        known = self._waiting_ids(row.envelope for row in rows)
        for row in rows:
            if row.envelope.id not in known:
                self._waiting.setdefault(row.envelope.key, []).append(row)

    def _waiting_ids(self, envelopes: Iterable[Envelope]) -> set[str]:
        """The ids of all that wait behind the keys of these."""
        keys = {each.key for each in envelopes}
        return {row.envelope.id for key in keys for row in self._waiting.get(key, ())}

    async def unpark(self, ids: Sequence[str]) -> None:
        """A person has parked messages tried again at once."""
        heads = [rows[0] for rows in self._waiting.values() if rows[0].envelope.id in ids]
        async with self._storage.transaction(self._runtime.now()) as tx:
            for row in heads:
                await self._storage.parking.update(tx, row._replace(retry_at=tx.now, attempts=0))
        await self._load()

    async def _retry(self, row: Parked) -> bool:
        try:
            await again(lambda: self._hop([row.envelope]), self._runtime)
        except (Fenced, Unavailable):
            raise
        except Exception as error:  # the same message fails again: counted, and at last parked
            await self._count(row, error)
            return False
        async with self._storage.transaction(self._runtime.now()) as tx:
            await self._storage.parking.remove(tx, [row.envelope.id])
        self._drop(row)
        return True

    def _drop(self, row: Parked) -> None:
        """The table may have been read again meanwhile."""
        self._kept += 1
        key, id = row.envelope.key, row.envelope.id
        left = [each for each in self._waiting.pop(key, []) if each.envelope.id != id]
        if left:
            self._waiting[key] = left

    async def _count(self, row: Parked, error: Exception) -> None:
        counted = self._next_try(row._replace(error=_named(error), attempts=row.attempts + 1), error)
        rows = self._waiting.get(row.envelope.key, [])
        rows[:] = [counted if each.envelope.id == row.envelope.id else each for each in rows]
        async with self._storage.transaction(self._runtime.now()) as tx:
            await self._storage.parking.update(tx, counted)
        self._tell(counted)

    async def _defer(self, envelope: Envelope, error: Exception) -> None:
        now = self._runtime.now()
        row = self._next_try(Parked(envelope, _named(error), 1, None, now), error)
        await self._keep([row])
        self._tell(row)

    def _tell(self, row: Parked) -> None:
        envelope = row.envelope
        self._signals.emit(
            "message.parked" if row.retry_at is None else "message.deferred",
            message=envelope.id,
            type=envelope.type,
            saga=envelope.saga,
            address=self._address,
            attempts=row.attempts,
            error=row.error,
            traceparent=envelope.traceparent,
        )

    async def _defer_behind(self, held: Sequence[Envelope]) -> None:
        now = self._runtime.now()
        known = self._waiting_ids(held)
        fresh = [each for each in held if each.id not in known]
        await self._keep([Parked(each, "waits behind its key", 0, None, now) for each in fresh])

    async def _keep(self, rows: Sequence[Parked]) -> None:
        if rows:
            try:
                async with self._storage.transaction(self._runtime.now()) as tx:
                    await self._storage.parking.insert(tx, rows)
            except Exception:
                self._unsure = True
                raise
            finally:
                self._kept += 1
            self._wait(rows)

    def _next_try(self, row: Parked, error: Exception) -> Parked:
        """Classifies: what can never be right, or has spent its budget, is parked; else tried after a pause.

        A handler that asks for another try gets it for as long as it asks.
        """
        asked_for = isinstance(error, TryAgain)
        if isinstance(error, _NEVER_RIGHT) or (DEFER.spent(row.attempts) and not asked_for):
            return row._replace(retry_at=None)
        pause = DEFER.pause_s(row.attempts, self._runtime.roll()) + (DEFER.base_s if asked_for else 0.0)
        return row._replace(retry_at=self._runtime.now() + pause)


def _is_due(head: Parked, now: float) -> bool:
    """One that has only waited behind its key is due as soon as it is the first, also after a restart."""
    return head.attempts == 0 or (head.retry_at is not None and head.retry_at <= now)


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:500]
