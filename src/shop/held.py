"""The page `held_orders`: for whom something stands in a room that waits to be confirmed, and until when it does so.

    hold ──▶ held ──confirm──▶ stands, as if never held
              ├──drop──────▶ given back
              └──expires_at─▶ given back

A row is locked before it decides, so of a confirmation and an expiry only one takes place. A room that holds for orders
has `migration(nth)` among its own.
"""

from collections.abc import Sequence

from amends import Migration, Tx
from amends.connections import Reader

insert_held_order = "insert into held_orders (order_id, expires_at) values (:order_id, :expires_at)"
select_held_orders = "select order_id, expires_at from keys cross join held_orders where order_id = key"
select_expired = """
select order_id from held_orders
where expires_at is not null and expires_at <= :now
order by expires_at
limit :limit
"""
delete_held_order = "delete from held_orders where order_id = :order_id"


def migration(nth: int) -> Migration:
    """The room's migration number `nth`."""
    return Migration(
        nth,
        "held orders",
        (
            "create table held_orders (order_id text primary key, expires_at double precision)",
            "create index held_orders_to_expire on held_orders (expires_at) where expires_at is not null",
        ),
    )


async def insert_held(tx: Tx, expires_at: Sequence[tuple[str, float | None]]) -> None:
    """Orders, each with the Unix time at which it expires; None: never."""
    await tx.run_many(insert_held_order, expires_at)


async def lock_held(tx: Tx, order_ids: Sequence[str]) -> dict[str, float | None]:
    """Those of the orders that are held; they stay so until the transaction has ended."""
    rows: list[tuple[str, float | None]] = await tx.lock_each(select_held_orders, sorted({*order_ids}))
    return dict(rows)


async def expired(reader: Reader, now: float, limit: int) -> list[str]:
    """The orders whose time has come, the earliest first."""
    return [row[0] for row in await reader.fetch(select_expired, (now, limit))]


async def delete_held(tx: Tx, order_ids: Sequence[str]) -> None:
    await tx.run_many(delete_held_order, [(id,) for id in sorted(order_ids)])
