"""The tables of orders: the catalogue, the orders, and the numbers that storefronts give them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from amends import Migration, Tx
from amends.connections import Reader, Row
from amends.errors import Conflict
from shop import papers
from shop.orders import untold
from shop.orders.domain import Status

MIGRATIONS = (
    Migration(
        1,
        "orders",
        (
            """
            create table products (
                sku text primary key,
                scope text not null,
                title text not null,
                price_minor bigint not null check (price_minor >= 0)
            )
            """,
            """
            create table orders (
                id text primary key,
                scope text not null,
                user_id text not null,
                email text not null,
                status text not null check (status in ('pending', 'approved', 'rejected', 'cancelled')),
                reason text,
                items text not null,
                total_minor bigint not null check (total_minor >= 0),
                calendar text not null,
                slot text not null,
                pay_with text not null,
                created_at double precision not null,
                cancel_wanted bigint not null check (cancel_wanted in (0, 1)),
                cancel_saga text,
                check ((reason is not null) = (status = 'rejected'))
            )
            """,
            "create index orders_of_user on orders (user_id, id)",
            "create index orders_to_cancel on orders (id) where cancel_wanted = 1 and cancel_saga is null",
            """
            create table order_numbers (
                scope text not null,
                number bigint not null,
                order_id text not null,
                details text not null,
                primary key (scope, number)
            )
            """,
            "create unique index order_numbers_of_order on order_numbers (order_id)",
        ),
    ),
    Migration(
        2,
        "last numbers",
        (
            """
            create table last_numbers (
                scope text primary key,
                number bigint not null
            )
            """,
            "insert into last_numbers (scope, number) select scope, max(number) from order_numbers group by scope",
        ),
    ),
    papers.migration(3),
    untold.migration(4),
    Migration(
        5,
        "last products",
        (
            """
            create table last_products (
                scope text primary key,
                number bigint not null
            )
            """,
            "insert into last_products (scope, number) select scope, count(*) from products group by scope",
        ),
    ),
)
_ORDER = (
    "id, scope, user_id, email, status, reason, items, total_minor, calendar, slot, pay_with, created_at, "
    "cancel_wanted, cancel_saga"
)

put_product_row = """
insert into products (sku, scope, title, price_minor) values (:sku, :scope, :title, :price_minor)
on conflict (sku) do update set title = excluded.title, price_minor = excluded.price_minor
"""
insert_product = """
insert into products (sku, scope, title, price_minor) values (:sku, :scope, :title, :price_minor)
on conflict (sku) do nothing
"""
take_product_number = """
insert into last_products (scope, number) values (:scope, 1)
on conflict (scope) do update set number = last_products.number + 1
returning number
"""
find_product = "select sku from products where sku = :sku"
list_products = "select sku, title, price_minor from products where scope = :scope order by sku"
load_prices = "select sku, price_minor, scope from keys cross join products on sku = key"
insert_order = f"""
insert into orders ({_ORDER})
values (:id, :scope, :user_id, :email, 'pending', null, :items, :total_minor, :calendar, :slot, :pay_with,
    :created_at, 0, null)
"""
load_orders = f"select {_ORDER} from keys cross join orders on id = key"
list_orders = f"""
select {_ORDER} from orders
where user_id = :user_id and id < :before
order by id desc
limit :limit
"""
approve_order = "update orders set status = 'approved' where id = :id and status = 'pending'"
reopen_order = """
update orders set status = 'pending' where id = :id and status = 'approved' and cancel_saga is null
"""
turn_order_back = "update orders set status = :status, reason = :reason where id = :id and status = 'pending'"
cancel_approved_order = "update orders set status = 'cancelled' where id = :id and status = 'approved'"
want_cancel = "update orders set cancel_wanted = 1 where id = :id"
orders_to_cancel = f"""
select {_ORDER} from orders
where cancel_wanted = 1 and cancel_saga is null and status = 'approved'
order by id
limit 100
"""
set_cancel_saga = "update orders set cancel_saga = :saga, cancel_wanted = 1 where id = :id and cancel_saga is null"
take_numbers = """
insert into last_numbers (scope, number) values (:scope, :count)
on conflict (scope) do update set number = last_numbers.number + excluded.number
returning number
"""
insert_number = """
insert into order_numbers (scope, number, order_id, details) values (:scope, :number, :order_id, :details)
"""
numbers_by_order = "select order_id, number, scope from keys cross join order_numbers on order_id = key"
order_of_number = """
select number, order_id, details from order_numbers where scope = :scope and number = :number
"""
last_number = """
select number, order_id, details from order_numbers where scope = :scope order by number desc limit 1
"""


class Product(NamedTuple):
    sku: str
    title: str
    price_minor: int


class Item(msgspec.Struct, frozen=True, gc=False):
    """One line of an order, at the price that it had."""

    sku: str
    quantity: int
    price_minor: int


class Order(NamedTuple):
    """A row of `orders`. `created_at` is Unix time in seconds."""

    id: str
    scope: str
    user_id: str
    email: str
    status: Status
    reason: str | None
    items: tuple[Item, ...]
    total_minor: int
    calendar: str
    slot: str
    pay_with: str
    created_at: float
    cancel_wanted: bool = False
    cancel_saga: str | None = None


_encode_items = msgspec.json.Encoder().encode
_decode_items = msgspec.json.Decoder(tuple[Item, ...]).decode


async def put_product(tx: Tx, product: Product, scope: str = "shop") -> bool:
    """Writes a product; True when it is new."""
    known = await tx.fetch(find_product, (product.sku,))
    await tx.run(put_product_row, (product.sku, scope, product.title, product.price_minor))
    return not known


async def next_product(tx: Tx, scope: str) -> int:
    """The number of a scope's next product; who asks meanwhile waits for the end of this transaction."""
    [(number,)] = await tx.fetch(take_product_number, (scope,))
    return int(number)


async def add_product(tx: Tx, product: Product, scope: str) -> None:
    """Raises `Conflict` when there is one of this sku."""
    if not await tx.run(insert_product, (product.sku, scope, product.title, product.price_minor)):
        raise Conflict(f"product {product.sku} was added by somebody else: try again")


async def products(reader: Reader, scope: str = "shop") -> list[Product]:
    return [Product(*row) for row in await reader.fetch(list_products, (scope,))]


async def insert_orders(tx: Tx, orders: Sequence[Order]) -> None:
    await tx.run_many(insert_order, [_row(order) for order in orders])


async def number_orders(tx: Tx, scope: str, details: Mapping[str, str]) -> dict[str, int]:
    """Gives a storefront's orders, by id with what only their dialect knows, the next numbers in this order."""
    [(last,)] = await tx.fetch(take_numbers, (scope, len(details)))
    numbers = {id: last - len(details) + nth for nth, id in enumerate(details, 1)}
    await tx.run_many(insert_number, [(scope, numbers[id], id, text) for id, text in details.items()])
    return numbers


async def numbers_of(reader: Reader, order_ids: Sequence[str]) -> dict[str, int]:
    """The numbers of those orders that a storefront has numbered."""
    return {id: number for id, number, _ in await reader.fetch_each(numbers_by_order, order_ids)}


async def load(reader: Reader, ids: Sequence[str]) -> dict[str, Order]:
    return {row[0]: _order(row) for row in await reader.fetch_each(load_orders, ids)}


async def of_user(reader: Reader, user_id: str, limit: int, before: str | None) -> list[Order]:
    """Newest first; `before` is the id of the last one seen."""
    return [_order(row) for row in await reader.fetch(list_orders, (user_id, before or "~", limit))]


async def to_cancel(reader: Reader) -> list[Order]:
    """Approved orders that their buyers have taken back and whose second saga has not begun."""
    return [_order(row) for row in await reader.fetch(orders_to_cancel)]


async def cancel_saga_of(reader: Reader, order_id: str) -> str | None:
    found = (await load(reader, [order_id])).get(order_id)
    return None if found is None else found.cancel_saga


def _row(order: Order) -> tuple[str | float, ...]:
    items = _encode_items(order.items).decode()
    before, after = order[:4], order[7:12]
    return (*before, items, *after)


def _order(row: Row) -> Order:
    id, scope, user_id, email, status, reason, items, *rest, cancel_wanted, cancel_saga = row
    total, calendar, slot, pay_with, created_at = rest
    return Order(
        id,
        scope,
        user_id,
        email,
        Status(status),
        reason,
        _decode_items(items),
        total,
        calendar,
        slot,
        pay_with,
        created_at,
        bool(cancel_wanted),
        cancel_saga,
    )
