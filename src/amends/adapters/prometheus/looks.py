"""What is looked up in a service's database with each scrape."""

from collections.abc import Awaitable, Callable, Mapping

from amends.adapters.prometheus.values import Labels
from amends.connections import Reader
from amends.service import Service
from amends.state import Status

Look = Callable[[Service, Reader], Awaitable[Mapping[Labels, float]]]

_STATES = (Status.RUNNING, Status.COMPENSATING, Status.STUCK)


async def in_flight(service: Service, reader: Reader) -> Mapping[Labels, float]:
    """By state; of services that coordinate."""
    if service.coordinator is None:
        return {}
    counts = await service.storage.sagas.count(reader)
    return {(state,): counts.get(state, 0) for state in _STATES}


async def outbox_rows(service: Service, reader: Reader) -> Mapping[Labels, float]:
    return {(): (await service.storage.outbox.backlog(reader)).rows}


async def outbox_age(service: Service, reader: Reader) -> Mapping[Labels, float]:
    oldest_at = (await service.storage.outbox.backlog(reader)).oldest_at
    return {(): 0.0 if oldest_at is None else max(0.0, service.runtime.now() - oldest_at)}


async def parked(service: Service, reader: Reader) -> Mapping[Labels, float]:
    return {(): (await service.storage.parking.count(reader)).parked}


async def deferred(service: Service, reader: Reader) -> Mapping[Labels, float]:
    return {(): (await service.storage.parking.count(reader)).deferred}


async def away(service: Service, reader: Reader) -> Mapping[Labels, float]:  # noqa: ARG001 - it is in memory
    """Participants that let commands run out of time, one after the other."""
    if service.coordinator is None:
        return {}
    return {(participant,): 1.0 for participant in service.coordinator.circuits.open()}
