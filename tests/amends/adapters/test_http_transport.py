"""What the HTTP transport makes of servers: their answers, their silences, their nonsense."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.http import HttpTransport
from amends.adapters.http.problems import problem
from amends.adapters.inprocess import InProcess
from amends.conformance.fixtures import envelope, event
from amends.errors import DefinitionError
from amends.messages import Envelope, Kind, MessageId, Operation, Outcome
from amends.ports import Taken
from amends.signals import Signals
from tests.amends.adapters.http_server import PATIENCE_S, Ear, serving

ROOM = [(b"ce-type", b"Room"), (b"content-type", b"application/json")]
BATCH = [(b"content-type", b"application/cloudevents-batch+json")]
PROBLEM = [(b"content-type", b"application/problem+json")]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes]


class Hasty(AsyncioRuntime):
    """Remembers pauses instead of making them."""

    def __init__(self) -> None:
        super().__init__()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(0)

    def roll(self) -> float:
        return 0.5


class Request(msgspec.Struct):
    headers: dict[str, str]
    body: bytes
    client: tuple[str, int]

    @property
    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = msgspec.json.decode(self.body)
        return found


class Script:
    """A server that knows nothing of Amends: `answer` makes what it says to each request."""

    def __init__(self, answer: Callable[[Request], Awaitable[Answer]]) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        request = Request({name.decode(): value.decode() for name, value in scope["headers"]}, body, scope["client"])
        self.requests.append(request)
        status, headers, said = await self.answer(request)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": said})


class World:
    """A transport with a route to `hotel`, and who reads the replies."""

    def __init__(self) -> None:
        self.runtime = Hasty()
        self.local = InProcess()
        self.replies = self.local.subscribe("trips.coordinator")
        self.taken: list[MessageId] = []
        self._signals = Signals()
        self.ear = Ear(self._signals)
        self._leaving = AsyncExitStack()

    async def serve(self, *answers: Answer | Callable[[Request], Awaitable[Answer]], **options: Any) -> Script:
        """Says `answers` one after the other, the last one again and again."""
        left = list(answers)

        async def answer(request: Request) -> Answer:
            said = left.pop(0) if len(left) > 1 else left[0]
            return await said(request) if callable(said) else said

        script = Script(answer)
        self.route(await self._leaving.enter_async_context(serving(script)), **options)
        return script

    def route(self, url: str, **options: Any) -> None:
        options = {"lanes": 1} | options
        self.transport = HttpTransport({"hotel": url}, self.local, self.runtime, self._signals, **options)
        self._leaving.callback(self.transport.close)

    def send(self, *envelopes: Envelope, taken: Taken | None = None) -> None:
        self.transport.send(envelopes, taken or self.taken.extend)

    async def received(self, count: int = 1, acknowledge: bool = True) -> list[Envelope]:
        got: list[Envelope] = []
        while len(got) < count:
            batch = await asyncio.wait_for(self.replies.receive(100), PATIENCE_S)
            got += batch
            if acknowledge:
                await self.replies.acknowledge(batch)
        return got

    async def close(self) -> None:
        await self._leaving.aclose()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    opened = World()
    yield opened
    await opened.close()


async def test_command_is_posted_with_all_that_it_says(world: World) -> None:
    script = await world.serve((200, ROOM, b'{"number":7}'), headers={"hotel": {"authorization": "Bearer s3cret"}})
    world.send(envelope("m1", key="t 1"))
    await world.received()
    [request] = script.requests
    assert request.body == envelope("m1").payload
    assert (
        request.headers.items()
        >= {
            "ce-specversion": "1.0",
            "ce-id": "m1",
            "ce-type": "hotel.BookHotel",
            "ce-source": "trips.coordinator",
            "ce-subject": "t%201",
            "ce-time": "2033-05-18T03:33:20.0Z",
            "ce-kind": "command",
            "ce-to": "hotel",
            "ce-saga": "t%201",
            "ce-step": "book%20hotel",
            "ce-operation": "compensation",
            "ce-attempt": "2",
            "ce-epoch": "7",
            "ce-shard": "3",
            "ce-sender": "trips.coordinator",
            "ce-again": "true",
            "ce-begun": "true",
            "ce-deadline": "2033-05-18T03:33:50.5Z",
            "traceparent": "00-ab-cd-01",
            "content-type": "application/json",
            "authorization": "Bearer s3cret",
        }.items()
    )


async def test_answer_is_the_commands_own_reply_whatever_else_it_claims(world: World) -> None:
    claims = [(b"ce-saga", b"another"), (b"ce-to", b"bank"), (b"ce-outcome", b"refused"), (b"ce-attempt", b"99")]
    await world.serve((200, ROOM + claims, b'{"number":7}'))
    world.send(envelope("m1", key="t1"))
    [reply] = await world.received()
    assert reply == msgspec.structs.replace(
        envelope("m1", key="t1"),
        id=reply.id,
        kind=Kind.REPLY,
        type="Room",
        to="trips.coordinator",
        at=reply.at,
        payload=b'{"number":7}',
        sender="hotel",
        outcome=Outcome.REFUSED,
        again=False,
        begun=False,
        deadline=None,
        shard=0,
    )
    assert reply.operation is Operation.COMPENSATION


async def test_command_is_taken_when_its_reply_is_acknowledged(world: World) -> None:
    await world.serve((200, ROOM, b"{}"))
    world.send(envelope("m1"))
    batch = await world.received(acknowledge=False)
    assert world.taken == []
    await world.replies.acknowledge(batch)
    assert world.taken == ["m1"]


@pytest.mark.parametrize("status", [202, 204])
async def test_command_whose_reply_comes_later_is_taken(world: World, status: int) -> None:
    await world.serve((status, [], b""))
    told: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()
    world.send(envelope("m1"), taken=lambda ids: told.set_result(list(ids)))
    assert await asyncio.wait_for(told, PATIENCE_S) == ["m1"]


async def test_what_has_gathered_is_posted_in_one_batch_each_key_in_order(world: World) -> None:
    async def answer(request: Request) -> Answer:
        if "ce-id" in request.headers:
            world.send(*[envelope(f"m{number}", key=f"k{number % 3}") for number in range(1, 9)])
            return 200, ROOM, b"{}"
        said = [{"type": "Room", "data": {"number": each["id"]}} for each in request.events]
        return 200, BATCH, msgspec.json.encode(said)

    script = await world.serve(answer)
    world.send(envelope("m0"))
    replies = await world.received(9)
    assert [[each["id"] for each in request.events] for request in script.requests[1:]] == [
        [f"m{number}" for number in range(1, 9)]
    ]
    assert [reply.payload for reply in replies[1:]] == [f'{{"number":"m{number}"}}'.encode() for number in range(1, 9)]


async def test_batch_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("amends.adapters.http.lane.MOST_BYTES", 100)

    async def answer(request: Request) -> Answer:
        count = 1 if "ce-id" in request.headers else len(request.events)
        sizes.append(count)
        return (200, ROOM, b"{}") if count == 1 else (200, BATCH, msgspec.json.encode([{"type": "Room"}] * count))

    sizes: list[int] = []
    await world.serve(answer)
    world.send(*[envelope(f"m{number}") for number in range(20)])
    await world.received(20)
    assert sum(sizes) == 20
    assert max(sizes) == 100 // len(envelope("m").payload)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_server_that_is_away_is_asked_again(world: World, status: int) -> None:
    script = await world.serve((status, [(b"retry-after", b"3")], b"later"), (status, [], b""), (200, ROOM, b"{}"))
    world.send(envelope("m1"))
    await world.received()
    assert [request.headers["ce-id"] for request in script.requests] == ["m1"] * 3
    assert world.runtime.slept == [3.0 + 0.5 * 0.05, 0.5 * 0.1]
    told = await world.ear.first("http.away")
    assert told == {"address": "hotel", "messages": 1, "error": f"{status} later"}


async def test_pauses_are_capped(world: World) -> None:
    await world.serve(*[(503, [(b"retry-after", b"86400")], b"")] * 20, (200, ROOM, b"{}"))
    world.send(envelope("m1"))
    await world.received()
    assert max(world.runtime.slept) == 30.0 + 0.5 * 10.0


async def test_refused_connection_is_tried_again_until_somebody_listens(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    world.route(f"http://127.0.0.1:{port}")
    world.send(envelope("m1"))
    assert "Connect" in str((await world.ear.first("http.away"))["error"])

    async def answer(_: Request) -> Answer:
        return 200, ROOM, b"{}"

    async with serving(Script(answer), port):
        assert len(await world.received()) == 1


async def test_silent_server_is_given_up_and_asked_again(world: World) -> None:
    silence = asyncio.Event()

    async def silent(_: Request) -> Answer:
        await silence.wait()
        return 200, ROOM, b"{}"

    await world.serve(silent, (200, ROOM, b"{}"), timeout_s=0.05)
    world.send(envelope("m1"))
    await world.received()
    silence.set()
    assert (await world.ear.first("http.away"))["error"] == "no answer within 0.05 s"


async def test_server_that_is_away_holds_up_no_other(world: World) -> None:
    async def answer(_: Request) -> Answer:
        return 200, ROOM, b"{}"

    with socket.create_server(("127.0.0.1", 0)) as listener:
        down = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with serving(Script(answer)) as up:
        transport = HttpTransport({"hotel": down, "flight": up}, world.local, AsyncioRuntime(), Signals())
        transport.send([envelope("m1"), envelope("m2", to="flight")], world.taken.extend)
        assert [reply.sender for reply in await world.received()] == ["flight"]
        transport.close()
    assert world.taken == ["m2"]


async def test_message_that_is_sent_again_while_it_is_held_is_posted_once(world: World) -> None:
    """The sweep of the outbox sends what it believes to be left."""
    going_on = asyncio.Event()

    async def slow(_: Request) -> Answer:
        world.send(envelope("m1"))
        going_on.set()
        return 200, ROOM, b"{}"

    script = await world.serve(slow, (200, ROOM, b"{}"))
    world.send(envelope("m1"))
    await going_on.wait()
    world.send(envelope("m2"))
    await world.received(2)
    assert [request.headers["ce-id"] for request in script.requests] == ["m1", "m2"]


REFUSALS: dict[str, tuple[Answer, str]] = {
    "unknown type": ((404, PROBLEM, b'{"type":"/problems/unknown-message","detail":"no"}'), "unknown-message"),
    "malformed": ((400, PROBLEM, b'{"type":"/problems/malformed"}'), "malformed"),
    "not allowed": ((403, [], b"<h1>Forbidden</h1>"), "http-403"),
    "failed": ((500, PROBLEM, b'{"type":"/problems/handler-failed"}'), "handler-failed"),
    "moved": ((307, [(b"location", b"/elsewhere")], b""), "http-307"),
    "no event": ((200, [], b"OK"), "bad-answer"),
    "no JSON": ((200, ROOM, b"<room/>"), "bad-answer"),
    "nothing": ((200, ROOM, b""), "bad-answer"),
    "no outcome that is known": ((200, [*ROOM, (b"ce-outcome", b"maybe")], b"{}"), "bad-answer"),
    "not enough answers": ((200, BATCH, b"[]"), "bad-answer"),
    "no list": ((200, BATCH, b"{}"), "bad-answer"),
    "no events": ((200, BATCH, b"[7]"), "bad-answer"),
    "no status": ((200, BATCH, b'[{"type":"Room","status":"fine"}]'), "bad-answer"),
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_command_that_is_rejected_has_failed(world: World, what: str) -> None:
    """Its saga's budget counts it, and it is told."""
    answer, name = REFUSALS[what]
    await world.serve(answer)
    world.send(envelope("m1", key="t1"))
    [reply] = await world.received()
    assert (reply.type, reply.outcome, reply.saga, reply.attempt) == (name, Outcome.FAILED, "t1", 2)
    told = await world.ear.first("http.rejected")
    assert (told["address"], told["message"], told["saga"]) == ("hotel", "m1", "t1")
    assert name in str(told["error"])
    assert world.taken == ["m1"]


async def test_command_of_a_replaced_coordinator_is_dropped(world: World) -> None:
    details = msgspec.json.encode(problem(409, "replaced-epoch", "epoch 7 has been replaced"))
    await world.serve((409, PROBLEM, details), (200, ROOM, b"{}"))
    world.send(envelope("m1"))
    await world.ear.first("http.rejected")
    world.send(envelope("m2"))
    assert len(await world.received()) == 1
    assert world.taken == ["m1", "m2"]


async def test_event_that_is_rejected_stays_in_its_outbox(world: World) -> None:
    await world.serve((404, [], b""), (204, [], b""))
    world.send(msgspec.structs.replace(event("m1"), to="hotel"))
    await world.ear.first("http.rejected")
    done = asyncio.Event()
    world.send(msgspec.structs.replace(event("m1"), to="hotel"), taken=lambda ids: done.set())
    await asyncio.wait_for(done.wait(), PATIENCE_S)
    assert world.taken == []


async def test_server_without_batches_gets_one_after_the_other(world: World) -> None:
    async def answer(request: Request) -> Answer:
        return (200, ROOM, b"{}") if "ce-id" in request.headers else (415, [], b"")

    script = await world.serve(answer)
    world.send(*[envelope(f"m{number}") for number in range(4)])
    assert {reply.outcome for reply in await world.received(4)} == {Outcome.DONE}
    assert [request.headers["ce-id"] for request in script.requests if "ce-id" in request.headers] == [
        "m0",
        "m1",
        "m2",
        "m3",
    ]


async def test_one_bad_message_spoils_no_other(world: World) -> None:
    async def answer(request: Request) -> Answer:
        asked = [request.headers["ce-id"]] if "ce-id" in request.headers else [each["id"] for each in request.events]
        if "m2" in asked:
            return 413, [], b""
        return (
            (200, ROOM, b"{}") if len(asked) == 1 else (200, BATCH, msgspec.json.encode([{"type": "R"}] * len(asked)))
        )

    await world.serve(answer)
    world.send(*[envelope(f"m{number}") for number in range(8)])
    replies = await world.received(8)
    assert [reply.outcome for reply in replies].count(Outcome.FAILED) == 1
    assert sorted(world.taken) == [f"m{number}" for number in range(8)]


async def test_message_that_can_not_be_written_holds_up_nothing(world: World) -> None:
    await world.serve((200, ROOM, b"{}"))
    world.send(envelope("m1", at=-1.0), envelope("m2"))
    replies = await world.received(2)
    assert [(reply.type, reply.outcome) for reply in replies] == [
        ("unsendable", Outcome.FAILED),
        ("Room", Outcome.DONE),
    ]


async def test_failure_of_the_local_transport_holds_messages_back(world: World) -> None:
    """The participant is asked again, and its barrier gives the reply again."""

    class Failing(InProcess):
        def send(self, envelopes: Sequence[Envelope], taken: Taken) -> None:
            if failures:
                raise failures.pop()
            super().send(envelopes, taken)

    failures = [RuntimeError("no broker"), RuntimeError("no broker")]
    world.local = Failing()
    world.replies = world.local.subscribe("trips.coordinator")
    script = await world.serve((200, ROOM, b"{}"))
    world.send(envelope("m1"))
    await world.received()
    assert [request.headers["ce-id"] for request in script.requests] == ["m1"] * 2
    assert (await world.ear.first("http.away"))["error"] == "RuntimeError: no broker"


async def test_connection_is_kept(world: World) -> None:
    script = await world.serve((200, ROOM, b"{}"))
    for number in range(3):
        world.send(envelope(f"m{number}"))
        await world.received()
    assert len({request.client for request in script.requests}) == 1


async def test_closed_connection_is_opened_again_at_once(world: World) -> None:
    """A server may close one that was idle."""
    script = await world.serve((200, [*ROOM, (b"connection", b"close")], b"{}"))
    for number in range(3):
        world.send(envelope(f"m{number}"))
        await world.received()
    assert len(script.requests) == 3
    assert world.runtime.slept == []


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\nce-type: Room\r\n\r\n{", "EOFError: the answer was cut off"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n", "HttpParserError"),
        (b"220 mail.example ESMTP\r\n", "HttpParserError"),
    ],
)
async def test_answer_that_is_no_http_is_asked_for_again(world: World, said: bytes, told: str) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.close()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.transport.abort()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    world.route(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    world.send(envelope("m1"))
    assert told in str((await world.ear.first("http.away"))["error"])
    assert world.taken == []


async def test_reply_to_who_can_not_be_reached_is_dropped(world: World) -> None:
    transport = HttpTransport({"far.coordinator": None}, world.local, world.runtime, Signals())
    reply = msgspec.structs.replace(envelope("m1", to="far.coordinator"), kind=Kind.REPLY)
    transport.send([reply, envelope("m2", to="trips.coordinator")], world.taken.extend)
    assert world.taken == ["m1"]
    assert [each.id for each in await world.received()] == ["m2"]


@pytest.mark.parametrize(
    "url",
    [
        "hotel",
        "ftp://hotel",
        "http://",
        "http://user@hotel",
        "http://hotel?x=1",
        "//hotel",
        "http://hotel:port",
        "http://hotel/ü",
    ],
)
def test_route_that_leads_nowhere_is_refused(url: str) -> None:
    with pytest.raises(DefinitionError, match="a route leads to http"):
        HttpTransport({"hotel": url}, InProcess(), AsyncioRuntime(), Signals())


@pytest.mark.parametrize("header", [("authorization", "a\r\nx: y"), ("x y", "1"), ("x:", "1"), ("x", "ü")])
def test_header_that_is_none_is_refused(header: tuple[str, str]) -> None:
    with pytest.raises(DefinitionError, match="header"):
        HttpTransport(
            {"hotel": "http://hotel"}, InProcess(), AsyncioRuntime(), Signals(), headers={"hotel": dict([header])}
        )
