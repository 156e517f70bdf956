"""The gateway's books: what is asked at the same time is carried out in one transaction, durable before it is told."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from amends.intake import Intake
from amends.ports import Runtime, Storage
from shop.payments import gateway_tables
from shop.payments.gateway_wire import Outcome, Record


class Change(NamedTuple):
    """What a call does: to a key never seen it gives the record `opens`, then what is `before` becomes `after`."""

    key: str
    opens: Record | None = None
    before: Outcome | None = None
    after: Outcome | None = None


class Entry(NamedTuple):
    """What is under a key, and whether this call has opened it."""

    record: Record | None
    new: bool


def changed(known: Record | None, change: Change) -> Record | None:
    """What is under the key after a change.

    >>> changed(Record("k", "captured", "4242", 500), Change("k", None, "captured", "refunded")).state
    'refunded'
    """
    record = change.opens if known is None else known
    if record is None or change.after is None or record.state != change.before:
        return record
    return msgspec.structs.replace(record, state=change.after)


class Books:
    """One of a database; `start` before use."""

    def __init__(self, storage: Storage, runtime: Runtime) -> None:
        self._storage = storage
        self._runtime = runtime
        self._intake: Intake[Change, Entry] = Intake(self._carry_out, runtime)
        self.start = self._intake.start
        self.stop = self._intake.stop
        self.make = self._intake.submit

    async def find(self, key: str) -> Record | None:
        async with self._storage.reading() as reader:
            return await gateway_tables.find(reader, key)

    async def _carry_out(self, changes: Sequence[Change]) -> list[Entry]:
        """One after the other, as if each had been alone."""
        async with self._storage.transaction(self._runtime.now()) as tx:
            known = await gateway_tables.lock(tx, [each.key for each in changes])
            now, entries = dict(known), list[Entry]()
            for change in changes:
                found = now.get(change.key)
                record = changed(found, change)
                entries.append(Entry(record, found is None and record is not None))
                if record is not None:
                    now[change.key] = record
            await gateway_tables.insert(tx, [each for key, each in now.items() if key not in known])
            await gateway_tables.change(tx, [each for key, each in now.items() if known.get(key, each) != each])
        return entries
