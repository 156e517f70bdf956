"""What a fresh shop begins with, also when its first start was cut short."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends.adapters.embedded import Embedded
from shop import seeds
from shop.desks import Desks
from tests.shop.desks import AFAR, HERE, desks_of
from tests.shop.web.edges import open_services


class Fresh:
    """The rooms that are sown, empty."""

    def __init__(self, desks: Desks, now: float) -> None:
        self.desks = desks
        self._now = now

    async def sow(self) -> None:
        await seeds.sow(self.desks, self._now)

    async def money_minor(self) -> int:
        signed_in = await self.desks.users.sign_in(seeds.DEMO_EMAIL, seeds.DEMO_PASSWORD, "here")
        wallet = await self.desks.billing.wallet(signed_in.user.id)
        return -1 if wallet is None else wallet.balance_minor

    async def skus(self) -> list[str]:
        return [each.sku for each in await self.desks.orders.products("shop")]


@pytest.fixture(params=[HERE, AFAR])
async def fresh(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Fresh]:
    async with Embedded(tmp_path) as home:
        await open_services(home)
        async with desks_of(home.services, request.param) as desks:
            yield Fresh(desks, home.runtime.now())


async def test_sown_twice_is_as_sown_once(fresh: Fresh) -> None:
    await fresh.sow()
    await fresh.sow()
    assert await fresh.money_minor() == seeds.DEMO_MONEY_MINOR
    assert await fresh.skus() == sorted(product.sku for product, _ in seeds.CATALOGUE)


async def test_start_cut_short_after_the_demo_user_still_gives_the_money(fresh: Fresh) -> None:
    await fresh.desks.users.join(seeds.DEMO_EMAIL, seeds.DEMO_NAME, seeds.DEMO_PASSWORD)
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
