"""A user as a customer of storefronts: one of each, however often it is asked."""

import asyncio

import pytest

from shop.users.domain import Customer
from tests.shop.web.edges import Edges


async def counted(edges: Edges) -> tuple[int, int]:
    """Customers, and sagas that open wallets."""
    async with edges.services["users"].storage.reading() as reader:
        [(customers,)] = await reader.fetch("select count(*) from customers")
        [(sagas,)] = await reader.fetch("select count(*) from sagas")
    return customers, sagas


async def test_user_becomes_a_customer_when_somebody_asks_and_has_a_wallet(edges: Edges) -> None:
    user_id = await edges.join()
    assert await edges.desks.users.customer_of_user("there", user_id) is None
    customer = await edges.desks.users.customer_for("there", user_id)
    assert customer is not None
    assert customer == Customer(customer.id, "there", 1, "Ann", "ann@example.com", user_id)
    assert await edges.desks.billing.wallet(customer.id) is not None
    assert await edges.desks.users.customer_for("there", user_id) == customer
    assert await edges.desks.users.customer_of_user("there", user_id) == customer


async def test_user_is_one_customer_although_many_ask_at_once(edges: Edges) -> None:
    user_id = await edges.join()
    users = edges.desks.users
    found = await asyncio.gather(*(users.customer_for("there", user_id) for _ in range(20)))
    assert len(set(found)) == 1
    assert await users.enroll("there", "Another", "another@example.com", user_id) == found[0]
    assert await counted(edges) == (1, 2)


async def test_user_is_another_customer_of_another_storefront(edges: Edges) -> None:
    user_id = await edges.join()
    found = [await edges.desks.users.customer_for(scope, user_id) for scope in ("here", "there")]
    assert len({each.id for each in found if each is not None}) == 2


async def test_customers_without_sign_in_are_as_many_as_enroll(edges: Edges) -> None:
    enrolled = [await edges.desks.users.enroll("there", "Ann", "ann@example.com") for _ in range(3)]
    assert [each.number for each in enrolled] == [1, 2, 3]


@pytest.mark.parametrize("user_id", ["", "nobody"])
async def test_nobody_is_no_customer(edges: Edges, user_id: str) -> None:
    await edges.desks.users.enroll("there", "Ann", "ann@example.com")
    assert await edges.desks.users.customer_for("elsewhere", user_id) is None
    assert await counted(edges) == (1, 1)


async def test_who_joins_may_be_signed_in_at_once(edges: Edges) -> None:
    signed = await edges.desks.users.join_and_sign_in("bob@example.com", "Bob", "correct horse")
    edges.client.headers["authorization"] = f"Bearer {signed.access_token}"
    assert (await edges.client.get("/api/wallet")).status_code == 200
