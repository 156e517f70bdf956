"""The clients' script, as queue-saga.md tells it."""

import pytest

from tests.shop.storefronts.conftest import OpenShop, Shop, wanted

BEFORE_LUNCH, AFTER_LUNCH = "2025-01-08 10:00:00", "2025-01-08 14:00:00"
ENDS = ["Delivery Succes", "Not enough money", "Not enough position quantity", "Delivery Error"]
ACTIONS = {"billing.HoldMoney", "warehouse.ReserveStock", "delivery.BookCourier"}


async def run_script(shop: Shop, dtime: str) -> list[str]:
    """Runs the script for ann; returns the statuses, after checking what is left after each order."""
    registered = (await shop.client.post("/billing/register?login=ann")).json()
    refilled = (await shop.post("/billing/refill", login="ann", balance=1000)).json()
    assert refilled == {"login": "ann", "balance": registered["balance"] + 1000.0}
    product = (await shop.post("/stock/register", description="apple", quantity=100)).json()["id"]
    bookings = await shop.answer("/delivery")

    first = await shop.order("ann", id_product=product, dtime=dtime)
    after_first = await shop.state("ann")
    balance, stock, booked = after_first
    assert balance == refilled["balance"] - 1
    assert stock[-1] == {"id": product, "description": "apple", "quantity": 99}
    assert booked == [*bookings, {"id": first["id"], "id_order": first["id"], "dtime": dtime.replace(" ", "T")}]

    statuses = [first["status"]]
    for changed in ({"amount": 10000}, {"quntity": 1000}, {}):
        last = await shop.order("ann", **{"id_product": product, "dtime": dtime} | changed)
        statuses.append(last["status"])
        assert await shop.state("ann") == after_first
    return statuses


async def test_script_gives_documented_ends_and_refusals_leave_nothing_behind(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        assert await run_script(shop, BEFORE_LUNCH) == ENDS
        assert (await shop.state("ann"))[0] == 999.0


async def test_script_runs_again_for_another_time_on_the_same_data_folder(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        assert await run_script(shop, BEFORE_LUNCH) == ENDS
    async with open_shop() as shop:
        assert await run_script(shop, AFTER_LUNCH) == ENDS


async def test_answers_have_the_documented_shapes(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        registered = await shop.client.post("/billing/register?login=ann")
        assert (registered.status_code, registered.text) == (200, '{"login":"ann","balance":0.0}')
        refilled = await shop.post("/billing/refill", login="ann", balance=1000)
        assert (refilled.status_code, refilled.text) == (200, '{"login":"ann","balance":1000.0}')
        stocked = await shop.post("/stock/register", description="apple", quantity=100)
        assert (stocked.status_code, stocked.text) == (200, '{"id":1}')
        placed = await shop.post("/orders/", **wanted("ann"))
        assert (placed.status_code, placed.text) == (200, '{"id":1,"login":"ann","amount":1.0}')
        await shop.runtime.settle()
        last = await shop.client.get("/orders/last")
        assert last.text == (
            '{"id":1,"login":"ann","e_mail":"ann@example.org","id_product":1,"quantity":1,"amount":1.0,'
            '"status":"Delivery Succes","dtime":"2025-01-08T10:00:00"}'
        )
        assert (await shop.client.get("/billing/account/ann")).text == '{"login":"ann","balance":999.0}'
        assert (await shop.client.get("/stock")).text == '[{"id":1,"description":"apple","quantity":99}]'
        assert (await shop.client.get("/delivery")).text == '[{"id":1,"id_order":1,"dtime":"2025-01-08T10:00:00"}]'


async def test_order_is_pending_until_its_saga_ends(shop: Shop) -> None:
    shop.transport.matches = lambda message: message.to == "delivery"
    last = await shop.order("ann")
    assert last["status"] == "Pending"
    assert (await shop.state("ann"))[0] == 999.0, "money held is not there to be spent"


@pytest.mark.parametrize(
    ("silent", "status"),
    [
        ("billing", "Not enough money"),
        ("warehouse", "Not enough position quantity"),
        ("delivery", "Delivery Error"),
    ],
)
async def test_order_whose_step_never_answers_gets_the_nearest_status(shop: Shop, silent: str, status: str) -> None:
    before = await shop.state("ann")
    shop.transport.matches = lambda message: message.to == silent and message.type in ACTIONS
    await shop.post("/orders/", **wanted("ann"))
    await shop.runtime.advance(120.0, leap_s=1.0)
    assert (await shop.answer("/orders/last"))["status"] == status
    assert await shop.state("ann") == before


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_json_body_is_read_whatever_its_content_type_says(shop: Shop, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    answer = await shop.client.post("/billing/refill", content=b'{"login":"ann","balance":0.5}', headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"login": "ann", "balance": 1000.5})


async def test_time_may_be_written_with_a_t(shop: Shop) -> None:
    last = await shop.order("ann", dtime="2025-01-08T10:00:00")
    assert (last["status"], last["dtime"]) == ("Delivery Succes", "2025-01-08T10:00:00")
    assert (await shop.order("ann", dtime="2025-01-08 10:00:00"))["status"] == "Delivery Error"


async def test_registering_a_known_login_keeps_its_balance(shop: Shop) -> None:
    again = await shop.client.post("/billing/register?login=ann")
    assert (again.status_code, again.json()) == (200, {"login": "ann", "balance": 1000.0})


async def test_cents_stay_exact(shop: Shop) -> None:
    for _ in range(10):
        await shop.post("/billing/refill", login="ann", balance=0.1)
    assert (await shop.state("ann"))[0] == 1001.0


async def test_ids_grow_and_products_are_listed_by_them(shop: Shop) -> None:
    ids = [(await shop.post("/stock/register", description="pear", quantity=n)).json()["id"] for n in range(11)]
    assert ids == list(range(2, 13))
    assert [each["id"] for each in await shop.answer("/stock")] == list(range(1, 13))


async def test_product_that_was_not_stocked_yet_is_not_there(shop: Shop) -> None:
    """As after a crash between the catalogue's write and the warehouse's."""
    assert await shop.rooms.orders.add_product("half a pear", "queue-saga") == 2
    assert [each["id"] for each in await shop.answer("/stock")] == [1]
    assert (await shop.post("/orders/", **wanted("ann", id_product=2))).status_code == 404
    assert (await shop.post("/stock/register", description="pear", quantity=1)).json() == {"id": 3}
