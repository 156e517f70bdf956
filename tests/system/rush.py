"""Many buyers at once for less than there is for all, over real connections: how they come, and how it ends."""

import asyncio
from collections import Counter

from tests.system.intents import end_of
from tests.system.people import Buyer, Document, Operator, Shop, buyers
from tests.system.wire import Answer

BUYERS, USERS = 200, 20
SLOT = "2034-07-01T08:00:00Z"
MONEY = 10**6


async def furnish(operator: Operator, on_hand: int, couriers: int, sku: str = "lamp", slot: str = SLOT) -> None:
    await operator.put_product(sku, 1_000, on_hand)
    await operator.put_slot(slot, couriers)


async def at_once(wishes: list[tuple[Buyer, str]], order: Document) -> list[Answer]:
    """Everybody connects first, then all orders are sent in the same moment; `wishes` are buyers and their keys."""
    gate = asyncio.Barrier(len(wishes))

    async def place(buyer: Buyer, key: str) -> Answer:
        connection = buyer.connection()
        await connection.ask("GET", "/healthz")
        await gate.wait()
        try:
            return await connection.ask("POST", "/api/orders", order, key=key)
        finally:
            connection.close()

    return await asyncio.gather(*(place(*wish) for wish in wishes))


async def crowd(shop: Shop, name: str = "buyer") -> list[tuple[Buyer, str]]:
    users = await buyers(shop, USERS, MONEY, name)
    return [(users[number % USERS], f"wish {number}") for number in range(BUYERS)]


async def ends(operator: Operator, wishes: list[tuple[Buyer, str]]) -> Counter[str]:
    """How all orders have ended, when they have."""
    await operator.settle()
    everyone = {id(buyer): buyer for buyer, _ in wishes}.values()
    orders = [each for buyer in everyone for each in await buyer.orders()]
    return Counter(end_of(each) for each in orders)


async def paid(wishes: list[tuple[Buyer, str]]) -> int:
    """How much everybody together has paid; nothing may still be held."""
    everyone = {id(buyer): buyer for buyer, _ in wishes}.values()
    wallets = [await each.wallet() for each in everyone]
    assert {each["held_minor"] for each in wallets} == {0}
    return sum(MONEY - each["balance_minor"] for each in wallets)
