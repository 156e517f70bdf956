"""What the measured shop holds: users with money, products, courier slots; and some that make an order refused."""

from collections.abc import Mapping

from amends.ports import Storage
from amends.service import Service
from shop.billing import tables as accounts
from shop.delivery import tables as slots
from shop.orders import tables as catalogue
from shop.warehouse import tables as shelves

USERS, ITEMS, SLOTS = 100, 100, 10
PRICE_MINOR = 100
PLENTY = 10**9
MUCH_MINOR = 10**12
POOR = "poor"
SOLD_OUT = "sold-out"


def user(nth: int) -> str:
    return f"buyer-{nth}"


def sku(nth: int) -> str:
    return f"item-{nth}"


def slot(nth: int) -> str:
    return f"2034-05-26T{10 + nth}:00:00Z"


def is_refused(nth: int, share: float) -> bool:
    """Spreads refusals evenly over the orders."""
    return int((nth + 1) * share) > int(nth * share)


async def fill(services: Mapping[str, Service], now: float) -> None:
    """Stocks a started shop; may run again."""
    storages = {name: service.storage for name, service in services.items()}
    await _wallets(services["billing"])
    await _goods(storages["orders"], storages["warehouse"], now)
    await _couriers(storages["delivery"], now)


async def _wallets(billing: Service) -> None:
    async with billing.transaction() as tx:
        for name in [POOR, *map(user, range(USERS))]:
            await accounts.open_wallet(tx, name)
            if name != POOR:
                await accounts.deposit(tx, f"deposit-{name}", name, MUCH_MINOR)


async def _goods(place: Storage, goods: Storage, now: float) -> None:
    names = [SOLD_OUT, *map(sku, range(ITEMS))]
    async with place.transaction(now) as tx:
        for name in names:
            await catalogue.put_product(tx, catalogue.Product(name, name.title(), PRICE_MINOR))
    async with goods.transaction(now) as tx:
        for name in names:
            await shelves.put_stock(tx, name, 0 if name == SOLD_OUT else PLENTY)


async def _couriers(storage: Storage, now: float) -> None:
    async with storage.transaction(now) as tx:
        await slots.put_calendar(tx, "shop", None)
        for nth in range(SLOTS):
            await slots.put_slot(tx, "shop", slot(nth), PLENTY)
