"""The rooms that take commands, by the names of their services."""

from amends.participant import Participant
from shop.billing.participant import billing
from shop.delivery.participant import delivery
from shop.notifications.participant import notifications
from shop.orders.participant import orders
from shop.payments.participant import payments
from shop.warehouse.participant import warehouse

PARTICIPANTS: dict[str, Participant] = {
    "orders": orders,
    "billing": billing,
    "payments": payments,
    "warehouse": warehouse,
    "delivery": delivery,
    "notifications": notifications,
}
