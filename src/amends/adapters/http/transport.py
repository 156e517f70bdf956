"""A transport that posts what has a route to other servers, and leaves the rest to another transport."""

from collections.abc import Mapping, Sequence
from zlib import crc32

from amends.adapters.http.connection import Server
from amends.adapters.http.lane import Lane
from amends.messages import Envelope, Kind, MessageId
from amends.ports import Runtime, Subscription, Taken, Transport
from amends.signals import Signals

LANES = 1
TIMEOUT_S = 30.0


class HttpTransport:
    """A `Transport`: messages to addresses with a route are posted there, all others go to `local`.

        transport = HttpTransport({"hotel": "http://hotel:8000/amends"}, InProcess(), runtime, signals)
        trips = Service(storage, transport, runtime, signals, definitions=[book_trip])

    A server is `participant_app`, which answers commands in its responses; `inbox_app`, which takes any message; or
    anything that answers as docs/reference/http-transport.md says. Replies in responses go to the readers of `local`.

    **What is durable.** A command stays in its outbox until its reply has been acknowledged in `local`: after a crash
    in between it is asked again, and the participant's barrier has the reply. A message without a reply is taken when
    its server says so. What nobody answers is posted again while this process lives, with pauses of full jitter, each
    address by itself; the sweep of the outbox does not double it.

    **Order.** The messages of a key go one batch after the other. Only what is no command and is rejected for good is
    set aside, to be sent with the next sweep, and may be overtaken by later ones of its key.

    `headers` go with every request to an address: `{"hotel": {"authorization": "Bearer …"}}`. A route of None says: who
    has this address can't be reached and asks again, so replies to it are dropped. `timeout_s` bounds one request.
    Raises `DefinitionError` for a route that leads nowhere.
    """

    def __init__(
        self,
        routes: Mapping[str, str | None],
        local: Transport,
        runtime: Runtime,
        signals: Signals,
        *,
        headers: Mapping[str, Mapping[str, str]] | None = None,
        timeout_s: float = TIMEOUT_S,
        lanes: int = LANES,
    ) -> None:
        self._local = local
        self._lanes: dict[str, list[Lane]] = {}
        self._unreachable = frozenset(address for address, url in routes.items() if url is None)
        for address, url in routes.items():
            if url is not None:
                server = Server(url, (headers or {}).get(address, {}))
                made = [Lane(address, server, local, runtime, signals, timeout_s) for _ in range(lanes)]
                self._lanes[address] = made

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        elsewhere: list[Envelope] = []
        dropped: list[MessageId] = []
        for envelope in envelopes:
            lanes = self._lanes.get(envelope.to)
            if lanes is not None:
                lanes[crc32(envelope.key.encode()) % len(lanes)].put(envelope, taken)
            elif envelope.to in self._unreachable and envelope.kind is Kind.REPLY:
                dropped.append(envelope.id)
            else:
                elsewhere.append(envelope)
        if dropped:
            taken(dropped)
        if elsewhere:
            self._local.send(elsewhere, taken)

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._local.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._local.shard_of(address, key)

    def close(self) -> None:
        """Ends all connections; what has not been answered stays in its outbox."""
        for lanes in self._lanes.values():
            for lane in lanes:
                lane.close()
