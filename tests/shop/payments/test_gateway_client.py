"""What the client makes of every kind of answer, and of none."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.participant import Asked
from shop.payments.domain import PaymentState, Wish
from shop.payments.gateway_client import HttpGateway
from shop.payments.gateway_wire import APPROVED
from shop.payments.tables import CardOperation
from shop.servers import listen
from tests.shop.payments.card_room import GatewayServer

RECORD = b'{"key":"k","state":"authorized","card_last4":"4242","amount_minor":500}'
WANTED = CardOperation("k", 1, Wish.AUTHORIZE, Asked("s", "t", "action"), 0, APPROVED, 500, PaymentState.ASKED)


@asynccontextmanager
async def answering(raw: bytes | None) -> AsyncIterator[str]:
    """A server that answers one request with `raw`; None: never."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if raw is None:
            await reader.read()
        else:
            writer.write(raw)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
        over.set()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    async with asyncio.timeout(10):
        await over.wait()


@asynccontextmanager
async def client(url: str, timeout_s: float = 10.0) -> AsyncIterator[HttpGateway]:
    made = HttpGateway(url, AsyncioRuntime(), timeout_s)
    yield made
    await made.close()


CHUNKED = b"HTTP/1.1 402 x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(RECORD), RECORD)


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 201 x\r\nContent-Length: %d\r\n\r\n%s" % (len(RECORD), RECORD), CHUNKED],
    ids=["with a length", "in chunks"],
)
async def test_record_is_understood(raw: bytes) -> None:
    async with answering(raw) as url, client(url) as http:
        assert await http.carry_out(WANTED) is PaymentState.AUTHORIZED


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n" + RECORD,
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 500 x\r\nContent-Length: %d\r\n\r\n%s" % (len(RECORD), RECORD),
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b" " * 1000000,
    ],
    ids=["closed", "no http", "cut off", "no record", "server error", "too long"],
)
async def test_anything_else_is_unknown(raw: bytes) -> None:
    async with answering(raw) as url, client(url) as http:
        assert await http.carry_out(WANTED) is None


async def test_no_answer_in_time_is_unknown() -> None:
    async with answering(None) as url, client(url, timeout_s=0.1) as http:
        assert await http.carry_out(WANTED) is None


async def test_nobody_there_is_unknown() -> None:
    listener = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    async with client(url) as http:
        assert await http.status("k") is None


@asynccontextmanager
async def serving(*says: str) -> AsyncIterator[tuple[str, list[str]]]:
    """A server whose connections do what `says` tells, request by request; and the requests that it got."""
    got: list[str] = []
    script = iter(says)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                await reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
                got.append(head.partition("\r\n")[0])
                if next(script) == "closes":
                    break
                writer.write(b"HTTP/1.1 201 x\r\nContent-Length: %d\r\n\r\n%s" % (len(RECORD), RECORD))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", got
    server.close()
    await server.wait_closed()


async def test_kept_connection_that_was_closed_meanwhile_costs_no_answer() -> None:
    async with serving("answers", "closes", "answers") as (url, got), client(url) as http:
        assert [await http.carry_out(WANTED) for _ in "12"] == [PaymentState.AUTHORIZED] * 2
    assert got == ["post /authorizations http/1.1"] * 3


async def test_new_connection_that_is_closed_is_not_tried_again() -> None:
    async with serving("closes", "answers") as (url, got), client(url) as http:
        assert await http.carry_out(WANTED) is None
    assert len(got) == 1


async def test_calls_follow_each_other_on_one_connection(gateway: GatewayServer) -> None:
    async with client(gateway.url) as http:
        for _ in range(5):
            assert await http.carry_out(WANTED) is PaymentState.AUTHORIZED
    assert len(gateway.clients) == 1
