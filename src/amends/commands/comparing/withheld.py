"""A transport on which a coordinator never hears some answers: it has asked, and dies before it can decide."""

from collections.abc import Collection, Sequence

from amends.messages import Envelope
from amends.ports import ShardOwner, Subscription, Taken, Transport


class Withheld:
    """A `Transport`: replies to `address` about `steps` get lost, everything else arrives."""

    def __init__(self, inner: Transport, address: str, steps: Collection[str]) -> None:
        self._inner = inner
        self._address = address
        self._steps = steps

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        self._inner.send(envelopes, taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        inner = self._inner.subscribe(address, group)
        return HardOfHearing(inner, self._steps) if address == self._address else inner

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)


class HardOfHearing:
    """A `Subscription` without the messages about some steps."""

    def __init__(self, inner: Subscription, steps: Collection[str]) -> None:
        self._inner = inner
        self._steps = steps
        self._received: Sequence[Envelope] = ()

    async def open(self, owner: ShardOwner) -> None:
        await self._inner.open(owner)

    async def receive(self, most: int) -> Sequence[Envelope]:
        self._received = await self._inner.receive(most)
        return [each for each in self._received if each.step not in self._steps]

    async def acknowledge(self, batch: Sequence[Envelope]) -> None:  # noqa: ARG002 - with what was left out of it
        await self._inner.acknowledge(self._received)

    def close(self) -> None:
        self._inner.close()
