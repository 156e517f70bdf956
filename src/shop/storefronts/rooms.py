"""What storefronts are built on: the desks of the shop's rooms, and what every edge has."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from amends.ports import Runtime
from amends.signals import Signals
from shop.billing.desk import BillingDesk
from shop.delivery.desk import DeliveryDesk
from shop.notifications.desk import NotificationsDesk
from shop.ops.desks import FaultsDesk
from shop.orders.desk import OrdersDesk
from shop.payments.desk import PaymentsDesk
from shop.users.desk import UsersDesk
from shop.warehouse.desk import WarehouseDesk
from shop.web import Rates, Route, Verifier


@dataclass(frozen=True, slots=True)
class Rooms:
    """The desks of the rooms, here or elsewhere; `verifier` knows whose token it is; `faults` of each by its name.

    `xa`: rooms can vote by prepared transactions.
    """

    orders: OrdersDesk
    billing: BillingDesk
    payments: PaymentsDesk
    warehouse: WarehouseDesk
    delivery: DeliveryDesk
    users: UsersDesk
    notifications: NotificationsDesk
    runtime: Runtime
    verifier: Verifier
    faults: Mapping[str, FaultsDesk] = field(default_factory=dict)
    xa: bool = False


def rates() -> Rates:
    """For a dialect whose clients don't sign in: an address may be a gateway with all of them behind it."""
    return Rates(per_s=5_000, burst=10_000)


class Common(NamedTuple):
    """What every edge has: `routes` such as health; `signals` hear what goes wrong."""

    routes: Sequence[Route] = ()
    signals: Signals | None = None
