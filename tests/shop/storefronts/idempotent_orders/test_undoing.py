"""What is done is undone when a later step fails; how an order stands is told meanwhile."""

import asyncio
from dataclasses import replace

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.mending import Action
from amends.messages import Envelope, SagaId
from shop.billing.desk import BillingDesk
from shop.calls import Client as Calls
from shop.calls import remote
from tests.shop.desks import HERE
from tests.shop.storefronts.idempotent_orders.conftest import ANN, Client, Shop, storefront

pytestmark = pytest.mark.parametrize("open_shop", [HERE], indirect=True)  # sockets know no virtual time

FIND, TAKE, COMPLETE, TELL = "billing.FindWallet", "billing.TakeMoney", "orders.CompleteOrder", "orders.TellCompleted"


def lose(shop: Shop, *types: str) -> None:
    """From now on these messages never arrive."""

    def lost(message: Envelope) -> bool:
        return message.type in types

    shop.transport.matches = lost


async def test_payment_is_refunded_when_the_order_is_never_completed(shop: Shop, ann: Client) -> None:
    lose(shop, COMPLETE)
    id, status = await shop.in_time(ann.placed("k"))
    assert status == "processing"
    assert await ann.balance() == 9_800
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await ann.placed("k") == (id, "refunded")
    assert await ann.balance() == 10_000
    assert await ann.transactions() == [("charge", 10_000), ("payment", 200), ("payment_refund", 200)]
    assert await shop.broken() == []


async def test_payment_is_refunded_when_completing_is_refused(shop: Shop, ann: Client) -> None:
    lose(shop, COMPLETE)
    id, _ = await shop.in_time(ann.placed("k"))
    async with shop.services["orders"].transaction() as tx:
        await tx.run("update orders set status = 'rejected', reason = 'unavailable'")
    lose(shop)
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await ann.placed("k") == (id, "refunded")
    assert await ann.balance() == 10_000
    assert await shop.broken() == []


@pytest.mark.parametrize(
    ("lost", "status", "end"), [(FIND, "created", "cancelled"), (COMPLETE, "processing", "refunded")]
)
async def test_operators_cancel_undoes_what_was_done(shop: Shop, ann: Client, lost: str, status: str, end: str) -> None:
    lose(shop, lost)
    id, stood = await shop.in_time(ann.placed("k"))
    assert stood == status
    [(order_id,)] = await shop.rows("orders", "select id from orders")
    await cancel(shop, order_id)
    lose(shop)
    await shop.runtime.advance(60.0, leap_s=1.0)
    assert await ann.placed("k") == (id, end)
    assert await ann.balance() == 10_000
    assert await shop.rows("orders", "select status from orders") == [("cancelled",)]
    assert await shop.broken() == []


async def test_payment_without_an_answer_is_cancelled_and_not_refunded(shop: Shop, ann: Client) -> None:
    lose(shop, TAKE)
    id, status = await shop.in_time(ann.placed("k"))
    assert status == "processing"
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await ann.placed("k") == (id, "cancelled")
    assert await ann.transactions() == [("charge", 10_000)]
    assert await shop.broken() == []


async def test_completed_order_whose_answer_is_lost_is_reopened_and_refunded(shop: Shop, ann: Client) -> None:
    lose(shop, "OrderApproved")
    id, status = await shop.in_time(ann.placed("k"))
    assert status == "complete", "as it stands: nobody knows yet that it will be undone"
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await ann.placed("k") == (id, "refunded")
    assert await ann.balance() == 10_000
    assert await shop.rows("notifications", "select id from notifications where id like '%/completed'") == []
    assert await shop.broken() == []


async def test_telling_is_repeated_and_never_undone(shop: Shop, ann: Client) -> None:
    lose(shop, TELL)
    id, status = await shop.in_time(ann.placed("k"))
    assert status == "complete"
    await shop.runtime.advance(300.0, leap_s=1.0)
    lose(shop)
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert await ann.placed("k") == (id, "complete")
    assert len(await shop.rows("notifications", "select id from notifications where id like '%/completed'")) == 1
    assert await shop.broken() == []


async def test_second_request_waits_while_the_first_one_runs(shop: Shop, ann: Client) -> None:
    lose(shop, COMPLETE)
    first = asyncio.ensure_future(ann.placed("k"))
    await shop.runtime.advance(1.0)
    second = asyncio.ensure_future(ann.placed("k"))
    await shop.runtime.advance(1.0)
    assert not first.done()
    assert not second.done()
    lose(shop)
    assert await shop.in_time(first) == await shop.in_time(second)
    assert first.result()[1] == "complete"
    assert await ann.balance() == 9_800


async def test_order_that_is_not_complete_is_not_told_of(shop: Shop) -> None:
    ann = await shop.guest.join()
    await ann.placed("k")
    await shop.runtime.settle()
    assert await shop.rows("notifications", "select id from notifications where id like '%/completed'") == []


async def test_registration_stands_when_the_account_can_not_be_opened_yet(shop: Shop) -> None:
    """As when nobody listens where billing is."""
    calls = Calls(AsyncioRuntime(), "token")
    away = replace(shop.rooms, billing=remote(BillingDesk, "http://127.0.0.1:1/calls/billing", calls))
    async with storefront(away) as guest:
        answer = await guest.ask("POST", "/register/", ANN)
        assert answer.status_code == 201
        ann = Client(guest.http, answer.json()["access_token"])
        assert (await ann.ask("GET", "/account/")).status_code == 503
    await calls.close()
    assert await replace(ann, http=shop.guest.http).balance() == 0


async def cancel(shop: Shop, order_id: str) -> None:
    """As an operator does."""
    operator = shop.services["orders"].operator
    assert operator is not None
    async with shop.services["orders"].transaction() as tx:
        await operator.mend_in(tx, SagaId(order_id), Action.CANCEL, "olga", "asked by phone")
