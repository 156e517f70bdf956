"""The way back from a lost slot: another slot first, then all that the table still holds, then the capture goes on.

    lost slot ─▶ capture stopped ─▶ renew_slot ─▶ resend ─▶ capture resumed

In this order nothing falls between: what was committed before the new slot is in the table, what comes later is in the
slot. What is sent twice, its readers have seen, and drop.
"""

import asyncio
import math
from collections.abc import Sequence
from time import monotonic

import asyncpg

from amends.adapters.postgres import heartbeat, outbox_events
from amends.adapters.postgres.failures import DRIVER, away
from amends.adapters.postgres.outbox import PostgresOutbox
from amends.adapters.postgres.outbox_events import EventOutbox
from amends.errors import CaptureFailed
from amends.messages import Envelope, MessageId
from amends.ports import Storage, Transport

PATIENCE_S = 60.0
_PAGE = 1_000
_POLL_S = 0.05
_CONNECT_S = 30.0

_READER = "select active_pid from pg_replication_slots where slot_name = $1 and database = current_database()"
_PUBLISHED = "select 1 from pg_publication where pubname = $1"
_PUBLISH = f"""
create publication %s for table {outbox_events.TABLE}, {heartbeat.TABLE} with (publish = 'insert, update')
"""


async def renew_slot(dsn: str, slot: str, patience_s: float = PATIENCE_S) -> None:
    """Drops the slot, if it is there, and makes it anew in the database of `dsn`; whoever reads it is disconnected.

    Its publication is made if it is missing. Raises `CaptureFailed`, `Unavailable`.
    """
    try:
        connection = await asyncpg.connect(dsn, timeout=_CONNECT_S, command_timeout=patience_s)
    except DRIVER as error:
        raise away(error) from error
    try:
        await _renew(connection, slot, patience_s)
    except TimeoutError as error:
        why = "a transaction that is open since before that has to end"
        raise CaptureFailed(f"the slot {slot!r} was not made in {patience_s:g} s: {why}") from error
    except asyncpg.PostgresError as error:
        raise CaptureFailed(f"the slot {slot!r} can't be made: {error}") from error
    finally:
        await connection.close()


async def _renew(connection: "asyncpg.Connection[asyncpg.Record]", slot: str, patience_s: float) -> None:
    if await _let_go(connection, slot, patience_s):
        await connection.execute("select pg_drop_replication_slot($1)", slot)
    if not await connection.fetch(_PUBLISHED, slot):
        await connection.execute(_PUBLISH % slot)
    await connection.execute("select pg_create_logical_replication_slot($1, 'pgoutput')", slot)


async def _let_go(connection: "asyncpg.Connection[asyncpg.Record]", slot: str, patience_s: float) -> bool:
    """Whether there is such a slot, which nobody reads then."""
    until = monotonic() + patience_s
    while found := await connection.fetch(_READER, slot):
        if found[0]["active_pid"] is None:
            return True
        if monotonic() > until:
            raise CaptureFailed(f"the slot {slot!r} is read again and again: stop its capture first")
        await connection.execute("select pg_terminate_backend($1)", found[0]["active_pid"])
        await asyncio.sleep(_POLL_S)
    return False


async def resend(
    storage: Storage,
    transport: Transport,
    since: float = 0.0,
    after: MessageId | None = None,
    patience_s: float = PATIENCE_S,
) -> int:
    """Sends what was put in at or after a Unix time, behind the id `after`, in the order of ids; returns how many.

    Raises `CaptureFailed` when some are not taken in time; those before them are.
    """
    events, sent = EventOutbox(), 0
    while True:
        async with storage.reading() as reader:
            page = await events.since(reader, since, _PAGE, *([] if after is None else [after]))
        await _send(page, transport, patience_s)
        sent += len(page)
        if len(page) < _PAGE:
            return sent
        after = page[-1].id


async def send_left(storage: Storage, transport: Transport, now: float, patience_s: float = PATIENCE_S) -> int:
    """Sends what a relay has left in `outbox`, and removes it; for a service that does not run. Returns how many.

    Raises `CaptureFailed` as `resend` does.
    """
    outbox, sent = PostgresOutbox(), 0
    while True:
        async with storage.transaction(now) as tx:
            left = await outbox.claim(tx, math.inf, _PAGE)
        if not left:
            return sent
        await _send(left, transport, patience_s)
        async with storage.transaction(now) as tx:
            await outbox.remove(tx, [each.id for each in left])
        sent += len(left)


async def _send(page: Sequence[Envelope], transport: Transport, patience_s: float) -> None:
    """Returns when all are taken."""
    left = {each.id for each in page}
    fewer = asyncio.Event()

    def taken(ids: Sequence[MessageId]) -> None:
        left.difference_update(ids)
        fewer.set()

    transport.send(page, taken)
    try:
        while left:
            fewer.clear()
            async with asyncio.timeout(patience_s):
                await fewer.wait()
    except TimeoutError:
        raise CaptureFailed(f"{len(left)} messages were not taken for {patience_s:g} s, such as {min(left)}") from None
