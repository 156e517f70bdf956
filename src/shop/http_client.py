"""HTTP/1.1 to the shop's own processes and to the card gateway, on asyncio's streams and the parser of the servers.

A full HTTP client costs 180 ms and 9 MB at start, and more time a call than the call itself (docs/decisions).
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from amends.ports import Runtime

MOST_IDLE_S = 30.0
"""Servers close what is idle for longer than that, some time later."""
_CHUNK = 64 * 1024


class Response(NamedTuple):
    status: int
    body: bytes


class NoAnswer(Exception):
    """Asked, and no answer came, whole and in time: what was asked for may have happened."""


class NobodyThere(NoAnswer):
    """Nothing listens there: nothing has happened."""


class Origin(NamedTuple):
    """Where a server listens."""

    secure: bool
    host: str
    port: int


class Target(NamedTuple):
    """What a URL says: where to connect, the path to ask for there, and the name that goes into `Host`."""

    origin: Origin
    path: str
    named: str


class Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    since: float


class HttpClient:
    """Sends requests; keeps at most `keep` idle connections to each server for the next ones."""

    def __init__(self, runtime: Runtime, keep: int = 0, most_bytes: int = _CHUNK) -> None:
        """`most_bytes` bounds the body of an answer."""
        self._runtime = runtime
        self._keep = keep
        self._most_bytes = most_bytes
        self._idle: dict[Origin, list[Connection]] = {}
        self._waits: list[asyncio.StreamWriter] = []
        self._over = False

    async def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        timeout_s: float,
        *,
        waits: bool = False,
        repeatable: bool = False,
    ) -> Response:
        """Raises `NoAnswer`. `timeout_s` is for everything; `let_go` gives those up that only wait.

        What is `repeatable` is asked again on a new connection when a kept one breaks: its server may have closed it.
        """
        target = _target(url)
        request = _request(method, target, headers, body)
        asking = self._exchange(target.origin, request, waits, repeatable)
        response = await self._runtime.within(timeout_s, asking)
        if response is None:
            raise NoAnswer(f"{method} {url} has no answer after {timeout_s:g} s")
        return response

    def let_go(self) -> None:
        """Whoever waits, or begins to, gets `NoAnswer`: this process closes."""
        self._over = True
        for writer in list(self._waits):
            writer.transport.abort()

    async def close(self) -> None:
        """Closes what is idle; no request may be under way."""
        idle = [each for connections in self._idle.values() for each in connections]
        self._idle.clear()
        for each in idle:
            each.writer.close()
        for each in idle:
            with suppress(OSError):
                await each.writer.wait_closed()

    async def _exchange(self, origin: Origin, request: bytes, waits: bool, repeatable: bool) -> Response:
        kept = self._take(origin)
        if kept is not None:
            try:
                return await self._exchange_on(kept, origin, request, waits)
            except NoAnswer:
                if not repeatable:
                    raise
        return await self._exchange_on(await self._connect(origin), origin, request, waits)

    async def _exchange_on(self, connection: Connection, origin: Origin, request: bytes, waits: bool) -> Response:
        writer = connection.writer
        try:
            response, again = await self._ask(connection, request, waits)
        except (OSError, EOFError, httptools.HttpParserError) as error:
            writer.transport.abort()
            raise NoAnswer(f"{origin.host}:{origin.port}: {type(error).__name__}: {error}") from error
        except BaseException:
            writer.transport.abort()
            raise
        self._give_back(origin, connection, again)
        return response

    async def _ask(self, connection: Connection, request: bytes, waits: bool) -> tuple[Response, bool]:
        reader, writer, _ = connection
        if waits:
            if self._over:
                raise EOFError("nobody waits here any more")
            self._waits.append(writer)
        try:
            writer.write(request)
            return await _read_answer(reader, self._most_bytes)
        finally:
            if waits:
                self._waits.remove(writer)

    async def _connect(self, origin: Origin) -> Connection:
        try:
            reader, writer = await asyncio.open_connection(origin.host, origin.port, ssl=origin.secure or None)
        except OSError as error:
            raise NobodyThere(f"{origin.host}:{origin.port}: {error}") from error
        return Connection(reader, writer, 0.0)

    def _take(self, origin: Origin) -> Connection | None:
        """The one that was used last; those that the server has closed, or may be about to, are dropped."""
        idle = self._idle.get(origin, [])
        while idle:
            connection = idle.pop()
            old = self._runtime.now() - connection.since > MOST_IDLE_S
            if not (old or connection.reader.at_eof() or connection.writer.is_closing()):
                return connection
            connection.writer.close()
        return None

    def _give_back(self, origin: Origin, connection: Connection, again: bool) -> None:
        idle = self._idle.setdefault(origin, [])
        if again and len(idle) < self._keep:
            idle.append(connection._replace(since=self._runtime.now()))
        else:
            connection.writer.close()


def _target(url: str) -> Target:
    at = url.find("/", len("https://"))
    base, path = (url, "/") if at < 0 else (url[:at], url[at:])
    origin, named = _server(base)
    return Target(origin, path, named)


@lru_cache(256)
def _server(base: str) -> tuple[Origin, str]:
    parts = urlsplit(base)
    secure = parts.scheme == "https"
    return Origin(secure, parts.hostname or "", parts.port or (443 if secure else 80)), parts.netloc


def _request(method: str, target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"host: {target.named}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Answer:
    """What the parser tells. `again`: the connection may carry another request."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.length = 0
        self.complete = False
        self.again = True

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"connection" and value.lower() == b"close":
            self.again = False

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.length += len(chunk)

    def on_message_complete(self) -> None:
        self.complete = True


async def _read_answer(reader: asyncio.StreamReader, most_bytes: int) -> tuple[Response, bool]:
    """The answer, and whether another may follow. Raises `EOFError` for one that is cut off, or too long."""
    answer = _Answer()
    parser = httptools.HttpResponseParser(answer)
    while not answer.complete:
        chunk = await reader.read(_CHUNK)
        if not chunk:
            raise EOFError("the answer is cut off")
        parser.feed_data(chunk)
        if answer.length > most_bytes:
            raise EOFError(f"the answer is longer than {most_bytes} bytes")
    again = answer.again and parser.get_http_version() == "1.1"
    return Response(parser.get_status_code(), b"".join(answer.chunks)), again
