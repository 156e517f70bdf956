"""The way out of a service whose outbox a change data capture reads: nothing is sent here, all is on its way.

    kafka = Kafka(settings, signals)
    storage = PostgresStorage(dsn, MIGRATIONS, outbox="events")
    service = Service(storage, Captured(kafka, storage), runtime, signals, participant=hotel)

docs/how-to/use-debezium.md says how the capture is set up.
"""

from collections.abc import Sequence

from amends.errors import DefinitionError
from amends.messages import Envelope
from amends.ports import Storage, Subscription, Taken, Transport


class Captured:
    """A `Transport` for the services that write to `storage`; what comes to them comes through `inner`.

    Holds as long as these do: `storage` keeps a row a message in `outbox_events`; a connector reads them from the
    database's log, and its slot was there before the first of them; it sends to where `inner` reads. A capture that
    stands still holds up messages, it loses none; a slot that is lost does (docs/how-to/recover-a-lost-slot.md).
    Raises `DefinitionError` for a storage whose outbox no capture reads: its messages would stay where they are.
    """

    def __init__(self, inner: Transport, storage: Storage) -> None:
        if storage.outbox is not getattr(storage, "events", None):
            mend = 'make it `PostgresStorage(…, outbox="events")`, or give the service its transport as it is'
            raise DefinitionError(f"no capture reads the outbox of {storage.name!r}: {mend}")
        self._inner = inner

    def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
        """They are in the database's log."""
        taken([each.id for each in envelopes])

    def subscribe(self, address: str, group: str = "") -> Subscription:
        return self._inner.subscribe(address, group)

    def shard_of(self, address: str, key: str) -> int:
        return self._inner.shard_of(address, key)
