"""What breaks in a round: one thing at random, as long as the `async with` lasts; it is healed at the end."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from random import Random
from typing import NamedTuple, Protocol

from tests.distributed.running import RunningShop
from tools.servers import TcpProxy

SHORT_S = (0.1, 1.2)
FROZEN_S = (2.0, 3.5)  # Kafka gives a process up after 1.5 s: see conftest
DELAYS_S = (0.01, 0.15)
COORDINATING = ("orders", "orders-2", "users")


class Mortal(Protocol):
    """A service, or a server."""

    async def kill(self) -> None: ...

    async def stop(self) -> None: ...

    async def start(self) -> None: ...


class Fault(NamedTuple):
    """`what` breaks, for `seconds` at least."""

    what: str
    seconds: float
    broken: AbstractAsyncContextManager[None]


def kill_a_service(shop: RunningShop, chance: Random) -> Fault:
    name = chance.choice(sorted(shop.services))
    return Fault(f"{name} is killed", chance.uniform(*SHORT_S), _killed([shop.services[name]]))


def kill_two_services(shop: RunningShop, chance: Random) -> Fault:
    names = chance.sample(sorted(shop.services), 2)
    killed = _killed([shop.services[name] for name in names])
    return Fault(f"{' and '.join(names)} are killed", chance.uniform(*SHORT_S), killed)


def restart_a_service(shop: RunningShop, chance: Random) -> Fault:
    name = chance.choice(sorted(shop.services))
    return Fault(f"{name} is restarted", 0.1, _restarted(shop.services[name]))


def kill_postgres(shop: RunningShop, chance: Random) -> Fault:
    return Fault("PostgreSQL is killed", chance.uniform(*SHORT_S), _killed([shop.servers.postgres]))


def kill_kafka(shop: RunningShop, chance: Random) -> Fault:
    return Fault("Kafka is killed", chance.uniform(*SHORT_S), _killed([shop.servers.kafka]))


def kill_connect(shop: RunningShop, chance: Random) -> Fault:
    return Fault("Connect is killed", chance.uniform(*SHORT_S), _killed([shop.servers.connect]))


def cut_one_from_postgres(shop: RunningShop, chance: Random) -> Fault:
    name = chance.choice(sorted(set(shop.proxies) - {"kafka"}))
    return Fault(f"{name} is cut from PostgreSQL", chance.uniform(*SHORT_S), _cut([shop.proxies[name]]))


def cut_all_from_postgres(shop: RunningShop, chance: Random) -> Fault:
    ways = [proxy for name, proxy in sorted(shop.proxies.items()) if name != "kafka"]
    return Fault("all are cut from PostgreSQL", chance.uniform(*SHORT_S), _cut(ways))


def cut_all_from_kafka(shop: RunningShop, chance: Random) -> Fault:
    return Fault("all are cut from Kafka", chance.uniform(*FROZEN_S), _cut([shop.proxies["kafka"]]))


def slow_network(shop: RunningShop, chance: Random) -> Fault:
    kafka, delay_s = chance.random() < 0.5, chance.uniform(*DELAYS_S)
    ways = [proxy for name, proxy in sorted(shop.proxies.items()) if (name == "kafka") is kafka]
    what = f"the way to {'Kafka' if kafka else 'PostgreSQL'} is {delay_s * 1000:.0f} ms longer"
    return Fault(what, chance.uniform(*SHORT_S), _slow(ways, delay_s))


def freeze_a_coordinator(shop: RunningShop, chance: Random) -> Fault:
    return _freeze(shop, chance.choice(COORDINATING), chance)


def freeze_a_service(shop: RunningShop, chance: Random) -> Fault:
    return _freeze(shop, chance.choice(sorted(shop.services)), chance)


FAULTS: dict[Callable[[RunningShop, Random], Fault], int] = {
    kill_a_service: 8,
    kill_two_services: 2,
    restart_a_service: 2,
    kill_postgres: 3,
    kill_kafka: 2,
    kill_connect: 1,
    cut_one_from_postgres: 3,
    cut_all_from_postgres: 2,
    cut_all_from_kafka: 1,
    slow_network: 2,
    freeze_a_coordinator: 3,
    freeze_a_service: 1,
}


def pick(shop: RunningShop, chance: Random) -> Fault:
    [made] = chance.choices([*FAULTS], [*FAULTS.values()])
    return made(shop, chance)


def _freeze(shop: RunningShop, name: str, chance: Random) -> Fault:
    return Fault(f"{name} is frozen", chance.uniform(*FROZEN_S), _frozen(shop, name))


@asynccontextmanager
async def _killed(victims: Sequence[Mortal]) -> AsyncIterator[None]:
    for each in victims:
        await each.kill()
    yield
    for each in victims:
        await each.start()


@asynccontextmanager
async def _restarted(victim: Mortal) -> AsyncIterator[None]:
    await victim.stop()
    yield
    await victim.start()


@asynccontextmanager
async def _cut(ways: Sequence[TcpProxy]) -> AsyncIterator[None]:
    for each in ways:
        await each.cut()
    yield
    for each in ways:
        await each.heal()


@asynccontextmanager
async def _slow(ways: Sequence[TcpProxy], delay_s: float) -> AsyncIterator[None]:
    for each in ways:
        each.slow(delay_s)
    yield
    for each in ways:
        each.slow(0)


@asynccontextmanager
async def _frozen(shop: RunningShop, name: str) -> AsyncIterator[None]:
    """It goes on whatever happens: nothing else could stop it."""
    shop.services[name].freeze()
    try:
        yield
    finally:
        shop.services[name].thaw()
