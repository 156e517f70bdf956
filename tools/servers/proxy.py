"""A TCP proxy in front of a server, for tests of what a network does to it."""

import asyncio

from tools.servers.ports import free_port

CHUNK = 65536


class TcpProxy:
    """Passes connections to `port` on to a server on `target_port`; belongs to the event loop that started it."""

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.port = free_port()
        self._delay_s = 0.0
        self._listener: asyncio.Server | None = None
        self._links: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; nothing happens when it does so already."""
        if self._listener is None:
            self._listener = await asyncio.start_server(self._link, "127.0.0.1", self.port)

    async def stop(self) -> None:
        """Close the port and all connections."""
        if self._listener:
            self._listener.close()
            self._listener = None
        for link in self._links:
            link.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    async def cut(self) -> None:
        """Break all connections and refuse new ones, until `heal`."""
        await self.stop()

    async def heal(self) -> None:
        """Take connections again."""
        await self.start()

    def slow(self, delay_s: float) -> None:
        """Hold back what comes, in either direction, for that long; 0 ends it."""
        self._delay_s = delay_s

    async def _link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Live as long as one connection."""
        if task := asyncio.current_task():
            self._links.add(task)
            task.add_done_callback(self._links.discard)
        try:
            await self._pass_on(reader, writer)
        except* OSError:
            pass  # whichever side broke it, the other one is told
        finally:
            writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(reader, target_writer))
                both.create_task(self._pump(target_reader, writer))
        finally:
            target_writer.transport.abort()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(CHUNK):
            await asyncio.sleep(self._delay_s)
            sink.write(data)
            await sink.drain()
        sink.write_eof()
