"""The clients' script, as parallel-saga.md tells it."""

import re
from typing import Any

import pytest

from tests.shop.storefronts.parallel_saga.conftest import LONG_AGO, NEXT_YEAR, ORDER, PHONE, UNKNOWN, OpenShop, Shop

UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def run_script(shop: Shop) -> None:
    await participants(shop)
    await transaction(shop)
    await refused_transaction(shop)
    await wallet(shop)


async def participants(shop: Shop) -> None:
    """Direct access to each."""
    order = await created(shop, "/order/order", ORDER)
    payment = {"orderId": order["id"], "cost": 123.45, "status": "SUCCESS"}
    await created(shop, "/payment/payment", payment)
    item = {"orderId": order["id"], "item": "phone", "status": "RESERVED"}
    [kept] = await shop.ask("POST", "/warehouse/warehouse", [item])
    assert kept == {"id": kept["id"], **item}
    assert await shop.get(f"/warehouse/warehouse/{kept['id']}") == kept
    delivery = {"orderId": order["id"], "timeDelivery": "2034-05-26T16:00:00", "status": "SCHEDULED"}
    await created(shop, "/delivery/delivery", delivery, timeDelivery="2034-05-26T16:00")
    late = await shop.client.post("/delivery/delivery", json=delivery | {"timeDelivery": LONG_AGO})
    assert late.status_code == 417


async def created(shop: Shop, path: str, body: dict[str, Any], **changed: str) -> dict[str, Any]:
    made: dict[str, Any] = await shop.ask("POST", path, body)
    assert UUID.fullmatch(made["id"])
    assert made == {"id": made["id"], **body, **changed}
    assert await shop.get(f"{path}/{made['id']}") == made
    return made


async def transaction(shop: Shop) -> None:
    """Answered when it has ended, with all its parts; each is found under its id."""
    pen = {"item": "pen", "amount": 3, "price": 1.1}
    answer = await shop.place(PHONE, pen)
    assert answer.status_code == 200, answer.text
    order, payment, delivery, items = answer.json()
    assert order == {"id": order["id"], "status": "SUCCESS", "contents": [PHONE, pen]}
    assert payment == {"id": payment["id"], "orderId": order["id"], "cost": 126.75, "status": "SUCCESS"}
    assert delivery == {
        "id": delivery["id"],
        "orderId": order["id"],
        "timeDelivery": "2034-06-26T16:00",
        "status": "SCHEDULED",
    }
    assert [(each["orderId"], each["item"], each["status"]) for each in items] == [
        (order["id"], "phone", "RESERVED"),
        (order["id"], "pen", "RESERVED"),
    ]
    for path, part in (("order", order), ("payment", payment), ("delivery", delivery)):
        assert UUID.fullmatch(part["id"])
        assert await shop.get(f"/{path}/{path}/{part['id']}") == part
    for item in items:
        assert UUID.fullmatch(item["id"])
        assert await shop.get(f"/warehouse/warehouse/{item['id']}") == item


async def refused_transaction(shop: Shop) -> None:
    before = await shop.rows("warehouse", "select sku, reserved from stock where sku like 'parallel%' order by sku")
    answer = await shop.place(at=LONG_AGO)
    assert (answer.status_code, answer.json()) == (424, {"status": "CANCELED"})
    order = await shop.get(answer.headers["location"])
    assert order == {"id": order["id"], "status": "CANCELED", "contents": ORDER["contents"]}
    assert (await shop.get(f"/payment/payment/{order['id']}"))["status"] == "CANCELED"
    after = await shop.rows("warehouse", "select sku, reserved from stock where sku like 'parallel%' order by sku")
    assert after == before


async def wallet(shop: Shop) -> None:
    """Four events: opened, paid in, paid out, refused."""
    user = await shop.ask("POST", "/user/user", {"name": "Maksim", "email": "sss@sss.ss"})
    id, billing = user["id"], user["billingId"]
    assert user == {"id": id, "billingId": billing, "name": "Maksim", "email": "sss@sss.ss"}
    assert await shop.ask("PUT", f"/billing/billing/refill/{billing}/100.20") == {"status": True}
    assert await shop.ask("PUT", f"/billing/billing/{billing}/48.90") == {"status": True}
    assert await shop.get(f"/billing/billing/{billing}") == {"id": billing, "wallet": 51.3}
    assert await shop.ask("PUT", f"/billing/billing/{billing}/148.90") == {"status": False}
    assert await shop.get(f"/billing/billing/{billing}") == {"id": billing, "wallet": 51.3}
    await shop.runtime.advance(2.0)
    told = await shop.get(f"/notification/notification/{id}")
    assert [each["message"] for each in told] == [
        "Your wallet is open.",
        "100.20 was paid into your wallet; it holds 100.20 now.",
        "48.90 was paid out of your wallet; it holds 51.30 now.",
        "Your wallet is too small to pay 148.90; it holds 51.30.",
    ]
    assert {(each["userId"], each["email"]) for each in told} == {(id, "sss@sss.ss")}
    assert len({each["id"] for each in told}) == 4
    assert all(UUID.fullmatch(each["id"]) for each in told)


async def test_script_runs_twice_on_the_same_data_folder(shop: Shop) -> None:
    await run_script(shop)
    await run_script(shop)
    assert await shop.broken() == []


async def test_script_runs_again_after_a_restart_and_what_was_is_there(open_shop: OpenShop) -> None:
    async with open_shop() as shop:
        await run_script(shop)
        made = (await shop.place()).json()
    async with open_shop() as shop:
        order, payment, delivery, [item] = made
        for path, part in (("order", order), ("payment", payment), ("delivery", delivery), ("warehouse", item)):
            assert await shop.get(f"/{path}/{path}/{part['id']}") == part
        await run_script(shop)
        assert await shop.broken() == []


async def test_answers_are_written_as_documented(shop: Shop) -> None:
    made = await shop.client.post("/order/order", json=ORDER)
    id = made.json()["id"]
    assert made.text == (
        f'{{"id":"{id}","status":"PENDING","contents":[{{"item":"phone","amount":1,"price":123.45}}]}}'
    )
    user = (await shop.client.post("/user/user", json={"name": "Maksim", "email": "sss@sss.ss"})).json()["id"]
    assert (await shop.client.get(f"/billing/billing/{user}")).text == f'{{"id":"{user}","wallet":0.0}}'


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "nonsense"])
async def test_body_is_json_whatever_its_type_says(shop: Shop, content_type: str) -> None:
    headers = {"content-type": content_type} if content_type else {}
    body = b'{"name":"Maksim","email":"sss@sss.ss"}'
    answer = await shop.client.post("/user/user", content=body, headers=headers)
    assert answer.status_code == 200, answer.text


async def test_seconds_that_are_not_whole_minutes_are_shown(shop: Shop) -> None:
    for sent, shown in (("T16:00:30", "T16:00:30"), ("T16:00", "T16:00"), ("T00:00:00", "T00:00")):
        body = {"orderId": UNKNOWN, "timeDelivery": f"2034-05-26{sent}", "status": "SCHEDULED"}
        assert (await shop.ask("POST", "/delivery/delivery", body))["timeDelivery"] == f"2034-05-26{shown}"


async def test_any_number_of_orders_book_the_same_time(shop: Shop) -> None:
    for _ in range(5):
        assert (await shop.place(at=NEXT_YEAR)).status_code == 200
    assert await shop.rows("delivery", "select booked from slots where calendar = 'parallel-saga'") == [(5,)]
