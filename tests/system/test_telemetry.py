"""What `shop up` tells of itself: one trace an order, log lines with the same ids, problems that name their trace."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from amends.traces import read
from shop.payments.gateway_wire import APPROVED as APPROVING
from tests.otlp import Received, Receiver, receiving, tree
from tests.system.people import Buyer, Operator, order_of
from tests.system.shop_process import ShopProcess, run
from tests.system.wire import Answer

SLOT = "2034-05-26T16:00:00Z"
TRACE, ABOVE = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"

APPROVED = """
api: POST /api/orders
  orders: saga place-order
    orders: ask book courier
      delivery: handle delivery.BookCourier
        orders: reply book courier
    orders: ask hold money
      {payer}: handle {hold}
        orders: reply hold money
    orders: ask reserve stock
      warehouse: handle warehouse.ReserveStock
        orders: reply reserve stock
    orders: ask capture money
      {payer}: handle {capture}
        orders: reply capture money
    orders: ask approve order
      orders: handle orders.ApproveOrder
        orders: reply approve order
    orders: ask notify
      notifications: handle notifications.Notify
        orders: reply notify
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
async def buyer(process: ShopProcess, receiver: Receiver) -> Buyer:
    """Of a shop that sends its traces to the receiver."""
    await process.start("--ports", "auto", "--otlp", receiver.url, "--log", "json")
    demo = Buyer(process, "demo@shop.example", "demo-demo")
    await demo.sign_in()
    return demo


async def trace_of(process: ShopProcess, receiver: Receiver, answer: Answer) -> list[Received]:
    """All spans of the trace that an answer names, once the shop has closed."""
    span = read(answer.headers["traceparent"])
    assert span is not None
    await Operator(process).settle()

    def has_ended(spans: Sequence[Received]) -> bool:
        names = [each.name for each in spans if each.trace_id == span.trace_id]
        return any(name.startswith("saga ") for name in names) and any("/api/" in name for name in names)

    await asyncio.to_thread(receiver.wait, has_ended)
    assert await process.end() == 0
    return [each for each in receiver.spans if each.trace_id == span.trace_id]


def shape(text: str, **names: str) -> list[str]:
    return sorted(text.format(**names).strip("\n").splitlines())


async def test_order_is_one_trace_from_the_request_to_the_last_room_and_back(
    process: ShopProcess, receiver: Receiver, buyer: Buyer
) -> None:
    answer = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one")
    spans = await trace_of(process, receiver, answer)
    names = {"payer": "billing", "hold": "billing.HoldMoney", "capture": "billing.CaptureMoney"}
    assert sorted(tree(spans)) == shape(APPROVED, **names)
    assert {each.attributes["amends.saga.id"] for each in spans if "amends.saga.id" in each.attributes} == {
        answer.json()["id"]
    }
    assert not [each for each in spans if each.failed]


async def test_card_that_is_asked_outside_is_in_the_same_trace(
    process: ShopProcess, receiver: Receiver, buyer: Buyer
) -> None:
    answer = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT, pay_with=f"card:{APPROVING}"), key="one")
    spans = await trace_of(process, receiver, answer)
    names = {"payer": "payments", "hold": "payments.AuthorizeCard", "capture": "payments.CaptureCard"}
    assert sorted(tree(spans)) == shape(APPROVED, **names)


async def test_refused_order_shows_what_was_undone(process: ShopProcess, receiver: Receiver, buyer: Buyer) -> None:
    answer = await buyer.ask("POST", "/api/orders", order_of("teapot", SLOT, 11), key="one")
    lines = tree(await trace_of(process, receiver, answer))
    for undone in ("undo hold money", "undo book courier", "undo open order"):
        assert f"    orders: {undone}" in lines
    assert "      orders: handle orders.RejectOrder" in lines


async def test_callers_trace_goes_on(process: ShopProcess, receiver: Receiver, buyer: Buyer) -> None:
    headers = {"traceparent": f"00-{TRACE}-{ABOVE}-01"}
    connection = buyer.connection()
    answer = await connection.ask("POST", "/api/orders", order_of("apple", SLOT), key="one", headers=headers)
    connection.close()
    spans = await trace_of(process, receiver, answer)
    tree(spans)
    [request] = [each for each in spans if each.kind == "server"]
    assert (request.trace_id, request.parent_id) == (TRACE, ABOVE)


async def test_cancelled_order_and_new_user_are_traces_too(
    process: ShopProcess, receiver: Receiver, buyer: Buyer
) -> None:
    placed = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one", prefer="wait=30")
    order_id = placed.json()["id"]
    cancelled = await buyer.ask("POST", f"/api/orders/{order_id}/cancel", key="two")
    spans = await trace_of(process, receiver, cancelled)
    lines = tree(spans)
    assert lines[:2] == ["api: POST /api/orders/{order_id}/cancel", "  orders: saga cancel-order"]
    assert "      billing: handle billing.RefundMoney" in lines


async def test_problem_names_its_trace(process: ShopProcess, receiver: Receiver, buyer: Buyer) -> None:
    for refused in (
        await buyer.ask("POST", "/api/orders", {"items": []}, key="one"),
        await buyer.ask("POST", "/api/orders", order_of("unicorn", SLOT), key="two"),
        await buyer.ask("GET", "/api/orders/none"),
        await buyer.ask("GET", "/api/nowhere"),
    ):
        span = read(refused.headers["traceparent"])
        assert span is not None
        assert refused.json()["trace_id"] == span.trace_id


async def test_log_lines_have_the_ids_of_the_trace(process: ShopProcess, receiver: Receiver, buyer: Buyer) -> None:
    answer = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one")
    spans = await trace_of(process, receiver, answer)
    [ended] = [each for each in logged(process) if each.get("saga") == answer.json()["id"]]
    assert (ended["event"], ended["level"], ended["state"]) == ("saga.ended", "info", "completed")
    assert ended["trace_id"] == spans[0].trace_id
    assert not [each for each in logged(process) if each["level"] == "error"]


def logged(process: ShopProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in process.said().splitlines() if line.startswith("{")]


async def test_collector_that_is_away_holds_nothing_up(process: ShopProcess) -> None:
    with receiving() as gone:
        pass
    await process.start("--ports", "auto", "--quiet", "--otlp", gone.url)
    buyer = Buyer(process, "demo@shop.example", "demo-demo")
    await buyer.sign_in()
    placed = await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one", prefer="wait=30")
    assert placed.status == 201
    before = process.said()
    assert await process.end() == 0
    assert process.said() == before


async def test_log_can_be_text(process: ShopProcess) -> None:
    await process.start("--ports", "auto", "--log", "text")
    buyer = Buyer(process, "demo@shop.example", "demo-demo")
    await buyer.sign_in()
    await buyer.ask("POST", "/api/orders", order_of("apple", SLOT), key="one", prefer="wait=30")
    assert " info    saga.ended service=orders saga=" in process.said()


@pytest.mark.parametrize(
    ("options", "said"),
    [(["--otlp", "collector:4318"], "--otlp: 'collector:4318' is no http:// address"), (["--log", "loud"], "--log")],
    ids=["otlp", "log"],
)
async def test_wrong_options_are_named(process: ShopProcess, options: list[str], said: str) -> None:
    answer = await run("shop", "up", "--data", str(process.folder), "--ports", "auto", *options)
    assert answer.returncode != 0
    assert said in answer.stderr
