"""Calls between processes: who may, what comes of mistakes, and of a process that isn't there."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from amends import errors
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.errors import AmendsError, Unavailable
from shop.billing.desk import Balance, BillingDesk
from shop.calls import AnswerLost, CallFailed, Client, RoomUnavailable, server
from shop.http_client import MOST_IDLE_S
from shop.orders.desk import OrdersDesk
from shop.web import Problem
from shop.web.traces import TRACEPARENT
from tests.shop.calls.conftest import TOKEN, Line

LIBRARY = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, AmendsError)]
LATER = (errors.Overloaded, errors.KeyInUse)
BALANCE = Balance(500, 20)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
async def billing(line: Line) -> BillingDesk:
    await line.serve(BillingDesk)
    line.said.says = lambda: BALANCE
    desk: BillingDesk = line.desk(BillingDesk)
    return desk


def raising(error: Exception) -> Callable[[], Any]:
    def says() -> Any:
        raise error

    return says


async def post(line: Line, path: str = "/wallet", content: bytes = b'{"wallet_id":"ann"}', **headers: str) -> Any:
    bearer = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(trust_env=False) as client:
        return await client.post(line.url + path, content=content, headers=bearer | headers)


@pytest.mark.parametrize("kind", LIBRARY, ids=lambda kind: kind.__name__)
async def test_errors_of_the_library_keep_their_type(line: Line, billing: BillingDesk, kind: type[AmendsError]) -> None:
    line.said.says = raising(kind("why", 2.5) if kind in LATER else kind("why"))
    with pytest.raises(kind) as raised:
        await billing.wallet("ann")
    assert type(raised.value) is kind
    assert str(raised.value) == "why"
    assert getattr(raised.value, "retry_after_s", 2.5) == 2.5


async def test_problem_comes_through_whole(line: Line, billing: BillingDesk) -> None:
    line.said.says = raising(Problem(429, "too-many", "wait", title="Slowly", retry_after_s=3.0, saga_id="s"))
    with pytest.raises(Problem) as raised:
        await billing.wallet("ann")
    assert vars(raised.value) == {
        "status": 429,
        "name": "too-many",
        "title": "Slowly",
        "detail": "wait",
        "retry_after_s": 3.0,
        "saga_id": "s",
    }


async def test_error_of_a_call_behind_the_call_is_what_it_is_a_kind_of(line: Line, billing: BillingDesk) -> None:
    line.said.says = raising(RoomUnavailable("another room is away"))
    with pytest.raises(Unavailable, match="another room is away") as raised:
        await billing.wallet("ann")
    assert type(raised.value) is Unavailable


async def test_what_nobody_expected_is_told_there_and_says_nothing_here(line: Line, billing: BillingDesk) -> None:
    line.said.says = raising(ValueError("the secret is sesame"))
    with pytest.raises(CallFailed) as raised:
        await billing.wallet("ann")
    assert "sesame" not in str(raised.value)
    [(name, fields)] = line.told
    assert name == "http.failed"
    assert fields["error"] == "ValueError: the secret is sesame"


@pytest.mark.parametrize(
    ("authorization", "status"),
    [("", 401), ("Bearer", 401), (f"Basic {TOKEN}", 401), ("Bearer wrong", 403), (f"Bearer {TOKEN}x", 403)],
)
async def test_only_the_shops_own_processes_may_call(
    line: Line, billing: BillingDesk, authorization: str, status: int
) -> None:
    answer = await post(line, authorization=authorization)
    assert (answer.status_code, line.said.asked) == (status, [])


async def test_caller_with_another_token_is_told_so(line: Line, billing: BillingDesk) -> None:
    stranger = Client(AsyncioRuntime(), "another token")
    with pytest.raises(CallFailed, match="403"):
        await line.desk(BillingDesk, stranger).wallet("ann")
    await stranger.close()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"wallet_id":1}',
        b'{"wallet_id":"ann","admin":true}',
        b'{"wallet_id":"\xff"}',
        b"[" * 100_000,
    ],
    ids=["empty", "no JSON", "no object", "missing", "wrong type", "unknown field", "no UTF-8", "deep"],
)
async def test_arguments_that_the_method_does_not_take_are_refused(
    line: Line, billing: BillingDesk, content: bytes
) -> None:
    answer = await post(line, content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert line.said.asked == []


async def test_over_long_arguments_are_refused(
    line: Line, billing: BillingDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CALL_BYTES", 100)
    with pytest.raises(CallFailed, match="413"):
        await billing.wallet("x" * 100)
    assert await billing.wallet("ann") == BALANCE
    assert line.said.asked == [("ann",)]


@pytest.mark.parametrize("path", ["", "/", "/nothing", "/__init__", "/_storage", "/wallet/"])
async def test_what_is_no_method_is_not_found(line: Line, billing: BillingDesk, path: str) -> None:
    assert (await post(line, path)).status_code == 404
    assert line.said.asked == []


async def test_calls_are_posts(line: Line, billing: BillingDesk) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(line.url + "/wallet", headers={"authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 405


async def test_what_is_no_call_goes_to_the_application_behind(line: Line) -> None:
    async def behind(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    await line.serve(BillingDesk, behind)
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(line.address + "/metrics")).status_code == 204


async def test_room_that_is_away_is_unavailable_until_it_is_back(line: Line, billing: BillingDesk) -> None:
    assert await billing.wallet("ann") == BALANCE
    await line.hang_up()
    for _ in range(2):
        with pytest.raises(RoomUnavailable, match="can't be reached"):
            await billing.wallet("ann")
    await line.serve(BillingDesk)
    assert await billing.wallet("ann") == BALANCE


async def test_answer_that_does_not_come_may_have_been_an_effect(line: Line) -> None:
    await line.serve(BillingDesk)
    never = asyncio.Event()
    line.said.says = never.wait
    hasty = Client(AsyncioRuntime(), TOKEN, timeout_s=0.05)
    with pytest.raises(AnswerLost, match="may have been carried out"):
        await line.desk(BillingDesk, hasty).wallet("ann")
    never.set()
    await hasty.close()


async def test_result_of_another_version_is_a_failure(line: Line, billing: BillingDesk) -> None:
    line.said.says = lambda: {"balance": "much"}
    with pytest.raises(CallFailed, match="the result is not what it has to be"):
        await billing.wallet("ann")


class Stopwatch(AsyncioRuntime):
    """Notes how long its callers would wait; its clock is `ahead_s` seconds ahead."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []
        self.ahead_s = 0.0

    def now(self) -> float:
        return super().now() + self.ahead_s

    async def within(self, seconds: float, work: Any) -> Any:
        self.waits.append(seconds)
        return await super().within(seconds, work)


async def test_call_that_waits_may_take_as_much_longer(line: Line) -> None:
    await line.serve(OrdersDesk)
    runtime = Stopwatch()
    client = Client(runtime, TOKEN, timeout_s=3.0)
    orders: OrdersDesk = line.desk(OrdersDesk, client)
    await orders.cancel_saga("o")
    await orders.ended("o", 60.0)
    await orders.ended("o", wait_s=-1.0)
    assert runtime.waits == [3.0, 63.0, 3.0]
    await client.close()


async def test_connection_that_was_idle_for_long_is_not_used_again(line: Line, billing: BillingDesk) -> None:
    runtime = Stopwatch()
    client = Client(runtime, TOKEN)
    desk: BillingDesk = line.desk(BillingDesk, client)
    for ahead_s, connections in ((0.0, 1), (MOST_IDLE_S / 2, 1), (MOST_IDLE_S * 2, 2)):
        runtime.ahead_s = ahead_s
        assert await desk.wallet("ann") == BALANCE
        assert len(line.connections) == connections
    await client.close()


async def test_who_waits_is_let_go_and_others_get_their_answer(line: Line) -> None:
    await line.serve(OrdersDesk)
    asked, go = asyncio.Event(), asyncio.Event()

    async def says() -> None:
        if len(line.said.asked) == 2:
            asked.set()
        await go.wait()

    line.said.says = says
    orders: OrdersDesk = line.desk(OrdersDesk)
    waiting = asyncio.create_task(orders.ended("o", 60.0))
    other = asyncio.create_task(orders.cancel_saga("o"))
    await asked.wait()
    line.client.let_go()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await orders.news("o", -1, 60.0)
    go.set()
    assert await other is None


async def test_many_calls_at_once_share_connections(line: Line, billing: BillingDesk) -> None:
    for _ in range(3):
        assert await asyncio.gather(*(billing.wallet(str(each)) for each in range(50))) == [BALANCE] * 50
    assert len(line.said.asked) == 150
    assert len(line.connections) <= 50


async def test_trace_goes_along(line: Line, billing: BillingDesk) -> None:
    seen: list[str] = []

    def says() -> Balance:
        seen.append(TRACEPARENT.get())
        return BALANCE

    line.said.says = says
    await billing.wallet("ann")
    TRACEPARENT.set(TRACE)
    await billing.wallet("ann")
    TRACEPARENT.set("")
    await billing.wallet("ann")
    assert seen == ["", TRACE, ""]
