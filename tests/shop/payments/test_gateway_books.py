"""What the gateway's books do with calls that come at the same time."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.sqlite import SqliteStorage
from shop.payments import gateway_tables
from shop.payments.gateway import Gateway, Told
from shop.payments.gateway_wire import APPROVED, LOST, Authorization

FIVE = Authorization(APPROVED, 500)


class Books(SqliteStorage):
    """Counts commits."""

    commits = 0

    def _committed(self) -> None:
        self.commits += 1
        super()._committed()


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Books]:
    made = Books(tmp_path / "gateway.db", gateway_tables.MIGRATIONS)
    await made.migrate()
    yield made
    await made.close()


@pytest.fixture
async def gateway(storage: Books) -> AsyncIterator[Gateway]:
    made = Gateway(storage, AsyncioRuntime())
    made.start("gateway")
    yield made
    await made.stop()


async def state(gateway: Gateway, key: str) -> str:
    record = (await gateway.status(key)).record
    return "never seen" if record is None else record.state


def statuses(told: Sequence[Told]) -> list[int]:
    return [each.status for each in told]


async def test_calls_at_the_same_time_share_a_commit(gateway: Gateway, storage: Books) -> None:
    told = await asyncio.gather(*[gateway.authorize(f"k{nth}", FIVE) for nth in range(50)])
    assert statuses(told) == [201] * 50
    assert storage.commits == 1


async def test_calls_of_one_key_at_the_same_time_are_carried_out_in_turn(gateway: Gateway) -> None:
    told = await asyncio.gather(
        gateway.capture("k"), gateway.authorize("k", FIVE), gateway.capture("k"), gateway.refund("k"), gateway.void("k")
    )
    assert statuses(told) == [404, 201, 200, 200, 200]
    assert await state(gateway, "k") == "refunded"


async def test_void_at_the_same_time_as_its_authorization_leaves_nothing_held(gateway: Gateway) -> None:
    for first in (True, False):
        key = f"void first {first}"
        calls = [gateway.void(key), gateway.authorize(key, FIVE)]
        await asyncio.gather(*(calls if first else reversed(calls)))
        assert await state(gateway, key) == "voided"


async def test_same_authorization_twice_at_the_same_time_is_opened_once(gateway: Gateway) -> None:
    """Only the first answer of the card is lost."""
    told = await asyncio.gather(*[gateway.authorize("k", Authorization(LOST, 500)) for _ in "123"])
    assert statuses(told) == [500, 201, 201]


async def test_key_of_another_authorization_at_the_same_time_is_refused_alone(gateway: Gateway) -> None:
    told = await asyncio.gather(
        gateway.authorize("k", FIVE), gateway.authorize("k", Authorization(APPROVED, 501)), gateway.authorize("l", FIVE)
    )
    assert statuses(told) == [201, 422, 201]
    assert told[2].record is not None


async def test_states_are_those_of_each_call(gateway: Gateway) -> None:
    told = await asyncio.gather(gateway.authorize("k", FIVE), gateway.capture("k"))
    assert [each.record.state for each in told if each.record] == ["authorized", "captured"]
