"""Products of a storefront are numbered once each, whoever registers them at the same time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from amends.adapters.sqlite import SqliteStorage
from amends.errors import Conflict
from shop.orders import tables
from shop.orders.tables import Product


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "orders.db", tables.MIGRATIONS)
    await storage.migrate()
    yield storage
    await storage.close()


async def test_number_that_somebody_else_took_is_a_conflict_and_nothing_is_overwritten(storage: SqliteStorage) -> None:
    async with storage.transaction(0.0) as tx:
        await tables.add_product(tx, Product("s/1", "Pear", 0), "s")
    with pytest.raises(Conflict, match="s/1"):
        async with storage.transaction(0.0) as tx:
            await tables.add_product(tx, Product("s/1", "Plum", 0), "s")
    async with storage.reading() as reader:
        assert [each.title for each in await tables.products(reader, "s")] == ["Pear"]
