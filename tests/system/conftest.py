"""Shops as processes of their own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.system.people import Operator
from tests.system.scene import Scene, furnished
from tests.system.shop_process import ShopProcess


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ShopProcess]:
    """Not started yet."""
    shop = ShopProcess(tmp_path / "data")
    yield shop
    await shop.stop()


@pytest.fixture
async def shop(process: ShopProcess) -> ShopProcess:
    """Started on an empty folder; it says nothing of its sagas."""
    await process.start("--ports", "auto", "--quiet")
    return process


@pytest.fixture
def operator(shop: ShopProcess) -> Operator:
    return Operator(shop)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def scene(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Scene]:
    """One for all tests of a file."""
    shop = ShopProcess(tmp_path_factory.mktemp("shop") / "data")
    try:
        await shop.start("--ports", "auto", "--quiet")
        yield await furnished(shop)
    finally:
        await shop.stop()


@pytest_asyncio.fixture(loop_scope="module")
async def nothing_changes(scene: Scene) -> AsyncIterator[None]:
    """Fails a test after which the shop isn't as it was."""
    before = await scene.figures()
    yield
    await scene.operator.settle()
    assert await scene.figures() == before
