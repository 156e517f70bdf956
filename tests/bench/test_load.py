"""The load generator tells the truth about slow servers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import cast

from bench.load import Load, Outcome, Plan, Request
from bench.wire import Connection

ANSWER = b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\ngood"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"
HELD_S = 0.05

Respond = Callable[[asyncio.Transport, int], None]


class Connections:
    """Those that are open at the server."""

    def __init__(self) -> None:
        self.count = 0
        self.none = asyncio.Event()
        self.none.set()

    def add(self, change: int) -> None:
        self.count += change
        if self.count:
            self.none.clear()
        else:
            self.none.set()


class Server(asyncio.Protocol):
    """Counts requests; `respond` writes the answer to the nth."""

    def __init__(self, respond: Respond, keys: list[bytes], connections: Connections) -> None:
        self._respond = respond
        self._keys = keys
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(1)

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.add(-1)

    def data_received(self, data: bytes) -> None:
        self._keys.append(data.split(b"Key: ")[1][:32])
        self._respond(self._transport, len(self._keys))


@asynccontextmanager
async def serving(respond: Respond, keys: list[bytes]) -> AsyncIterator[int]:
    connections = Connections()
    server = await asyncio.get_running_loop().create_server(lambda: Server(respond, keys, connections), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await connections.none.wait()


async def run(respond: Respond, keys: list[bytes], *, rate: float = 0.0) -> Outcome:
    async with serving(respond, keys) as port:
        plan = Plan(
            host="127.0.0.1",
            port=port,
            requests=[Request(b"POST / HTTP/1.1\r\nKey: ", b"\r\n\r\n")],
            count=20,
            connections=1,
            most_connections=1,
            rate=rate,
            limit_s=20,
        )
        load = Load(plan)
        return await load.run()


def at_once(transport: asyncio.Transport, nth: int) -> None:
    transport.write(ANSWER)


def first_one_late(transport: asyncio.Transport, nth: int) -> None:
    delay_s = HELD_S if nth == 1 else 0.0
    asyncio.get_running_loop().call_later(delay_s, transport.write, ANSWER)


def busy_at_first(transport: asyncio.Transport, nth: int) -> None:
    transport.write(BUSY if nth == 1 else ANSWER)


async def test_every_request_has_a_key_of_its_own() -> None:
    keys: list[bytes] = []
    outcome = await run(at_once, keys)
    assert outcome.answered == 20
    assert outcome.statuses == {"202": 20}
    assert len(set(keys)) == 20


async def test_open_loop_counts_from_when_a_request_was_due() -> None:
    """All requests are due within 20 ms and wait for the first one's answer: each of them was slow."""
    outcome = await run(first_one_late, [], rate=1_000)
    assert outcome.p50_ms > HELD_S * 1000 / 2


async def test_closed_loop_counts_from_when_a_request_was_sent() -> None:
    outcome = await run(first_one_late, [])
    assert outcome.max_ms >= HELD_S * 1000
    assert outcome.p50_ms < outcome.max_ms


async def test_overloaded_answer_is_sent_again_after_its_pause() -> None:
    keys: list[bytes] = []
    outcome = await run(busy_at_first, keys)
    assert outcome.answered == 20
    assert outcome.statuses == {"202": 20, "503": 1}
    assert len(keys) == 21


def test_answer_in_pieces_is_put_together() -> None:
    answered: list[tuple[int, int]] = []
    connection = Connection(lambda _, status, pause_s: answered.append((status, pause_s)), lambda _: None)
    for at in range(len(BUSY)):
        connection.data_received(BUSY[at : at + 1])
    connection.data_received(ANSWER)
    assert answered == [(503, 1), (202, 0)]
