"""What a fresh shop begins with: a catalogue, courier slots, a demo user with money. Sown once; may run again."""

from datetime import UTC, datetime, timedelta

from shop.desks import Desks
from shop.orders.desk import Product
from shop.web.problems import Problem

CATALOGUE = (
    (Product("apple", "Apple", 100), 1000),
    (Product("bread", "Bread", 350), 500),
    (Product("coffee", "Coffee, 500 g", 899), 300),
    (Product("honey", "Honey", 650), 120),
    (Product("teapot", "Teapot, the last ten", 2900), 10),
)
SCOPE = "shop"
DAYS, HOURS, COURIERS = 7, (8, 12, 16, 20), 3
DEMO_EMAIL, DEMO_NAME, DEMO_PASSWORD, DEMO_MONEY_MINOR = "demo@shop.example", "Demo", "demo-demo", 100_000


async def sow(desks: Desks, now: float) -> None:
    """Does nothing where the catalogue holds something. Coupled so that a crash in between is mended by the repeat."""
    if await desks.orders.products(SCOPE):
        return
    await desks.delivery.put_calendar(SCOPE, None)
    await desks.delivery.put_slots(SCOPE, dict.fromkeys(_slots(now), COURIERS))
    await _sow_demo_user(desks)
    await desks.warehouse.put_stock({product.sku: on_hand for product, on_hand in CATALOGUE})
    await desks.orders.put_products([product for product, _ in CATALOGUE], SCOPE)  # last: now it can be bought


def _slots(now: float) -> list[str]:
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [midnight + timedelta(days=day, hours=hour) for day in range(DAYS + 1) for hour in HOURS]
    starts.append(datetime(2034, 5, 26, 16, tzinfo=UTC))
    return [start.strftime("%Y-%m-%dT%H:%M:%SZ") for start in starts]


async def _sow_demo_user(desks: Desks) -> None:
    try:
        user = await desks.users.join(DEMO_EMAIL, DEMO_NAME, DEMO_PASSWORD)
    except Problem:  # a crash came between the user and the catalogue: the money may be missing
        user = (await desks.users.sign_in(DEMO_EMAIL, DEMO_PASSWORD, "the first start")).user
    await desks.billing.open_wallet(user.id, SCOPE)
    await desks.billing.deposit(f"{user.id}/welcome", user.id, DEMO_MONEY_MINOR)
