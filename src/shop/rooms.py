"""Opens rooms: what works beside a started service, and the desk in front of it. The same in every composition."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import NamedTuple

from amends.ports import Runtime, Storage
from amends.rest import AT_ONCE, Rest
from amends.service import Service
from amends.timers import Ticker
from shop import held
from shop.billing import held as holds
from shop.billing.participant import expire
from shop.delivery import participant as delivery
from shop.expiry import Expired, Expiry, Release
from shop.orders.cancelling import Cancelling
from shop.orders.desk import OrdersDesk
from shop.orders.placing import OrderIntake
from shop.orders.telling import Telling
from shop.orders.waiting import Waiting
from shop.payments.caller import Caller, Provider
from shop.payments.desk import PaymentsDesk
from shop.payments.gateway import Gateway
from shop.payments.gateway_client import HttpGateway
from shop.users.accounts import Accounts
from shop.users.desk import UsersDesk
from shop.users.passwords import Offload, Passwords
from shop.users.tokens import Issuer, load_keys
from shop.warehouse import participant as warehouse

_EXPIRY: Mapping[str, tuple[Expired, Release]] = {
    "billing": (holds.expired, expire),
    "delivery": (held.expired, delivery.drop),
    "warehouse": (held.expired, warehouse.drop),
}
HOLDING = tuple(_EXPIRY)


class OpenOrders(NamedTuple):
    """The desk, and who waits there: `waiting.end` lets them go, before the servers stop."""

    desk: OrdersDesk
    waiting: Waiting


def open_orders(
    service: Service,
    undo: AsyncExitStack,
    after: Callable[[int], Awaitable[None]] | None = None,
    rest: Rest = AT_ONCE,
    *,
    overlapping: bool = False,
) -> OpenOrders:
    """The intake of orders, which waits for `after` before each batch, and rests after it; `overlapping`: see `Intake`.

    Second sagas of cancelled ones; ends to tell.
    """
    intake = OrderIntake(service, after, rest, overlapping=overlapping)
    intake.start("order intake")
    undo.push_async_callback(intake.stop)
    chores = [Cancelling(service).begin_wanted, Telling(service).tell_ended]
    ticker = Ticker(chores, service.runtime, service.signals)
    ticker.start("orders")
    undo.callback(ticker.stop)
    waiting = Waiting(service)
    return OpenOrders(OrdersDesk(service, intake, waiting), waiting)


async def open_users(service: Service, offload: Offload) -> UsersDesk:
    """Makes the first key to sign tokens with, where there is none."""
    keys = await load_keys(service)
    return UsersDesk(service, Accounts(service, Passwords(offload)), Issuer(keys[-1]))


def expiry_of(service: Service) -> Expiry:
    """Of a room where things are held."""
    return Expiry(service, *_EXPIRY[service.name])


def open_expiry(service: Service, undo: AsyncExitStack) -> None:
    """In a room where things are held: what was not confirmed in time is released."""
    ticker = Ticker([expiry_of(service).sweep], service.runtime, service.signals, tick_s=1.0)
    ticker.start(f"{service.name} expiry")
    undo.callback(ticker.stop)


def open_gateway(storage: Storage, runtime: Runtime, undo: AsyncExitStack) -> Gateway:
    """The card provider, simulated."""
    gateway = Gateway(storage, runtime)
    gateway.start("gateway")
    undo.push_async_callback(gateway.stop)
    return gateway


def gateway_at(url: str, runtime: Runtime, undo: AsyncExitStack) -> HttpGateway:
    """The connections to it."""
    client = HttpGateway(url, runtime)
    undo.push_async_callback(client.close)
    return client


def open_payments(service: Service, undo: AsyncExitStack, provider: Provider) -> PaymentsDesk:
    """The calls of the card gateway."""
    caller = Caller(service, provider)
    caller.start("payments")
    undo.push_async_callback(caller.stop)
    return PaymentsDesk(service)
