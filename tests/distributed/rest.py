"""Is everything at rest? Asked of the databases themselves, past every proxy and process."""

from shop.app import app
from tests.distributed.running import RunningShop, eventually

left = """
select
    (select count(*) from outbox) as messages_in_the_outbox,
    (select count(*) from parked where retry_at is not null or attempts = 0) as messages_set_aside,
    (select count(*) from sagas where status in ('running', 'compensating')) as sagas_in_flight
"""
left_to_cancel = "select count(*) from orders where cancel_wanted = 1 and cancel_saga is null and status = 'approved'"
parked = "select id, error from parked where retry_at is null and attempts > 0 order by position"
stuck = "select id, name from sagas where status = 'stuck'"
prepared = "select gid from pg_prepared_xacts"

Left = dict[str, int]


async def unrest(shop: RunningShop) -> Left:
    """What has not come to its end yet, by database."""
    found: Left = {}
    for name in app.databases:
        [row] = await shop.rows(name, left)
        found |= {f"{name}: {what}": count for what, count in row.items() if count}
    if count := await shop.value("orders", left_to_cancel):
        found["orders: cancellations wanted"] = count
    return found


async def troubles(shop: RunningShop) -> set[str]:
    """What needs a person: parked messages, stuck sagas, transactions that nobody decides."""
    found = {f"prepared transaction {row[0]}" for row in await shop.rows("postgres", prepared)}
    for name in app.databases:
        found |= {f"{name}: parked message {id}: {error}" for id, error in await shop.rows(name, parked)}
        found |= {f"{name}: stuck {saga} {id}" for id, saga in await shop.rows(name, stuck)}
    return found


async def at_rest(shop: RunningShop, patience_s: float = 60.0) -> None:
    """Waits until nothing is left to be done; fails at once for what needs a person."""
    last: Left = {}

    async def is_so() -> bool:
        nonlocal last
        assert not (fresh := await troubles(shop) - shop.known), fresh
        last = await unrest(shop)
        return not last

    try:
        await eventually(is_so, patience_s)
    except AssertionError as error:
        error.add_note(f"left: {last}")
        raise
