"""What a fresh shop begins with: a catalogue, courier slots, a demo user with money. Sown once; may run again."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from amends.service import Service
from shop.billing import tables as billing
from shop.delivery import tables as delivery
from shop.orders import tables as orders
from shop.orders.tables import Product
from shop.users.accounts import Accounts
from shop.warehouse import tables as warehouse
from shop.web import Problem

CATALOGUE = (
    (Product("apple", "Apple", 100), 1000),
    (Product("bread", "Bread", 350), 500),
    (Product("coffee", "Coffee, 500 g", 899), 300),
    (Product("honey", "Honey", 650), 120),
    (Product("teapot", "Teapot, the last ten", 2900), 10),
)
DAYS, HOURS, COURIERS = 7, (8, 12, 16, 20), 3
DEMO_EMAIL, DEMO_NAME, DEMO_PASSWORD, DEMO_MONEY_MINOR = "demo@shop.example", "Demo", "demo-demo", 100_000


async def sow(services: Mapping[str, Service], accounts: Accounts) -> None:
    """Does nothing where the catalogue holds something. Coupled so that a crash in between is mended by the repeat."""
    async with services["orders"].storage.reading() as reader:
        if await orders.products(reader):
            return
    await _sow_slots(services["delivery"])
    await _sow_demo_user(services["billing"], accounts)
    await _sow_products(services["warehouse"], services["orders"])


async def _sow_slots(service: Service) -> None:
    now = service.runtime.now()
    midnight = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    starts = [midnight + timedelta(days=day, hours=hour) for day in range(DAYS + 1) for hour in HOURS]
    starts.append(datetime(2034, 5, 26, 16, tzinfo=UTC))
    async with service.storage.transaction(now) as tx:
        await delivery.put_calendar(tx, "shop", None)
        for start in starts:
            await delivery.put_slot(tx, "shop", start.strftime("%Y-%m-%dT%H:%M:%SZ"), COURIERS)


async def _sow_demo_user(service: Service, accounts: Accounts) -> None:
    try:
        user = await accounts.join(DEMO_EMAIL, DEMO_NAME, DEMO_PASSWORD)
    except Problem:  # a crash came between the user and the catalogue: the money may be missing
        user = await accounts.sign_in(DEMO_EMAIL, DEMO_PASSWORD, "the first start")
    async with service.storage.transaction(service.runtime.now()) as tx:
        await billing.open_wallet(tx, user.id, "shop")
        await billing.deposit(tx, f"{user.id}/welcome", user.id, DEMO_MONEY_MINOR)


async def _sow_products(stock: Service, catalogue: Service) -> None:
    """Stock first: a product can be bought once it is in the catalogue."""
    async with stock.storage.transaction(stock.runtime.now()) as tx:
        for product, on_hand in CATALOGUE:
            await warehouse.put_stock(tx, product.sku, on_hand)
    async with catalogue.storage.transaction(catalogue.runtime.now()) as tx:
        for product, _ in CATALOGUE:
            await orders.put_product(tx, product)
