"""What a fresh shop begins with, also when its first start was cut short."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends.adapters.embedded import Embedded
from amends.adapters.threads import Threads
from shop import seeds
from shop.billing import tables as billing_tables
from shop.billing.participant import billing
from shop.delivery import tables as delivery_tables
from shop.orders import tables as orders_tables
from shop.users import tables as users_tables
from shop.users.accounts import Accounts
from shop.users.passwords import Passwords
from shop.users.sagas import open_wallet
from shop.warehouse import tables as warehouse_tables


class Fresh:
    """The rooms that are sown, empty."""

    def __init__(self, home: Embedded, threads: Threads) -> None:
        self.home = home
        self.accounts = Accounts(home.services["users"], Passwords(threads))

    async def sow(self) -> None:
        await seeds.sow(self.home.services, self.accounts)

    async def money_minor(self) -> int:
        user = await self.accounts.sign_in(seeds.DEMO_EMAIL, seeds.DEMO_PASSWORD, "here")
        async with self.home.services["billing"].storage.reading() as reader:
            wallet = await billing_tables.wallet(reader, user.id)
        return -1 if wallet is None else wallet.balance_minor

    async def skus(self) -> list[str]:
        async with self.home.services["orders"].storage.reading() as reader:
            return [each.sku for each in await orders_tables.products(reader)]


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Fresh]:
    threads = Threads(2)
    async with Embedded(tmp_path) as home:
        await home.add("billing", participant=billing, migrations=billing_tables.MIGRATIONS)
        await home.add("delivery", migrations=delivery_tables.MIGRATIONS)
        await home.add("warehouse", migrations=warehouse_tables.MIGRATIONS)
        await home.add("orders", migrations=orders_tables.MIGRATIONS)
        await home.add("users", definitions=[open_wallet], migrations=users_tables.MIGRATIONS)
        yield Fresh(home, threads)
    threads.close()


async def test_sown_twice_is_as_sown_once(fresh: Fresh) -> None:
    await fresh.sow()
    await fresh.sow()
    assert await fresh.money_minor() == seeds.DEMO_MONEY_MINOR
    assert await fresh.skus() == sorted(product.sku for product, _ in seeds.CATALOGUE)


async def test_start_cut_short_after_the_demo_user_still_gives_the_money(fresh: Fresh) -> None:
    await fresh.accounts.join(seeds.DEMO_EMAIL, seeds.DEMO_NAME, seeds.DEMO_PASSWORD)
    await fresh.sow()
    assert await fresh.money_minor() == seeds.DEMO_MONEY_MINOR


async def test_start_cut_short_before_the_catalogue_gives_the_money_once(
    fresh: Fresh, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as cut:
        cut.setattr(seeds, "CATALOGUE", ())
        await fresh.sow()
    await fresh.sow()
    assert await fresh.money_minor() == seeds.DEMO_MONEY_MINOR
    assert await fresh.skus()
