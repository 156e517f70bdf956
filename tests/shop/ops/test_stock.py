"""Products, slots and money, set by hand."""

import asyncio

import pytest

from amends.adapters.embedded import Embedded
from shop.delivery.contract import BookCourier
from shop.delivery.participant import book_courier
from shop.warehouse.contract import ReserveStock, StockLine
from shop.warehouse.participant import reserve_stock
from tests.shop.ops.conftest import Ops
from tests.shop.web.edges import SLOT

PLUM = {"title": "Plum", "price_minor": 30, "on_hand": 7}


def home_of(ops: Ops) -> Embedded:
    return ops.edges.home


async def test_new_product_is_created_then_changed_and_can_be_seen(ops: Ops) -> None:
    first = await ops.program.put("/ops/products/plum", json=PLUM)
    again = await ops.program.put("/ops/products/plum", json=PLUM | {"on_hand": 8})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"sku": "plum", "title": "Plum", "price_minor": 30, "on_hand": 8}
    seen = (await ops.edges.client.get("/api/products?after=pear")).json()
    assert seen == [{"sku": "plum", "title": "Plum", "price_minor": 30, "available": 8}]


async def test_stock_never_goes_below_what_is_reserved(ops: Ops) -> None:
    warehouse = home_of(ops).services["warehouse"]
    async with warehouse.storage.transaction(0.0) as tx:
        await reserve_stock(tx, [ReserveStock("order", (StockLine("apple", 5),))])
    answer = await ops.program.put("/ops/products/apple", json=PLUM | {"on_hand": 4})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/below-reserved")
    assert (await ops.program.put("/ops/products/apple", json=PLUM | {"on_hand": 5})).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        PLUM | {"on_hand": -1},
        PLUM | {"price_minor": -1},
        PLUM | {"price_minor": 10**12 + 1},
        PLUM | {"title": ""},
        PLUM | {"title": "x" * 201},
        PLUM | {"scope": "other"},
        PLUM | {"on_hand": 1.5},
    ],
    ids=str,
)
async def test_wrong_product_is_refused_and_nothing_is_written(ops: Ops, body: dict[str, object]) -> None:
    assert (await ops.program.put("/ops/products/plum", json=body)).status_code == 400
    assert "plum" not in (await ops.edges.client.get("/api/products")).text


@pytest.mark.parametrize("sku", ["queue-saga:1", "a b", "x" * 101, "%00", "ä"])
async def test_wrong_sku_is_refused(ops: Ops, sku: str) -> None:
    assert (await ops.program.put(f"/ops/products/{sku}", json=PLUM)).status_code == 400


async def test_slot_is_created_then_changed(ops: Ops) -> None:
    url = "/ops/slots/2034-05-27T18:00:00+02:00"
    first = await ops.program.put(url, json={"couriers": 2})
    again = await ops.program.put("/ops/slots/2034-05-27T16:00:00Z", json={"couriers": 5})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == {"slot": "2034-05-27T16:00:00Z", "couriers": 5}
    seen = (await ops.edges.client.get("/api/slots?day=2034-05-27")).json()
    assert seen == [{"slot": "2034-05-27T16:00:00Z", "couriers_free": 5}]


async def test_slot_never_goes_below_what_is_booked(ops: Ops) -> None:
    async with home_of(ops).services["delivery"].storage.transaction(0.0) as tx:
        await book_courier(tx, [BookCourier(order, "shop", SLOT) for order in ("first", "second")])
    answer = await ops.program.put(f"/ops/slots/{SLOT}", json={"couriers": 1})
    assert (answer.status_code, answer.json()["type"]) == (409, "/problems/below-booked")
    assert (await ops.program.put(f"/ops/slots/{SLOT}", json={"couriers": 2})).status_code == 200


@pytest.mark.parametrize("slot", ["soon", "2034-05-27", "2034-05-27T16:00:00", "2034-13-27T16:00:00Z"])
async def test_wrong_slot_is_refused(ops: Ops, slot: str) -> None:
    assert (await ops.program.put(f"/ops/slots/{slot}", json={"couriers": 1})).status_code == 400


async def test_deposit_is_made_once_a_key_and_never_for_another_wallet(ops: Ops) -> None:
    ann, bob = await ops.edges.join("ann@example.com"), await ops.edges.join("bob@example.com")
    key = {"Idempotency-Key": "gift"}
    body = {"amount_minor": 900}
    answers = await asyncio.gather(
        *(ops.program.post(f"/ops/wallets/{ann}/deposits", json=body, headers=key) for _ in range(3))
    )
    assert {each.status_code for each in answers} == {201}
    assert {each.json()["balance_minor"] for each in answers} == {900}
    other = await ops.program.post(f"/ops/wallets/{bob}/deposits", json=body, headers=key)
    assert (other.status_code, other.json()["type"]) == (422, "/problems/key-reused")
    assert (await ops.edges.client.get("/api/wallet")).json()["balance_minor"] == 0


async def test_deposit_into_no_wallet_is_refused_again_and_again(ops: Ops) -> None:
    key = {"Idempotency-Key": "gift"}
    answers = [
        await ops.program.post("/ops/wallets/nobody/deposits", json={"amount_minor": 1}, headers=key) for _ in range(2)
    ]
    assert [each.status_code for each in answers] == [404, 404]
    assert answers[1].headers["content-type"] == "application/problem+json"
    assert answers[1].headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize("account", ["external", "revenue"])
async def test_own_accounts_of_billing_take_no_deposit(ops: Ops, account: str) -> None:
    key = {"Idempotency-Key": "gift"}
    answer = await ops.program.post(f"/ops/wallets/{account}/deposits", json={"amount_minor": 1}, headers=key)
    assert answer.status_code == 404
