"""The guard of a slot: what it tells, when, and what its gauges show."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.postgres.heartbeat import BEAT
from amends.adapters.postgres.recovery import renew_slot, resend
from amends.adapters.postgres.slots import Bounds, SlotGuard, look
from amends.adapters.prometheus import Meter
from amends.conformance.fixtures import NOW, event
from amends.errors import CaptureFailed
from amends.signals import Field, Signals
from amends.testing.faults import Losing
from tests.servers import PostgresServer, fresh_database
from tools.servers import Postgres, running

pytestmark = pytest.mark.servers

BOUNDS = Bounds(kept_bytes=2**20, silent_s=60.0, look_every_s=5.0, tell_every_s=30.0)
Heard = list[tuple[str, dict[str, Field]]]


@pytest.fixture
async def postgres(postgres_server: PostgresServer) -> Postgres:
    return await postgres_server(16)


@pytest.fixture
async def storage(postgres: Postgres) -> AsyncIterator[PostgresStorage]:
    async with fresh_database(postgres) as dsn:
        storage = PostgresStorage(dsn, name="bank", outbox="events")
        await storage.migrate()
        yield storage
        await storage.close()


class Watched:
    """A guard on a clock that the test moves."""

    def __init__(self, storage: PostgresStorage, slot: str) -> None:
        self.now = NOW
        self.heard: Heard = []
        signals = Signals()
        signals.listen(lambda name, fields: self.heard.append((name, fields)))
        self.guard = SlotGuard(storage, slot, lambda: self.now, signals, BOUNDS)

    async def after(self, seconds: float) -> Heard:
        """What is told when so many seconds have passed."""
        self.now += seconds
        self.heard.clear()
        await self.guard()
        return self.heard


async def slot_of(storage: PostgresStorage, postgres: Postgres) -> str:
    """A slot that nobody reads."""
    async with storage.reading() as reader:
        [(database,)] = await reader.fetch("select current_database()")
    await renew_slot(postgres.dsn(database), f"amends_{database}")
    return f"amends_{database}"


async def beat(storage: PostgresStorage) -> None:
    async with storage.transaction(NOW) as tx:
        await tx.run(BEAT)


async def test_slot_that_is_missing_is_told_at_once_and_again(storage: PostgresStorage) -> None:
    watched = Watched(storage, "amends_nowhere")
    lost = ("slot.lost", {"service": "bank", "slot": "amends_nowhere", "status": "missing"})

    assert await watched.after(0) == [lost]
    assert await watched.after(10) == []
    assert await watched.after(20) == [lost]
    assert watched.guard.slot.is_lost


async def test_slot_that_nobody_reads_is_told_after_a_while(storage: PostgresStorage, postgres: Postgres) -> None:
    watched = Watched(storage, await slot_of(storage, postgres))

    assert await watched.after(55) == []
    [(name, fields)] = await watched.after(10)

    assert (name, fields["why"]) == ("slot.lagging", "nobody reads it")


async def test_slot_that_keeps_too_much_is_told_until_it_does_not(storage: PostgresStorage, postgres: Postgres) -> None:
    slot = await slot_of(storage, postgres)
    watched = Watched(storage, slot)
    assert await watched.after(0) == []
    await postgres.run("select pg_logical_emit_message(true, 'much', repeat('x', 2000000))")

    [(name, fields)] = await watched.after(5)
    assert (name, fields["why"]) == ("slot.lagging", "too much is kept")
    assert isinstance(fields["kept_bytes"], int)
    assert fields["kept_bytes"] > BOUNDS.kept_bytes

    await slot_of(storage, postgres)
    assert await watched.after(5) == []
    assert watched.guard.slot.lag_bytes is not None
    assert watched.guard.slot.lag_bytes < BOUNDS.kept_bytes


async def test_guard_does_not_look_with_every_tick(storage: PostgresStorage, postgres: Postgres) -> None:
    watched = Watched(storage, await slot_of(storage, postgres))
    await watched.after(0)
    await beat(storage)

    await watched.after(4)
    assert watched.guard.slot.beat_age_s is None
    await watched.after(1)
    assert watched.guard.slot.beat_age_s is not None


async def test_gauges_show_the_slot(storage: PostgresStorage, postgres: Postgres) -> None:
    slot = await slot_of(storage, postgres)
    await beat(storage)
    signals = Signals()
    meter = Meter([], signals, AsyncioRuntime())
    SlotGuard(storage, slot, AsyncioRuntime().now, signals).show(meter)

    shown = (await meter.render()).decode()
    values = {
        name: float(value) for name, _, value in (line.partition("} ") for line in shown.splitlines() if slot in line)
    }

    labels = f'{{service="bank",slot="{slot}"'
    assert values[f"amends_slot_active{labels}"] == 0.0
    assert values[f"amends_slot_lost{labels}"] == 0.0
    assert 0 <= values[f"amends_slot_lag_bytes{labels}"] <= values[f"amends_slot_kept_bytes{labels}"]
    assert 0 <= values[f"amends_slot_beat_age_seconds{labels}"] < 60


async def test_guard_that_tells_nothing_is_noticed(storage: PostgresStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SlotGuard, "_tell", lambda self, now: None)
    with pytest.raises(AssertionError):
        await test_slot_that_is_missing_is_told_at_once_and_again(storage)


async def test_log_is_kept_for_a_slot_up_to_a_bound_and_for_ever_without(tmp_path: Path) -> None:
    postgres = Postgres(tmp_path / "postgres", 16)
    async with running(postgres), fresh_database(postgres) as dsn:
        storage = PostgresStorage(dsn, name="bank", outbox="events")
        await storage.migrate()
        slot = await slot_of(storage, postgres)
        assert await status_after_much(storage, postgres, slot) == "reserved"
        await postgres.run("alter system set max_slot_wal_keep_size = '16MB'")
        await postgres.run("select pg_reload_conf()")
        assert await status_after_much(storage, postgres, slot) == "lost"
        await storage.close()


async def status_after_much(storage: PostgresStorage, postgres: Postgres, slot: str) -> str:
    """Four segments of log later."""
    for _ in range(4):
        await postgres.run("select pg_logical_emit_message(true, 'much', 'log'), pg_switch_wal()")
        await postgres.run("checkpoint")
    async with storage.reading() as reader:
        return (await look(reader, slot)).status


async def test_slot_of_another_database_is_not_taken(storage: PostgresStorage, postgres: Postgres) -> None:
    slot = await slot_of(storage, postgres)

    async with fresh_database(postgres) as dsn:
        other = PostgresStorage(dsn, outbox="events")
        await other.migrate()
        await other.close()
        with pytest.raises(CaptureFailed, match="already exists"):
            await renew_slot(dsn, slot)


async def test_slot_waits_a_bounded_time_for_transactions_that_are_open(
    storage: PostgresStorage, postgres: Postgres
) -> None:
    await slot_of(storage, postgres)

    async with storage.transaction(NOW) as tx:
        await tx.run(BEAT)
        async with storage.reading() as reader:
            [(database,)] = await reader.fetch("select current_database()")
        with pytest.raises(CaptureFailed, match="a transaction that is open since before that has to end"):
            await renew_slot(postgres.dsn(database), "amends_waiting", patience_s=0.5)


async def test_resending_waits_a_bounded_time_for_the_transport(storage: PostgresStorage) -> None:
    async with storage.transaction(NOW) as tx:
        await storage.outbox.insert(tx, [event("0198f2a4-0000-7000-8000-000000000001")])

    with pytest.raises(CaptureFailed, match=r"1 messages were not taken for 0\.2 s, such as 0198f2a4-0000-7000"):
        await resend(storage, Losing(InProcess(), lambda _: True), patience_s=0.2)
