"""The shards of one coordinator that this process holds, each by a lease with an epoch of its own.

A coordinator's sagas are spread over shards by their ids. Whoever reads a shard's replies holds its lease; when the
shard moves to another process, that one raises the epoch, and whatever the first still tries to write is `Fenced`.

Nobody else writes the sagas of a shard that is held. So they are remembered as they were last written, and need not be
read again; the guard of their revisions tells when that was wrong.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from amends.connections import Reader, Tx
from amends.errors import Elsewhere, Fenced
from amends.messages import SagaId
from amends.pages import Instance, Leases
from amends.state import ENDED

_TRIES = 10_000
_MISSED_FOR_S = 5.0


class Shards:
    """`name` is the coordinator's; `shard_of` says where a saga belongs, given its id."""

    def __init__(self, name: str, leases: Leases, shard_of: Callable[[str], int], new_id: Callable[[], str]) -> None:
        self.epochs: dict[int, int] = {}
        self.of = shard_of
        self._name = name
        self._leases = leases
        self._new_id = new_id
        self._flying: dict[SagaId, Instance | None] = {}
        self._given: set[int] = set()
        self._missed_at: float | None = None

    @property
    def in_flight(self) -> int:
        """How many sagas of these shards have not ended."""
        return len(self._flying)

    async def acquire(self, tx: Tx, shards: Sequence[int], holder: str) -> dict[int, int]:
        """Takes the leases over; returns the new epochs, to be told to `gain` once they are durable."""
        names = {self.lease(shard): shard for shard in shards}
        return {names[name]: epoch for name, epoch in (await self._leases.acquire(tx, list(names), holder)).items()}

    def gain(self, epochs: Mapping[int, int], instances: Iterable[Instance]) -> None:
        self._drop(epochs)
        self._given.update(epochs)
        self.epochs.update(epochs)
        self.remember(instances)

    def lose(self, shards: Collection[int]) -> None:
        """They are given to another process."""
        self._given.difference_update(shards)
        self._drop(shards)

    def missing(self, now: float) -> list[int]:
        """Shards that another process has taken over although they have been given to this one, for some time.

        Who is slow to take a shard over may do so when it has gone on to the next process already. That one is fenced
        from then on, and nobody looks after the shard. Who is only slow to hear that a shard has gone hears it before.
        """
        missing = sorted(self._given - self.epochs.keys())
        if not missing or self._missed_at is None:
            self._missed_at = now if missing else None
        return missing if missing and now >= (self._missed_at or now) + _MISSED_FOR_S else []

    def _drop(self, shards: Collection[int]) -> None:
        for shard in shards:
            self.epochs.pop(shard, None)
        self._flying = {id: each for id, each in self._flying.items() if self.of(id) in self.epochs}

    def remember(self, moved: Iterable[Instance]) -> None:
        """What was written is durable."""
        for instance in moved:
            if instance.state.status in ENDED:
                self._flying.pop(instance.id, None)
            elif instance.shard in self.epochs:
                self._flying[instance.id] = instance

    def recall(self, ids: Iterable[SagaId]) -> dict[SagaId, Instance]:
        """Those that are known as they are stored."""
        known = ((id, self._flying.get(id)) for id in ids)
        return {id: instance for id, instance in known if instance is not None}

    def doubt(self, ids: Iterable[SagaId]) -> None:
        """Somebody may have written them, or it is unknown whether this process has: they are read again."""
        self._flying.update((id, None) for id in ids if id in self._flying)

    async def check(self, tx: Tx, shards: Collection[int]) -> dict[int, int]:
        """Nobody takes these over before the transaction ends; returns their epochs, which hold until then.

        This process may be told meanwhile that it loses them: they go once the transaction has ended. Raises
        `Elsewhere` for those that it does not hold, `Fenced` when somebody has taken one over already.
        """
        epochs = {shard: self.expect(shard) for shard in shards}
        stored = await self._leases.hold(tx, [self.lease(shard) for shard in sorted(shards)])
        gone = [shard for shard in shards if stored.get(self.lease(shard)) != epochs[shard]]
        if gone:
            replaced = ", ".join(f"{epochs[shard]} of shard {shard}" for shard in gone)
            self._drop(gone)
            raise Fenced(f"coordinator {self._name}: epoch {replaced} has been replaced: another process coordinates")
        return epochs

    def expect(self, shard: int) -> int:
        """The epoch of a shard. Raises `Elsewhere` for one that this process does not hold."""
        epoch = self.epochs.get(shard)
        if epoch is None:
            raise Elsewhere(
                f"coordinator {self._name}: another process looks after shard {shard}: ask it, or ask again"
            )
        return epoch

    async def current(self, reader: Reader) -> bool:
        """There are shards, and nobody has taken one of them over."""
        stored = await self._leases.epochs(reader, [self.lease(shard) for shard in self.epochs])
        return bool(self.epochs) and stored == {self.lease(shard): epoch for shard, epoch in self.epochs.items()}

    def new_id(self) -> SagaId:
        """An id for a saga that belongs here. Raises `Elsewhere` when there is no shard to belong to."""
        for _ in range(_TRIES if self.epochs else 0):
            id = self._new_id()
            if self.of(id) in self.epochs:
                return SagaId(id)
        raise Elsewhere(f"coordinator {self._name}: no shard is held here yet: ask another process, or ask again")

    def lease(self, shard: int) -> str:
        return f"{self._name}/{shard}"
