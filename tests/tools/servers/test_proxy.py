"""The proxy that breaks connections on demand."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tools.servers import TcpProxy


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send back each line, until the client has nothing more to say."""
    while line := await reader.readline():
        writer.write(line)
        await writer.drain()
    writer.write(b"bye\n")
    writer.close()
    await writer.wait_closed()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    """A proxy in front of an echo."""
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = TcpProxy(server.sockets[0].getsockname()[1])
    await proxy.start()
    yield proxy
    await proxy.stop()
    server.close()
    await server.wait_closed()


class Client:
    """One connection through the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, text: str) -> str:
        self.writer.write(f"{text}\n".encode())
        return (await self.reader.readline()).decode().strip()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()


async def connected(proxy: TcpProxy) -> Client:
    return Client(*await asyncio.open_connection("127.0.0.1", proxy.port))


async def is_broken(client: Client) -> bool:
    try:
        return await client.ask("anybody?") == ""
    except ConnectionError:
        return True


async def test_both_directions_pass(proxy: TcpProxy) -> None:
    one, two = await connected(proxy), await connected(proxy)

    assert [await one.ask("a"), await two.ask("b"), await one.ask("c")] == ["a", "b", "c"]
    await one.close()
    await two.close()


async def test_end_of_one_direction_leaves_the_other_open(proxy: TcpProxy) -> None:
    client = await connected(proxy)
    client.writer.write_eof()

    assert await client.reader.read() == b"bye\n"
    await client.close()


async def test_cut_breaks_connections_and_refuses_new_ones(proxy: TcpProxy) -> None:
    client = await connected(proxy)
    assert await client.ask("before") == "before"

    await proxy.cut()

    assert await is_broken(client)
    with pytest.raises(ConnectionRefusedError):
        await connected(proxy)
    client.writer.transport.abort()


async def test_healed_proxy_takes_connections_on_its_old_port(proxy: TcpProxy) -> None:
    port = proxy.port
    await proxy.cut()
    await proxy.heal()

    client = await connected(proxy)

    assert proxy.port == port
    assert await client.ask("again") == "again"
    await client.close()


async def test_slow_proxy_holds_back_each_way(proxy: TcpProxy) -> None:
    client = await connected(proxy)
    proxy.slow(0.1)

    asked = time.monotonic()
    assert await client.ask("slowly") == "slowly"

    assert time.monotonic() - asked >= 0.2
    proxy.slow(0)
    await client.close()


async def test_server_that_is_away_is_a_broken_connection() -> None:
    proxy = TcpProxy(target_port=1)
    await proxy.start()
    client = await connected(proxy)

    assert await is_broken(client)
    client.writer.transport.abort()
    await proxy.stop()
