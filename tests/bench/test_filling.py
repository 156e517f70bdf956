"""A shop filled by copies is one that the shop itself could have come to."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from amends.adapters.sqlite.connection import connect
from bench import filling
from shop.settings import PORTS, Settings
from shop.wiring import Shop


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """A shop that starts in this process switches the collector off."""
    yield
    gc.enable()
    gc.unfreeze()


async def test_copied_orders_keep_every_invariant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    data = await filling.filled(1_000)
    shop = Shop(Settings(data, ports=tuple((name, 0) for name in PORTS)))
    await shop.start()
    try:
        broken = [finding for finding in await shop.check() if not finding.holds]
    finally:
        await shop.stop()
    assert broken == []


async def test_copies_are_as_many_as_asked_for_beside_the_samples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    orders = connect(await filling.filled(1_000) / "orders.db", readonly=True)
    ended = orders.execute("select count(*) from sagas where status = 'completed'").fetchall()
    keys = orders.execute("select count(distinct key) from idempotency_keys").fetchall()
    orders.close()
    assert (ended, keys) == ([(1_100,)], [(1_100,)])
