"""A choreography: three services react to each other's events, and nobody coordinates.

placed ──▶ the bank takes money ──▶ the warehouse takes stock ──▶ approved
                │ too little            │ sold out
                ▼                       ▼
            rejected ◀──────── the bank gives the money back
"""

import asyncio

from amends import Event, Migration, Participant, Tx
from amends.adapters.embedded import Embedded
from amends.service import Service

shop, bank, warehouse = Participant("shop"), Participant("bank"), Participant("warehouse")
ORDERS = Migration(1, "orders", ("create table orders (id int primary key, status text not null)",))
ACCOUNT = Migration(1, "account", ("create table account (balance int)", "insert into account values (300)"))
SHELF = Migration(1, "shelf", ("create table shelf (teapots int)", "insert into shelf values (1)"))


class Order(Event):
    id: int
    price: int


class Placed(Order):
    topic = "placed"


class Paid(Order):
    topic = "paid"


class Taken(Order):
    topic = "taken"


class SoldOut(Order):
    topic = "sold-out"


class NotPaid(Order):
    topic = "not-paid"


@bank.hears(Placed)
async def pay(tx: Tx, order: Placed) -> None:
    paid = await tx.run("update account set balance = balance - :price where balance >= :price", (order.price,))
    tell(tx, Paid(order.id, order.price) if paid else NotPaid(order.id, order.price))


@warehouse.hears(Paid)
async def take(tx: Tx, order: Paid) -> None:
    taken = await tx.run("update shelf set teapots = teapots - 1 where teapots > 0")
    tell(tx, Taken(order.id, order.price) if taken else SoldOut(order.id, order.price))


@bank.hears(SoldOut)
async def pay_back(tx: Tx, order: SoldOut) -> None:
    await tx.run("update account set balance = balance + :price", (order.price,))
    tell(tx, NotPaid(order.id, order.price))


@shop.hears(Taken)
async def approve(tx: Tx, order: Taken) -> None:
    await tx.run("update orders set status = 'approved' where id = :id", (order.id,))


@shop.hears(NotPaid)
async def reject(tx: Tx, order: NotPaid) -> None:
    await tx.run("update orders set status = 'rejected' where id = :id", (order.id,))


def tell(tx: Tx, event: Order) -> None:
    tx.tell(event, key=str(event.id))


async def place(orders: Service, order: Placed) -> object:
    """How the order stands when it has come to its end, or after a second of waiting for that."""
    async with orders.transaction() as tx:
        await tx.run("insert into orders (id, status) values (:id, 'placed')", (order.id,))
        tell(tx, order)
    status: object = "placed"
    for _ in range(100):
        if status == "placed":
            await asyncio.sleep(0.01)
            [(status,)] = await read(orders, f"select status from orders where id = {order.id}")
    return status


async def read(service: Service, sql: str) -> list[tuple[object, ...]]:
    async with service.storage.reading() as reader:
        return await reader.fetch(sql)


async def main() -> None:
    async with Embedded() as home:
        orders = await home.add("shop", participant=shop, migrations=[ORDERS])
        account = await home.add("bank", participant=bank, migrations=[ACCOUNT])
        shelf = await home.add("warehouse", participant=warehouse, migrations=[SHELF])
        for id, price in enumerate((100, 100, 900, 150), 1):
            if id == 4:
                await shelf.stop()
            status = await place(orders, Placed(id, price))
            [(balance,)] = await read(account, "select balance from account")
            print(f"Order {id} for {price}: {status}; in the account: {balance}")


asyncio.run(main())
