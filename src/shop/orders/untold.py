"""Orders whose end has still to be told: a row from their beginning until it was."""

from collections.abc import Sequence

from amends import Migration, Tx
from amends.connections import Reader


def migration(number: int) -> Migration:
    """The table, as the migration of this number."""
    return Migration(number, "untold orders", ("create table untold_orders (order_id text primary key)",))


insert_untold = "insert into untold_orders (order_id) values (:order_id)"
delete_untold = "delete from untold_orders where order_id = :order_id"
untold_ended = """
select order_id from untold_orders join sagas on sagas.id = order_id
where sagas.status in ('completed', 'compensated')
order by order_id
limit 100
"""


async def add(tx: Tx, order_ids: Sequence[str]) -> None:
    await tx.run_many(insert_untold, [(each,) for each in order_ids])


async def ended(reader: Reader) -> list[str]:
    """Those whose saga has ended."""
    return [row[0] for row in await reader.fetch(untold_ended)]


async def remove(tx: Tx, order_id: str) -> bool:
    """False when somebody else has told it."""
    return bool(await tx.run(delete_untold, (order_id,)))
