"""One kept-alive connection to a server that speaks HTTP/1.1, on asyncio's streams and the parser that servers use.

docs/decisions/14 says why there is no HTTP client under it.
"""

import asyncio
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

import httptools

from amends.adapters.http import wire
from amends.adapters.http.answers import Response
from amends.errors import DefinitionError

_URL = re.compile(r"https?://([\w.-]+|\[[\da-fA-F:.]+\])(:\d{1,5})?(/[!$%&'()*+,\-./\w:;=@~]*)?", re.ASCII)
_TOKEN = re.compile(r"[\w!#$%&'*+.^`|~-]+", re.ASCII)
_VALUE = re.compile(r"[\x20-\x7e]*")
_CHUNK = 256 * 1024
_MOST_ANSWER_BYTES = 64 * 1024 * 1024
BROKEN = (OSError, EOFError, httptools.HttpParserError)


class Server:
    """Where an address is served: `url` is its app's, whose `POST /` takes messages. Raises `DefinitionError`."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        if not _URL.fullmatch(url):
            raise DefinitionError(f"a route leads to http://host[:port]/path or https://…, not to {url!r}")
        parts = urlsplit(url)
        self.host = parts.hostname
        self.secure = parts.scheme == "https"
        self.port = parts.port or (443 if self.secure else 80)
        start = f"POST {parts.path.rstrip('/')}/ HTTP/1.1\r\nhost: {parts.netloc}\r\n"
        self._head = start.encode("ascii") + _lines(_checked(headers))

    def request(self, headers: wire.Headers, body: bytes) -> bytes:
        """A whole request."""
        return b"%b%bcontent-length: %d\r\n\r\n%b" % (self._head, _lines(headers), len(body), body)


class Connection:
    """Opened when it is needed, and again when it was closed; one request at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, headers: wire.Headers, body: bytes, timeout_s: float) -> Response:
        """Raises `TimeoutError`, or one of `BROKEN`: it is not known then whether the request has arrived."""
        request = self._server.request(headers, body)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._exchange(request)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: bytes) -> Response:
        """A server may close a connection that has been idle just when a request comes: one is sent again, once."""
        if self._streams is not None:
            try:
                return await self._send(*self._streams, request)
            except BROKEN:
                self.close()
        server = self._server
        self._streams = await asyncio.open_connection(server.host, server.port, ssl=server.secure or None)
        return await self._send(*self._streams, request)

    async def _send(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> Response:
        writer.write(request)
        incoming = _Incoming()
        parser = httptools.HttpResponseParser(incoming)
        while not incoming.complete:
            chunk = await reader.read(_CHUNK)
            if not chunk or incoming.size > _MOST_ANSWER_BYTES:
                raise EOFError("the answer was cut off" if not chunk else "the answer has no end")
            parser.feed_data(chunk)
        if incoming.last or parser.get_http_version() != "1.1":
            self.close()
        return Response(parser.get_status_code(), incoming.headers, b"".join(incoming.body))


class _Incoming:
    """What the parser tells."""

    def __init__(self) -> None:
        self.headers: wire.Headers = []
        self.body: list[bytes] = []
        self.size = 0
        self.complete = False
        self.last = False

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        self.headers.append((name, value))
        self.last |= name == b"connection" and value.lower() == b"close"

    def on_body(self, part: bytes) -> None:
        self.body.append(part)
        self.size += len(part)

    def on_message_complete(self) -> None:
        self.complete = True


def _checked(headers: Mapping[str, str]) -> wire.Headers:
    for name, value in headers.items():
        if not (_TOKEN.fullmatch(name) and _VALUE.fullmatch(value)):
            raise DefinitionError(f"{name!r} with the value that it has is no header of a request")
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _lines(headers: wire.Headers) -> bytes:
    return b"".join(b"%b: %b\r\n" % pair for pair in headers)
