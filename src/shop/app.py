"""The shop as data: its databases, its sagas, what has to be consistent. For `amends` on the command line."""

from amends.app import App
from amends.comparison import Comparison
from shop.audit import CHECKS
from shop.billing import tables as billing
from shop.delivery import tables as delivery
from shop.notifications import tables as notifications
from shop.orders import tables as orders
from shop.orders.definitions import ALL as ORDER_SAGAS
from shop.payments import gateway_tables as gateway
from shop.payments import tables as payments
from shop.users import tables as users
from shop.users.sagas import open_wallet
from shop.warehouse import tables as warehouse


def _place_order() -> Comparison:
    """Loaded when it is asked for: it needs the rooms themselves."""
    from shop.comparing import place_order_by_patterns  # noqa: PLC0415

    return place_order_by_patterns()


app = App(
    databases={
        "orders": orders.MIGRATIONS,
        "billing": billing.MIGRATIONS,
        "payments": payments.MIGRATIONS,
        "warehouse": warehouse.MIGRATIONS,
        "delivery": delivery.MIGRATIONS,
        "users": users.MIGRATIONS,
        "notifications": notifications.MIGRATIONS,
        "gateway": gateway.MIGRATIONS,
    },
    sagas={"orders": ORDER_SAGAS, "users": (open_wallet,)},
    checks=CHECKS,
    comparisons={"place-order": _place_order},
)
