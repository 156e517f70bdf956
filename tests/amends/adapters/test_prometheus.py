"""Metrics: each saga, each step, what is left in each database; and gauges that others add."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from amends.adapters.prometheus import Meter
from amends.adapters.prometheus.values import Labels
from amends.asking import open_asks
from amends.errors import Unavailable
from amends.messages import Envelope, Kind, MessageId, Outcome, SagaId
from amends.pages import Parked
from amends.signals import Signals
from amends.state import Status
from tests.amends.trips import Agency, BookFlight, BookHotel, Full, SendTickets, fail, refuse


class Metered(Agency):
    """An agency with a meter."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.told = Signals()
        self.meter = Meter(self.services.values(), self.told, self.runtime)
        self.observers.append(self.meter)

    async def value(self, metric: str, /, **labels: str) -> float | None:
        """None when there is no such sample."""
        text = (await self.meter.render()).decode()
        samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
        found = [each.value for each in samples if each.name == metric and each.labels == labels]
        return found[0] if found else None

    async def step(self, name: str, step: str, operation: str = "action", **more: str) -> float | None:
        return await self.value(f"amends_step_{name}", saga="book-trip", step=step, operation=operation, **more)


@pytest.fixture
async def agency(tmp_path: Path) -> AsyncIterator[Metered]:
    agency = Metered(tmp_path)
    await agency.open()
    yield agency
    await agency.close()


async def test_sagas_are_counted_by_definition_and_end(agency: Metered) -> None:
    await agency.run("t1", "t2")
    agency.behave[BookFlight] = refuse(Full())
    await agency.run("t3")
    assert await agency.value("amends_sagas_started_total", saga="book-trip") == 3
    assert await agency.value("amends_sagas_ended_total", saga="book-trip", state="completed") == 2
    assert await agency.value("amends_sagas_ended_total", saga="book-trip", state="compensated") == 1
    assert await agency.value("amends_saga_duration_seconds_count", saga="book-trip") == 3


async def test_each_step_has_commands_replies_and_durations(agency: Metered) -> None:
    agency.behave[BookFlight] = refuse(Full())
    await agency.run("t1")
    for step in ("hotel", "flight"):
        assert await agency.step("commands_total", step) == 1
        assert await agency.step("duration_seconds_count", step) == 1
    assert await agency.step("replies_total", "hotel", outcome="done") == 1
    assert await agency.step("replies_total", "flight", outcome="refused") == 1
    assert await agency.step("commands_total", "hotel", "compensation") == 1
    assert await agency.step("replies_total", "hotel", "compensation", outcome="done") == 1
    assert await agency.step("commands_total", "charge") is None
    assert await agency.step("timeouts_total", "hotel") is None
    assert await agency.step("retries_total", "hotel") is None


async def test_commands_without_an_answer_are_timeouts_and_retries(agency: Metered) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    await agency.runtime.advance(8.0, 0.5)
    assert await agency.step("commands_total", "hotel") == 3
    assert await agency.step("retries_total", "hotel") == 2
    assert await agency.step("timeouts_total", "hotel") == 3


async def test_answer_that_says_failed_is_a_retry_and_no_timeout(agency: Metered) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    await agency.runtime.settle()
    coordinator = agency.services["trips"].coordinator
    assert coordinator is not None
    [saga] = await agency.sagas("t1")
    [ask] = open_asks(saga.state)
    failed = Envelope(
        id=MessageId("r1"),
        kind=Kind.REPLY,
        type="Broken",
        to=coordinator.name,
        key="t1",
        at=0.0,
        payload=b"{}",
        saga=SagaId("t1"),
        step="hotel",
        attempt=ask.attempt,
        outcome=Outcome.FAILED,
    )
    await coordinator.hop([failed])
    await agency.runtime.advance(1.0, 0.2)
    assert await agency.step("replies_total", "hotel", outcome="failed") == 1
    assert await agency.step("retries_total", "hotel") == 1
    assert await agency.step("timeouts_total", "hotel") is None


async def test_duration_is_from_the_command_to_its_reply(agency: Metered) -> None:
    agency.behave[BookHotel] = fail()
    await agency.start("t1")
    await agency.runtime.advance(0.04, 0.04)
    del agency.behave[BookHotel]
    await agency.ended("t1", leap_s=0.2)
    assert await agency.step("duration_seconds_count", "hotel") == 1
    took_s = await agency.step("duration_seconds_sum", "hotel")
    assert took_s is not None
    assert 0.04 < took_s < 2.0


async def test_durations_of_a_large_hop_are_sampled_and_all_replies_counted(agency: Metered) -> None:
    await agency.run(*[f"t{number}" for number in range(250)])
    assert await agency.step("replies_total", "charge", outcome="done") == 250
    sampled = await agency.step("duration_seconds_count", "charge")
    assert sampled is not None
    assert 240 <= sampled <= 260


async def test_sagas_in_flight_are_looked_up_by_state(agency: Metered) -> None:
    agency.behave[SendTickets] = refuse(Full())
    [saga] = await agency.run("t1")
    assert saga.state.status is Status.STUCK
    assert await agency.value("amends_sagas_in_flight", service="trips", state="stuck") == 1
    assert await agency.value("amends_sagas_in_flight", service="trips", state="running") == 0
    assert await agency.value("amends_sagas_in_flight", service="hotel", state="running") is None


async def test_outbox_and_messages_set_aside_are_looked_up_in_every_service(agency: Metered) -> None:
    await agency.run("t1")
    await agency.runtime.advance(3.0, 0.5)
    assert await agency.value("amends_outbox_rows", service="hotel") == 0
    assert await agency.value("amends_outbox_oldest_seconds", service="hotel") == 0
    storage, message = agency.services["hotel"].storage, _message()
    async with storage.transaction(agency.runtime.now() - 60) as tx:
        await storage.outbox.insert(tx, [message])
        await storage.parking.insert(tx, [Parked(message, "boom", 8, None, 0.0)])
    assert await agency.value("amends_outbox_rows", service="hotel") == 1
    assert await agency.value("amends_outbox_oldest_seconds", service="hotel") == pytest.approx(60)
    assert await agency.value("amends_messages_parked", service="hotel") == 1
    assert await agency.value("amends_messages_deferred", service="hotel") == 0
    assert await agency.value("amends_messages_parked", service="flight") == 0


async def test_signals_and_hops_are_counted(agency: Metered) -> None:
    agency.told.emit("participant.hop", participant="hotel", messages=7)
    agency.told.emit("chore.failed", error="boom")
    assert await agency.value("amends_signals_total", signal="chore.failed") == 1
    assert await agency.value("amends_hop_size_bucket", kind="participant", name="hotel", le="10.0") == 1
    assert await agency.value("amends_hop_size_bucket", kind="participant", name="hotel", le="5.0") == 0


async def test_participant_that_is_away_is_named(agency: Metered) -> None:
    assert await agency.value("amends_participant_away", service="trips", participant="hotel") is None
    coordinator = agency.services["trips"].coordinator
    assert coordinator is not None
    for _ in range(6):
        coordinator.circuits.silent("hotel", agency.runtime.now())
    assert await agency.value("amends_participant_away", service="trips", participant="hotel") == 1
    coordinator.circuits.answered("hotel")
    assert await agency.value("amends_participant_away", service="trips", participant="hotel") is None


async def test_others_add_gauges(agency: Metered) -> None:
    async def lag() -> Mapping[Labels, float]:
        return {("orders", "relay"): 12.0}

    agency.meter.gauge("slot_lag_bytes", "How far a slot is behind", ("service", "slot"), lag)
    assert await agency.value("slot_lag_bytes", service="orders", slot="relay") == 12


async def test_what_cannot_be_read_hides_nothing_else(agency: Metered, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away() -> Mapping[Labels, float]:
        raise Unavailable("the database is away")

    def no_reading() -> None:
        raise Unavailable("the database is away")

    agency.meter.gauge("slot_lag_bytes", "How far a slot is behind", (), away)
    monkeypatch.setattr(agency.services["hotel"].storage, "reading", no_reading)
    assert await agency.value("amends_outbox_rows", service="hotel") is None
    assert await agency.value("amends_outbox_rows", service="flight") == 0
    assert (await agency.value("amends_gauge_errors_total", gauge="amends_outbox_rows") or 0) > 0
    assert (await agency.value("amends_gauge_errors_total", gauge="slot_lag_bytes") or 0) > 0


async def test_figures_of_the_process_are_shown(agency: Metered) -> None:
    assert (await agency.value("process_resident_memory_bytes") or 0) > 0


def _message() -> Envelope:
    return Envelope(
        id=MessageId("m1"), kind=Kind.REPLY, type="Done", to="trips.coordinator", key="t1", at=0.0, payload=b"{}"
    )
