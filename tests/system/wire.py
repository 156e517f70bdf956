"""HTTP/1.1 by hand: light enough to load a shop from the core that it runs on, and able to send what is wrong."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

ANSWER_S = 60.0
LOST = (OSError, EOFError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` have names in lowercase."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """The stable name of a refusal; fails for what isn't one as documented."""
        assert self.headers["content-type"] == "application/problem+json", self
        told = self.json()
        assert told["status"] == self.status, self
        assert all(told[name] for name in ("title", "detail")), self
        return str(told["type"]).removeprefix("/problems/")


class Connection:
    """To one edge, kept open, opened again when it was lost. One request at a time."""

    def __init__(self, address: str, token: str = "") -> None:
        self._url = urlsplit(address)
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str = "",
        prefer: str = "",
        headers: Mapping[str, str] | None = None,
        raw: bytes | None = None,
    ) -> Answer:
        """Sends `body` as JSON, or `raw` as it is. Raises one of `LOST` when no answer came."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        optional = {"Idempotency-Key": key, "Prefer": prefer}
        named = {"Content-Length": str(len(content))} | {name: text for name, text in optional.items() if text}
        named |= dict(headers or {})
        return await self.send(self.head(method, path, named) + content)

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """The first lines of a request, with the token unless `headers` name another."""
        named = {"Host": self._url.netloc} | ({"Authorization": f"Bearer {self._token}"} if self._token else {})
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in (named | dict(headers)).items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def send(self, request: bytes, patience_s: float = ANSWER_S) -> Answer:
        """Sends these bytes, reads one answer."""
        try:
            async with asyncio.timeout(patience_s):
                reader, writer = self._streams or await asyncio.open_connection(self._url.hostname, self._url.port)
                self._streams = reader, writer
                writer.write(request)
                answer = await read_answer(reader)
        except BaseException:
            self.close()
            raise
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def ask_once(
    address: str, method: str, path: str, body: object = None, *, token: str = "", key: str = "", prefer: str = ""
) -> Answer:
    """On a connection of its own."""
    connection = Connection(address, token)
    try:
        return await connection.ask(method, path, body, key=key, prefer=prefer)
    finally:
        connection.close()


async def read_answer(reader: asyncio.StreamReader) -> Answer:
    """Raises `EOFError` when it is cut off."""
    status, headers = await read_head(reader)
    if headers.get("transfer-encoding") == "chunked":
        return Answer(status, headers, await _read_chunks(reader))
    return Answer(status, headers, await reader.readexactly(int(headers.get("content-length", "0"))))


async def read_head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split()[1]), headers


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readline(), 16):
        body += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return body
