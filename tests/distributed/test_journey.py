"""A buyer's way through the distributed shop: HTTP, real servers beneath, Debezium for what billing tells."""

import asyncio
import json
from collections import Counter
from urllib.request import urlopen

import pytest

from shop.payments.gateway_wire import APPROVED, DECLINED, LOST, SLOW
from tests.distributed.rest import at_rest
from tests.distributed.running import Edge, RunningShop, eventually
from tests.system.people import Buyer, Document, Operator, buyers, order_of
from tests.system.shop_process import ShopProcess, run
from tests.system.wire import Answer, ask_once

pytestmark = [pytest.mark.distributed, pytest.mark.servers, pytest.mark.asyncio(loop_scope="session")]

SLOT = "2034-09-01T08:00:00Z"
MONEY = 100_000
notifications_of = "select id, email, message from notifications where user_id = $1 order by at, id"


async def joined(shop: RunningShop, operator: Operator, name: str) -> Buyer:
    """A buyer with money; there are kettles for 10.00, and couriers."""
    await operator.put_product("kettle", 1_000, 10_000)
    await operator.put_slot(SLOT, 10_000)
    [buyer] = await buyers(shop, 1, MONEY, name)
    return buyer


def elsewhere(shop: RunningShop, buyer: Buyer) -> Buyer:
    """The same buyer at the other process of orders."""
    return seen_from(shop.edge("orders-2"), buyer)


def seen_from(edge: Edge, buyer: Buyer) -> Buyer:
    twin = Buyer(edge, buyer.email)
    twin.id, twin.token = buyer.id, buyer.token
    return twin


async def placed(buyer: Buyer, key: str, pay_with: str = "wallet", prefer: str = "wait=20") -> Answer:
    return await buyer.ask("POST", "/api/orders", order_of("kettle", SLOT, 1, pay_with), key=key, prefer=prefer)


async def ended(buyer: Buyer, id: str) -> Document:
    """The order when it is pending no more."""
    order: Document = {}

    async def has_ended() -> bool:
        nonlocal order
        order = (await buyer.ask("GET", f"/api/orders/{id}")).json()
        return bool(order["status"] != "pending")

    await eventually(has_ended)
    return order


async def test_clients_script_comes_out_as_documented_every_time(shop: RunningShop) -> None:
    for _ in range(2):
        answer = await run("shop", "order", "--data", str(shop.folder))
        assert answer.returncode == 0, answer.stdout + answer.stderr
        assert "Everything came out as documented" in answer.stdout


async def test_order_is_paid_once_and_replayed_by_its_key(shop: RunningShop, operator: Operator) -> None:
    buyer = await joined(shop, operator, "journey")
    first = await placed(buyer, "one")
    assert (first.status, first.json()["status"]) == (201, "approved")
    for again in (await placed(buyer, "one"), await placed(elsewhere(shop, buyer), "one")):
        assert (again.json()["id"], again.json()["status"]) == (first.json()["id"], "approved")
        assert again.headers["idempotent-replayed"] == "true"
    other = await buyer.ask("POST", "/api/orders", order_of("kettle", SLOT, 2), key="one")
    assert (other.status, other.problem) == (422, "key-reused")
    wallet = await buyer.wallet()
    assert (wallet["balance_minor"], wallet["held_minor"]) == (MONEY - 1_000, 0)


async def test_order_is_followed_from_another_process_than_its_own(shop: RunningShop, operator: Operator) -> None:
    buyer = await joined(shop, operator, "follower")
    order = await placed(buyer, "slow", f"card:{SLOW}", prefer="")
    assert order.status == 202
    there = elsewhere(shop, buyer)
    path = f"/api/orders/{order.json()['id']}"
    waited, followed = await asyncio.gather(placed(there, "slow", f"card:{SLOW}"), there.ask("GET", f"{path}/events"))
    assert (waited.status, waited.json()["status"]) == (201, "approved")
    events = followed.body.decode().split("\n\n")
    assert [each for each in events if each.startswith("event: step") and '"what":"done"' in each]
    assert json.loads(events[-2].partition("data: ")[2])["status"] == "approved"


async def test_stream_is_taken_up_again_at_another_process(shop: RunningShop, operator: Operator) -> None:
    """With the number of the last event that was seen, as browsers do."""
    buyer = await joined(shop, operator, "reader")
    order = await placed(buyer, "one")
    path = f"/api/orders/{order.json()['id']}/events"
    whole = (await buyer.ask("GET", path)).body
    connection = elsewhere(shop, buyer).connection()
    rest = (await connection.ask("GET", path, headers={"Last-Event-ID": "2"})).body
    connection.close()
    assert whole.endswith(rest)
    assert whole.count(b"event: step") - rest.count(b"event: step") == 3


@pytest.mark.parametrize("process", ["orders", "orders-2"], ids=["at its process", "at another process"])
async def test_order_is_cancelled_before_its_approval(shop: RunningShop, operator: Operator, process: str) -> None:
    buyer = await joined(shop, operator, f"undecided-{process}")
    order = await placed(buyer, "slow", f"card:{SLOW}", prefer="")
    path = f"/api/orders/{order.json()['id']}"
    there = seen_from(shop.edge(process), buyer)
    assert (await there.ask("POST", f"{path}/cancel", key="back")).status == 202
    await at_rest(shop)
    assert (await ended(buyer, order.json()["id"]))["status"] == "cancelled"
    await operator.check()


@pytest.mark.parametrize("pay_with", ["wallet", f"card:{APPROVED}"], ids=["wallet", "card"])
@pytest.mark.parametrize("process", ["orders", "orders-2"], ids=["at its process", "at another process"])
async def test_order_is_cancelled_after_its_approval(
    shop: RunningShop, operator: Operator, process: str, pay_with: str
) -> None:
    buyer = await joined(shop, operator, f"sorry-{process}-{pay_with[:4]}")
    order = await placed(buyer, "one", pay_with)
    path = f"/api/orders/{order.json()['id']}/cancel"
    there = seen_from(shop.edge(process), buyer)
    answers = [await each.ask("POST", path, key="back") for each in (there, there, buyer)]
    assert [each.status for each in answers] == [202] * 3
    await at_rest(shop)
    assert (await ended(buyer, order.json()["id"]))["status"] == "cancelled"
    assert (await buyer.wallet())["balance_minor"] == MONEY
    await operator.check()


async def test_orders_cancelled_at_every_moment_and_process_are_all_taken_back(
    shop: RunningShop, operator: Operator
) -> None:
    """A wish that another process is told of, past the pivot, waits for the approval like any other."""
    buyer = await joined(shop, operator, "fickle")
    twin = elsewhere(shop, buyer)

    async def place_and_cancel(number: int) -> str:
        here, there = (buyer, twin) if number % 2 else (twin, buyer)
        order = await placed(here, f"order {number}", prefer="")
        await asyncio.sleep(number * 0.004)
        answer = await there.ask("POST", f"/api/orders/{order.json()['id']}/cancel", key=f"back {number}")
        assert answer.status == 202, answer
        return str(order.json()["id"])

    ids = await asyncio.gather(*(place_and_cancel(number) for number in range(60)))
    await at_rest(shop)
    counted = "select status, count(*) from orders where id = any($1) group by status"
    assert await shop.counts("orders", counted, ids) == {"cancelled": 60}
    assert (await buyer.wallet())["balance_minor"] == MONEY
    await operator.check()


CARDS = {APPROVED: "approved", LOST: "approved", DECLINED: "card-declined"}


async def test_cards_are_charged_through_the_gateways_own_process(shop: RunningShop, operator: Operator) -> None:
    buyer = await joined(shop, operator, "carded")
    answers = await asyncio.gather(*(placed(buyer, card, f"card:{card}") for card in CARDS))
    orders = {each.json()["pay_with"][-4:]: each.json() for each in answers}
    ends = {number: order["reason"] or order["status"] for number, order in orders.items()}
    assert ends == {card[-4:]: end for card, end in CARDS.items()}
    approved = [order["id"] for order in orders.values() if order["status"] == "approved"]
    counted = "select state, count(*) from authorizations where key = any($1) group by state"
    assert await shop.counts("gateway", counted, approved) == {"captured": 2}
    await operator.check()


async def test_one_key_from_fifty_connections_at_two_processes_is_one_order(
    shop: RunningShop, operator: Operator
) -> None:
    buyer = await joined(shop, operator, "hasty")
    both = [buyer, elsewhere(shop, buyer)]
    answers = await asyncio.gather(*(placed(both[number % 2], "one", prefer="") for number in range(50)))
    answers += [await placed(each, "one") for each in both]
    assert Counter(each.status for each in answers) - Counter({409: 50}) == Counter({202: 50, 201: 2})
    assert len({each.json()["id"] for each in answers if each.status != 409}) == 1
    assert (await buyer.wallet())["balance_minor"] == MONEY - 1_000
    assert await shop.value("orders", "select count(*) from orders where user_id = $1", buyer.id) == 1


async def test_deposits_are_notified_once_each(shop: RunningShop, operator: Operator) -> None:
    """Billing writes events, Debezium reads them, notifications hears them; the address is there before the first."""
    [buyer] = await buyers(shop, 1, name="saver")
    amounts = [100 + number for number in range(20)]
    await asyncio.gather(*(buyer.deposit(amount, f"deposit {amount}") for amount in (*amounts, *amounts)))

    async def all_are_told() -> bool:
        return len(await shop.rows("notifications", notifications_of, buyer.id)) == 21

    await eventually(all_are_told)
    told = await shop.rows("notifications", notifications_of, buyer.id)
    assert {row["email"] for row in told} == {buyer.email}
    paid_in = Counter(row["message"].split()[0] for row in told if row["id"].endswith("/paid-in"))
    assert paid_in == Counter(f"{amount / 100:.2f}" for amount in amounts)
    assert [row["message"] for row in told if row["id"].endswith("/open")] == ["Your wallet is open."]


async def test_operator_finds_a_stuck_saga_and_mends_it(shop: RunningShop, operator: Operator) -> None:
    """Billing's row of the money is not as it has to be: the refund is refused until it has been put right."""
    buyer = await joined(shop, operator, "unlucky")
    order = (await placed(buyer, "one")).json()["id"]
    set_state = "update holds set state = $2 where id = $1"
    await shop.rows("billing", set_state, order, "released")
    assert (await buyer.ask("POST", f"/api/orders/{order}/cancel", key="back")).status == 202

    async def is_stuck() -> bool:
        return bool(await operator.sagas("stuck"))

    await eventually(is_stuck)
    [line] = await operator.sagas("stuck")
    assert (line["name"], line["service"], line["steps"]) == ("cancel-order", "orders", ["refund money"])
    await shop.rows("billing", set_state, order, "captured")
    why = {"reason": "the hold has been put right", "actor": "Olga"}
    assert (await operator.ask("POST", f"/ops/sagas/{line['id']}/retry", why)).status == 202
    await at_rest(shop)
    assert (await ended(buyer, order))["status"] == "cancelled"
    assert (await buyer.wallet())["balance_minor"] == MONEY
    detail = (await operator.ask("GET", f"/ops/sagas/{line['id']}")).json()
    assert [each["reason"] for each in detail["mends"]] == ["the hold has been put right"]
    await operator.check()


@pytest.mark.parametrize(
    ("edge", "path"),
    [
        ("api", "/api/openapi.json"),
        ("ops", "/ops/openapi.json"),
        ("queue-saga", "/openapi.json"),
        ("parallel-saga", "/openapi.json"),
        ("two-phase", "/openapi.json"),
        ("idempotent-orders", "/openapi.json"),
        ("pivot-saga", "/openapi.json"),
        ("pivot-saga/warehouse", "/openapi.json"),
    ],
)
async def test_edges_describe_themselves_as_the_embedded_shops_do(
    shop: RunningShop, embedded: ShopProcess, edge: str, path: str
) -> None:
    answers = [await ask_once(each.addresses[edge], "GET", path, token=each.token) for each in (shop, embedded)]
    assert [each.status for each in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()


async def test_slot_of_the_captured_room_is_watched(shop: RunningShop) -> None:
    def read() -> str:
        with urlopen(f"{shop.services['billing'].url}/metrics", timeout=20) as answer:
            return str(answer.read().decode())

    lines = (await asyncio.to_thread(read)).splitlines()
    slot = {line.split("{")[0]: float(line.split()[-1]) for line in lines if line.startswith("amends_slot_")}
    assert (slot["amends_slot_active"], slot["amends_slot_lost"]) == (1.0, 0.0)
    assert slot["amends_slot_beat_age_seconds"] < 60
