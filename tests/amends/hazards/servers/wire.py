"""The way from a client to a Kafka broker, of which a test can lose an answer."""

import asyncio

from tools.servers import TcpProxy

PRODUCE = 0
ALL = -1
_HOST = b"127.0.0.1"


class KafkaWire(TcpProxy):
    """Passes requests on and answers back, each whole; clients are told that this is where the broker is.

    `lose` answers to requests to produce, counted in `lost`: the broker has done its part, and the connection breaks.
    `acks` is what such requests want to wait for.
    """

    def __init__(self, target_port: int) -> None:
        super().__init__(target_port)
        self.lose = 0
        self.lost = 0
        self.acks: set[int] = set()
        self._theirs, self._ours = (_HOST + port.to_bytes(4, "big") for port in (target_port, self.port))

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target_reader, target_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        produced: set[bytes] = set()
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._ask(reader, target_writer, produced))
                both.create_task(self._answer(target_reader, writer, produced))
        finally:
            target_writer.transport.abort()

    async def _ask(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, produced: set[bytes]) -> None:
        while True:
            request = await _frame(source)
            if _number(request, 0) == PRODUCE:
                produced.add(request[4:8])
                self.acks.add(_acks(request))
            await _send(sink, request)

    async def _answer(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, produced: set[bytes]) -> None:
        while True:
            answer = await _frame(source)
            if answer[:4] in produced and self.lost < self.lose:
                self.lost += 1
                raise ConnectionResetError("the answer is lost")
            await _send(sink, answer.replace(self._theirs, self._ours))


async def _frame(source: asyncio.StreamReader) -> bytes:
    """A request or an answer: four bytes say how long it is. Both have a number of four bytes by which they match."""
    try:
        return await source.readexactly(int.from_bytes(await source.readexactly(4), "big"))
    except asyncio.IncompleteReadError as error:
        raise ConnectionResetError("the other side has gone") from error


async def _send(sink: asyncio.StreamWriter, frame: bytes) -> None:
    sink.write(len(frame).to_bytes(4, "big") + frame)
    await sink.drain()


def _acks(request: bytes) -> int:
    """It follows the name of the client, and two bytes, in every version, for that of no transaction."""
    at = 10 + _number(request, 8)
    return _number(request, at + 2)


def _number(frame: bytes, at: int) -> int:
    return int.from_bytes(frame[at : at + 2], "big", signed=True)
