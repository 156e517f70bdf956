"""Stock, and the reservations on it: `reserved` is the sum of a sku's reservations."""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from amends import Migration, Tx
from amends.connections import Reader
from amends.errors import Conflict
from shop import held, papers
from shop.warehouse.domain import MOST_ON_HAND, Put, Stock, is_count

MIGRATIONS = (
    Migration(
        1,
        "warehouse",
        (
            """
            create table stock (
                sku text primary key,
                on_hand bigint not null,
                reserved bigint not null,
                check (reserved between 0 and on_hand)
            )
            """,
            """
            create table reservations (
                order_id text not null,
                sku text not null references stock (sku),
                quantity bigint not null check (quantity > 0),
                primary key (order_id, sku)
            )
            """,
        ),
    ),
    papers.migration(2),
    held.migration(3),
)

insert_stock = """
insert into stock (sku, on_hand, reserved)
values (:sku, :on_hand, 0)
on conflict (sku) do nothing
"""
change_on_hand = """
update stock
set on_hand = :on_hand
where sku = :sku and reserved <= :on_hand
"""
select_all_stock = "select sku, on_hand, reserved from stock order by sku"
select_stock_below = """
select sku, on_hand, reserved from stock
where substr(sku, 1, length(:prefix)) = :prefix
order by sku
"""
select_stock = "select sku, on_hand, reserved from keys cross join stock where sku = key"
change_reserved = """
update stock
set reserved = reserved + :quantity
where sku = :sku and reserved + :quantity between 0 and on_hand
"""

insert_reservation = "insert into reservations (order_id, sku, quantity) values (:order_id, :sku, :quantity)"
select_reservations = "select order_id, sku, quantity from keys cross join reservations where order_id = key"
delete_reservation = "delete from reservations where order_id = :order_id and sku = :sku and quantity = :quantity"


class Reservation(NamedTuple):
    order_id: str
    sku: str
    quantity: int


async def put_stock(tx: Tx, sku: str, on_hand: int) -> Put:
    """Sets what is on hand. Raises `ValueError` unless 0 <= on_hand <= 10**12."""
    if not is_count(on_hand):
        raise ValueError(f"stock of {sku!r}: {on_hand} is no count: it has to be from 0 to 10**12")
    if await tx.run(insert_stock, (sku, on_hand)):
        return Put.CREATED
    return Put.CHANGED if await tx.run(change_on_hand, (on_hand, sku)) else Put.REFUSED


async def put_unknown(tx: Tx, skus: Iterable[str]) -> None:
    """Has as much on hand as there can be of every sku that was never stocked; the others stay as they are."""
    await tx.run_many(insert_stock, [(sku, MOST_ON_HAND) for sku in sorted({*skus})])


async def stock_new(tx: Tx, on_hand: Mapping[str, int]) -> int:
    """Stocks the skus that are not known yet; returns how many. Raises `ValueError` unless 0 <= on_hand <= 10**12."""
    for sku, count in on_hand.items():
        if not is_count(count):
            raise ValueError(f"stock of {sku!r}: {count} is no count: it has to be from 0 to 10**12")
    return await tx.run_many(insert_stock, sorted(on_hand.items()))


async def stock(reader: Reader, prefix: str = "") -> list[Stock]:
    """Whatever is stocked under skus that begin with `prefix`, by sku."""
    return [Stock(*row) for row in await reader.fetch(select_stock_below, (prefix,))]


async def available(reader: Reader, skus: Iterable[str] | None = None) -> dict[str, int]:
    """How much of each sku can still be reserved; None: of all. An unknown sku is left out."""
    if skus is None:
        rows = await reader.fetch(select_all_stock)
    else:
        rows = await reader.fetch_each(select_stock, sorted({*skus}))
    return {sku: on_hand - reserved for sku, on_hand, reserved in rows}


async def lock_available(tx: Tx, skus: Iterable[str]) -> dict[str, int]:
    """The same of these skus; it stays so until the transaction has ended."""
    rows = await tx.lock_each(select_stock, sorted({*skus}))
    return {sku: on_hand - reserved for sku, on_hand, reserved in rows}


async def find_reservations(reader: Reader, order_ids: Sequence[str]) -> dict[str, list[Reservation]]:
    """The reservations of each order that has any."""
    found: dict[str, list[Reservation]] = {}
    for row in await reader.fetch_each(select_reservations, sorted({*order_ids})):
        found.setdefault(row[0], []).append(Reservation(*row))
    return found


async def insert_reservations(tx: Tx, reservations: Sequence[Reservation]) -> None:
    await tx.run_many(insert_reservation, reservations)


async def delete_reservations(tx: Tx, reservations: Sequence[Reservation]) -> None:
    """Raises `Conflict` when one is not there any more as it was seen."""
    _expect(len(reservations), await tx.run_many(delete_reservation, reservations), "a reservation")


async def change_stock(tx: Tx, changes: Mapping[str, int]) -> None:
    """Adds to what is reserved. Raises `Conflict` when there is not enough."""
    rows = [(quantity, sku) for sku, quantity in sorted(changes.items())]
    _expect(len(rows), await tx.run_many(change_reserved, rows), "stock")


def _expect(wanted: int, changed: int, what: str) -> None:
    if changed != wanted:
        raise Conflict(f"warehouse: {what} changed underneath: {changed} rows of {wanted} written; try again")
