"""What carries messages in a simulated world: a broker, and a way to it that loses, copies, delays and reorders.

    send ─▶ way ─(lost)            ┌─▶ reader, with some of the shards
              └─▶ [kept] ─receipt─▶ taken
                    └─ until acknowledged; a reader that is gone leaves its part to the others

Nothing that was kept is lost, whoever crashes. A frozen reader keeps its shards until the broker has had enough of it;
it learns of that when it wakes.
"""

from collections.abc import Callable, Sequence
from zlib import crc32

from amends.messages import Envelope, Kind
from amends.ports import Taken
from amends.testing.chances import Chances
from amends.testing.loop import SimulatedLoop
from amends.testing.mailboxes import Kept, Mailbox, Reading
from amends.testing.processes import Process

SESSION_S = 5.0
_NEAR_S = 0.01
_APART_S = 1e-5
_LATE_S = 20.0

Told = Callable[[str, Envelope, str], None]


class Network:
    """One for a world. `told` hears what becomes of each message: "sent", "lost", "copied", "delivered"."""

    def __init__(
        self, loop: SimulatedLoop, chances: Chances, told: Told, point: Callable[[str], None], shards: int = 1
    ) -> None:
        self.loop = loop
        self.chances = chances
        self.told = told
        self.point = point
        self.shards = shards
        self.cut_off: set[str] = set()
        self._mailboxes: dict[tuple[str, str], Mailbox] = {}

    @property
    def left(self) -> int:
        """How many messages have arrived and are not acknowledged."""
        return sum(mailbox.left for mailbox in self._mailboxes.values())

    def way_of(self, process: Process) -> "Way":
        return Way(self, process)

    def shard_of(self, key: str) -> int:
        return crc32(key.encode()) % self.shards

    def mailbox(self, address: str, group: str) -> Mailbox:
        if (address, group) not in self._mailboxes:
            self._mailboxes[address, group] = Mailbox(self)
        return self._mailboxes[address, group]

    def arrive(self, envelope: Envelope) -> None:
        """The broker keeps it, for each group of its readers."""
        groups = [group for address, group in self._mailboxes if address == envelope.to and group]
        for group in groups if envelope.kind is Kind.EVENT else [""]:
            self.mailbox(envelope.to, group).put(Kept(envelope, self.shard_of(envelope.key)))

    def leave(self, process: Process) -> None:
        """The broker has heard nothing of a process for too long."""
        for mailbox in self._mailboxes.values():
            mailbox.forget(process)

    def return_of(self, process: Process) -> None:
        """A reader that had been given up is back."""
        for mailbox in self._mailboxes.values():
            mailbox.take_back(process)


class Way:
    """A `Transport`: the way of one process to the broker."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process
        self._last_at: dict[tuple[str, str], float] = {}

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        for envelope in envelopes:
            self._network.point("before a send")
            self._send(envelope, taken)
        if envelopes:
            self._network.point("after a send")

    def subscribe(self, address: str, group: str = "") -> Reading:
        return Reading(self._network.mailbox(address, group), self._process)

    def shard_of(self, address: str, key: str) -> int:  # noqa: ARG002 - all addresses are spread alike
        return self._network.shard_of(key)

    def _send(self, envelope: Envelope, taken: Taken) -> None:
        network, chances = self._network, self._network.chances
        network.told("sent", envelope, self._process.name)
        if self._process.name in network.cut_off or chances.fires("message lost"):
            network.told("lost", envelope, self._process.name)
            return
        delay_s = self._behind(envelope, self._delay_s())
        network.loop.outside(delay_s, network.arrive, envelope)
        if not chances.fires("receipt lost"):
            self._process.call(delay_s + self._near_s(), lambda: taken([envelope.id]))
        if chances.fires("message copied"):
            network.told("copied", envelope, self._process.name)
            network.loop.outside(self._delay_s(), network.arrive, envelope)

    def _delay_s(self) -> float:
        """What comes later overtakes one that is late."""
        chances = self._network.chances
        late = chances.fires("message late")
        return self._near_s() + (chances.of("message late").random() * _LATE_S if late else 0.0)

    def _behind(self, envelope: Envelope, delay_s: float) -> float:
        """Messages of a key keep their order, unless one overtakes, or is late."""
        if delay_s > _NEAR_S or self._network.chances.fires("message overtakes"):
            return delay_s
        way, now = (envelope.to, envelope.key), self._network.loop.time()
        at = max(now + delay_s, self._last_at.get(way, 0.0) + _APART_S)
        self._last_at[way] = at
        return at - now

    def _near_s(self) -> float:
        return self._network.chances.of("way").random() * _NEAR_S
