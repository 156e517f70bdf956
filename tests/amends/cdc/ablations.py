"""Rules, each taken out by a patch."""

from collections.abc import Sequence

import pytest

from amends.adapters.postgres import EventOutbox, heartbeat
from amends.connections import Tx
from amends.messages import Envelope
from tests.amends.cdc import scenarios

Patch = pytest.MonkeyPatch


def no_heartbeat(patch: Patch) -> None:
    """Debezium's own heartbeat has nothing new to confirm."""
    patch.setattr(heartbeat, "BEAT", "select 1")
    patch.setattr(scenarios, "moves_s", 3.0)


def rows_are_not_kept(patch: Patch) -> None:
    """As outboxes often are: a row is deleted in the transaction that inserts it, the log has it."""
    insert = EventOutbox.insert

    async def forgetful(self: EventOutbox, tx: Tx, envelopes: Sequence[Envelope], *_: object) -> None:
        await insert(self, tx, envelopes)
        await tx.run("delete from outbox_events")

    patch.setattr(EventOutbox, "insert", forgetful)
