"""Two processes of a service share its shards; one that dies, or freezes and doesn't know, is replaced by the other."""

import asyncio

import pytest

from shop.payments.gateway_wire import SLOW
from tests.distributed.metrics import told
from tests.distributed.rest import at_rest
from tests.distributed.running import RunningShop, eventually
from tests.system.people import Buyer, Operator, buyers, order_of

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

SLOT = "2034-09-04T08:00:00Z"
MONEY = 10**6
BY_CARD = f"card:{SLOW}"
shards_of = "select distinct shard from sagas where id = any($1)"
epochs = "select name, epoch from leases where name like 'orders.coordinator/%'"
ends_of = "select status, count(*) from orders where id = any($1) group by status"
under_way = "select count(*) from sagas where id = any($1) and status = 'running'"


async def at_both(shop: RunningShop, operator: Operator, name: str) -> dict[str, Buyer]:
    """A buyer at each process of orders; there is enough for everybody."""
    await operator.put_product("jug", 100, 10**6)
    await operator.put_slot(SLOT, 10**6)
    return {
        each.name: (await buyers(shop.edge(each.name), 1, MONEY, f"{name}-{each.name}-"))[0] for each in shop.copies
    }


async def place(buyer: Buyer, count: int, pay_with: str = "wallet") -> list[str]:
    """So many orders, acknowledged; their ids."""
    order = order_of("jug", SLOT, 1, pay_with)
    answers = await asyncio.gather(
        *(buyer.ask("POST", "/api/orders", order, key=f"{pay_with} {number}") for number in range(count))
    )
    assert {each.status for each in answers} == {202}
    return [each.json()["id"] for each in answers]


async def have_ended(shop: RunningShop, ids: list[str]) -> None:
    """All are approved."""

    async def approved() -> bool:
        return await shop.counts("orders", ends_of, ids) == {"approved": len(ids)}

    await eventually(approved)


async def shards(shop: RunningShop, ids: list[str]) -> set[int]:
    return {row[0] for row in await shop.rows("orders", shards_of, ids)}


async def lease_epochs(shop: RunningShop) -> dict[int, int]:
    """By shard."""
    return {int(name.rpartition("/")[2]): epoch for name, epoch in (await shop.counts("orders", epochs)).items()}


async def test_both_take_orders_and_share_the_shards(shop: RunningShop, operator: Operator) -> None:
    both = await at_both(shop, operator, "shared")
    placed = {name: await place(buyer, 30) for name, buyer in both.items()}
    await have_ended(shop, [id for ids in placed.values() for id in ids])
    here, there = [await shards(shop, ids) for ids in placed.values()]
    assert here
    assert there
    assert not here & there
    await operator.check()


async def test_sagas_of_a_killed_coordinator_end_at_the_other(shop: RunningShop, operator: Operator) -> None:
    both = await at_both(shop, operator, "orphans")
    ids = await place(both["orders-2"], 20, BY_CARD)
    before, moving = await lease_epochs(shop), await shards(shop, ids)
    assert await shop.value("orders", under_way, ids)
    await shop.services["orders-2"].kill()
    try:
        await have_ended(shop, ids)
        more = await place(both["orders"], 30)
        assert await shards(shop, more) == set(before)
        await have_ended(shop, more)
        after = await lease_epochs(shop)
        assert all(after[shard] > before[shard] for shard in moving)
        await operator.check()
    finally:
        await shop.services["orders-2"].start()
    await shop.ready()


@pytest.mark.parametrize("copy", ["billing-2", "warehouse-2"])
async def test_orders_go_on_when_one_process_of_a_participant_is_killed(
    shop: RunningShop, operator: Operator, copy: str
) -> None:
    both = await at_both(shop, operator, copy)
    first = asyncio.ensure_future(place(both["orders"], 40))
    await shop.services[copy].kill()
    try:
        ids = [*await first, *await place(both["orders-2"], 40)]
        await have_ended(shop, ids)
        await operator.check()
    finally:
        await shop.services[copy].start()
    await shop.ready()


async def test_frozen_coordinator_is_fenced_when_it_thaws(shop: RunningShop, operator: Operator) -> None:
    """It still thinks that its sagas are its own; the other one has brought them to their end meanwhile."""
    both = await at_both(shop, operator, "frozen")
    zombie = shop.services["orders-2"]
    ids = await place(both["orders-2"], 20, BY_CARD)
    lost, before = (await told(zombie))["coordinator.lost"], await lease_epochs(shop)
    moving = await shards(shop, ids)
    zombie.freeze()
    try:
        await have_ended(shop, ids)
        after = await lease_epochs(shop)
        assert all(after[shard] > before[shard] for shard in moving)
    finally:
        zombie.thaw()

    async def has_noticed() -> bool:
        return (await told(zombie))["coordinator.lost"] > lost

    await eventually(has_noticed)
    await shop.ready()
    again = await place(both["orders-2"], 30)
    await have_ended(shop, again)
    await at_rest(shop)
    assert await shop.counts("orders", ends_of, ids) == {"approved": len(ids)}
    held = await shop.counts(
        "gateway", "select state, count(*) from authorizations where key = any($1) group by state", ids
    )
    assert held == {"captured": len(ids)}
    await operator.check()
