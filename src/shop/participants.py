"""The rooms that take commands, by the names of their services."""

from amends.faults import Refuse
from amends.messages import Command, Event
from amends.participant import Participant
from shop.billing.participant import billing
from shop.delivery.participant import delivery
from shop.notifications import telling as notifications_telling
from shop.notifications.participant import notifications
from shop.orders import telling as orders_telling
from shop.orders.participant import orders
from shop.payments import telling as payments_telling
from shop.payments.participant import payments
from shop.warehouse import telling as warehouse_telling
from shop.warehouse.participant import warehouse

PARTICIPANTS: dict[str, Participant] = {
    "orders": orders,
    "billing": billing,
    "payments": payments,
    "warehouse": warehouse,
    "delivery": delivery,
    "notifications": notifications,
}

REFUSALS: dict[str, dict[type[Command], Refuse]] = {
    "payments": payments_telling.REFUSALS,
    "warehouse": warehouse_telling.REFUSALS,
    "notifications": notifications_telling.REFUSALS,
}
"""By room: how a command is refused on purpose, where somebody has to be told."""

TOLD: tuple[type[Event], ...] = (
    *orders_telling.TOLD,
    *warehouse_telling.TOLD,
    *payments_telling.TOLD,
    *notifications_telling.TOLD,
)
"""Events for others than the shop's own rooms."""
