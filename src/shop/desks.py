"""The desks of all rooms: what the edges are built on, whether a room is in this process or in another."""

from collections.abc import Mapping
from typing import NamedTuple

from shop.billing.desk import BillingDesk
from shop.calls import Client, remote
from shop.calls.server import PREFIX
from shop.delivery.desk import DeliveryDesk
from shop.notifications.desk import NotificationsDesk
from shop.ops.desks import FaultsDesk, HealthDesk, SagasDesk
from shop.orders.desk import OrdersDesk
from shop.payments.desk import PaymentsDesk
from shop.users.desk import UsersDesk
from shop.warehouse.desk import WarehouseDesk

COORDINATING = ("orders", "users")
TAKING = ("orders", "billing", "payments", "warehouse", "delivery", "notifications")
_SAGAS, _HEALTH, _FAULTS = ".sagas", ".health", ".faults"


class Desks(NamedTuple):
    """One desk a room; `sagas` of those that coordinate, `faults` of those that take commands, `health` of all."""

    orders: OrdersDesk
    billing: BillingDesk
    payments: PaymentsDesk
    warehouse: WarehouseDesk
    delivery: DeliveryDesk
    users: UsersDesk
    notifications: NotificationsDesk
    sagas: Mapping[str, SagasDesk]
    health: Mapping[str, HealthDesk]
    faults: Mapping[str, FaultsDesk]


ROOMS = Desks._fields[:-3]


def remote_desks(addresses: Mapping[str, str], client: Client) -> Desks:
    """The desks of rooms in other processes; `addresses` by room, such as `http://10.0.0.7:9000`.

    One that is here takes its place: `remote_desks(addresses, client)._replace(orders=desk)`.
    """
    urls = {name: f"{addresses[name]}{PREFIX}{name}" for name in ROOMS}
    return Desks(
        remote(OrdersDesk, urls["orders"], client),
        remote(BillingDesk, urls["billing"], client),
        remote(PaymentsDesk, urls["payments"], client),
        remote(WarehouseDesk, urls["warehouse"], client),
        remote(DeliveryDesk, urls["delivery"], client),
        remote(UsersDesk, urls["users"], client),
        remote(NotificationsDesk, urls["notifications"], client),
        {name: remote(SagasDesk, urls[name] + _SAGAS, client) for name in COORDINATING},
        {name: remote(HealthDesk, urls[name] + _HEALTH, client) for name in ROOMS},
        {name: remote(FaultsDesk, urls[name] + _FAULTS, client) for name in TAKING},
    )


def served(
    room: str, desk: object, health: HealthDesk, sagas: SagasDesk | None = None, faults: FaultsDesk | None = None
) -> dict[str, object]:
    """The desks of one room by the names under which `remote_desks` asks for them; for `shop.calls.serve`."""
    named = {room: desk, room + _HEALTH: health, room + _SAGAS: sagas, room + _FAULTS: faults}
    return {name: each for name, each in named.items() if each is not None}
