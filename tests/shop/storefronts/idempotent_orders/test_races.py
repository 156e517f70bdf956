"""The same key, or the last money, at the same time: one order, whoever asks where."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.inprocess import InProcess
from amends.adapters.postgres import PostgresStorage
from amends.adapters.sqlite import SqliteStorage
from amends.errors import KeyReused
from amends.pages import KeyScope
from amends.ports import Storage
from amends.service import Service
from amends.signals import Signals
from shop.app import app
from shop.orders.placing import OrderIntake, Placed
from shop.storefronts.idempotent_orders.bodies import NewItem, NewOrder
from shop.storefronts.idempotent_orders.placing import placing_of
from shop.users.desk import Customer
from tests.servers import PostgresServer, fresh_database
from tests.shop.storefronts.idempotent_orders.conftest import ANN, Client, Shop, storefront

MANY = 50
ANNS_ORDER = NewOrder((NewItem(1, 1),))
CUSTOMER = Customer("c1", "idempotent-orders", 1, "Ann", "ann@example.org", "u1")


async def test_of_many_posts_with_one_key_one_is_an_order_and_is_paid_once(shop: Shop, ann: Client) -> None:
    async with storefront(shop.rooms) as second:
        twin = Client(second.http, ann.token, ann.id)
        asked = (each.placed("k") for _ in range(MANY // 2) for each in (ann, twin))
        answers = await asyncio.gather(*asked)
    assert len(answers) == MANY
    assert set(answers) == {(answers[0][0], "complete")}
    assert await ann.balance() == 9_800
    assert await shop.rows("orders", "select count(*) from orders") == [(1,)]
    assert await shop.broken() == []


async def test_of_two_orders_for_the_last_money_exactly_one_is_complete(shop: Shop) -> None:
    ann = await shop.guest.join()
    await ann.transact("charge", 200)
    ended = await asyncio.gather(*(ann.placed(key) for key in ("one", "two")))
    assert sorted(status for _, status in ended) == ["cancelled", "complete"]
    assert await ann.balance() == 0
    assert await ann.transactions() == [("charge", 200), ("payment", 200)]
    assert await shop.broken() == []


async def test_many_orders_for_little_money_are_as_many_as_can_be_paid(shop: Shop) -> None:
    ann = await shop.guest.join()
    await ann.transact("charge", 1_500)
    ended = await asyncio.gather(*(ann.placed(f"k{n}") for n in range(MANY)))
    assert len({id for id, _ in ended}) == MANY
    assert sorted(status for _, status in ended) == ["cancelled"] * (MANY - 7) + ["complete"] * 7
    assert await ann.balance() == 100
    assert await shop.broken() == []


async def test_orders_and_payments_by_hand_share_the_last_money(shop: Shop) -> None:
    ann = await shop.guest.join()
    await ann.transact("charge", 200)
    (_, status), paid = await asyncio.gather(ann.placed("k"), ann.transact("payment", 200))
    assert (status, paid.status_code) in {("complete", 422), ("cancelled", 201)}
    assert await ann.balance() == 0
    assert await shop.broken() == []


async def test_of_many_refunds_of_one_payment_one_is_made(shop: Shop, ann: Client) -> None:
    await ann.transact("payment", 100)
    answers = await asyncio.gather(*(ann.transact("payment_refund", 100) for _ in range(10)))
    assert sorted(each.status_code for each in answers) == [201] + [422] * 9
    assert await ann.balance() == 10_000


async def test_of_many_charges_with_one_key_one_is_made(ann: Client) -> None:
    answers = await asyncio.gather(*(ann.transact("charge", 5, X_Idempotency_Key="k") for _ in range(20)))
    assert len({each.json()["id"] for each in answers}) == 1
    assert await ann.balance() == 10_005


async def test_of_many_registrations_with_one_email_one_is_made(shop: Shop) -> None:
    answers = await asyncio.gather(*(shop.guest.ask("POST", "/register/", ANN) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409, 409]


async def test_user_who_is_no_customer_yet_becomes_one_once(shop: Shop) -> None:
    joined = await shop.rooms.users.join_and_sign_in("bob@example.org", "Bob", "secret")
    bob = Client(shop.guest.http, joined.access_token)
    found = await asyncio.gather(*(bob.account() for _ in range(20)))
    assert {each["id"] for each in found} == {found[0]["id"]}
    assert await shop.rows("users", "select count(*) from customers") == [(1,)]


async def test_two_intakes_on_one_file_make_one_order(tmp_path: Path) -> None:
    storage = SqliteStorage(tmp_path / "orders.db", app.databases["orders"])
    await storage.migrate()
    await meet(storage)


@pytest.mark.servers
async def test_two_intakes_on_one_postgresql_make_one_order(postgres_server: PostgresServer) -> None:
    async with fresh_database(await postgres_server(15)) as dsn:
        storage = PostgresStorage(dsn, app.databases["orders"], name="orders")
        await storage.migrate()
        await meet(storage)


async def meet(storage: Storage) -> None:
    """Both take the same key at the same time, many times each; one of the requests differs."""
    async with opened(storage) as intakes:
        for n in range(5):
            wanted = placing_of(CUSTOMER, f"k{n}", ANNS_ORDER)
            results = await asyncio.gather(*(each.submit(wanted) for _ in range(MANY // 2) for each in intakes))
            placed = [each for each in results if isinstance(each, Placed)]
            assert len(placed) == MANY
            assert len({each.order_id for each in placed}) == 1
            assert {each.number for each in placed if not each.replayed} <= {n + 1}
            other = await intakes[1].submit(wanted._replace(fingerprint=b"another"))
            assert isinstance(other, KeyReused)
        async with storage.reading() as reader:
            assert await reader.fetch("select count(*) from orders") == [(5,)]
            assert await reader.fetch("select count(*) from sagas") == [(5,)]


@asynccontextmanager
async def opened(storage: Storage) -> AsyncIterator[list[OrderIntake]]:
    service = Service(storage, InProcess(), AsyncioRuntime(), Signals(), definitions=app.sagas["orders"])
    await service.start()
    intakes = [OrderIntake(service), OrderIntake(service)]
    for each in intakes:
        each.start("intake")
    yield intakes
    for each in intakes:
        await each.stop()
    await service.stop()


def test_key_of_an_order_is_the_users_and_the_dialects() -> None:
    assert placing_of(CUSTOMER, "k", ANNS_ORDER).key == KeyScope("u1", "POST", "idempotent-orders", "k")
