"""Kafka Connect, asked over its REST interface: as much of it as a capture needs that has lost its slot.

Source: KIP-875, which gave it `stop` and the offsets, in Kafka 3.6.
"""

import asyncio
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from time import monotonic
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import msgspec

from amends.errors import CaptureFailed, DefinitionError

# A group that is being rebalanced, or a worker that has just begun, refuses for a moment.
_BUSY = (409, 500, 503)
# What was made just now is not known everywhere at once.
_NOT_YET = (404, *_BUSY)
_POLL_S = 0.2
_ANSWER_S = 90.0


class _Part(msgspec.Struct):
    state: str
    trace: str = ""


class _Status(msgspec.Struct):
    connector: _Part
    tasks: list[_Part] = []


class KafkaConnect:
    """The workers at `url`. What they refuse is asked again for `patience_s`; then `CaptureFailed` is raised."""

    def __init__(self, url: str, patience_s: float = 60.0) -> None:
        if not url.startswith(("http://", "https://")):
            raise DefinitionError(f"Kafka Connect is at http://host:port, not at {url!r}")
        self._url = url.rstrip("/")
        self._patience_s = patience_s

    async def put(self, name: str, config: Mapping[str, str]) -> None:
        """Makes a connector, or changes it; returns when it runs."""
        await self._ask("PUT", name, "/config", msgspec.json.encode(dict(config)))
        await self._until(name, "RUNNING")

    async def stop(self, name: str) -> None:
        """Stops a connector, its tasks with it; it stays known."""
        await self._ask("PUT", name, "/stop")
        await self._until(name, "STOPPED")

    async def forget(self, name: str) -> None:
        """Forgets how far a stopped connector had read."""
        await self._ask("DELETE", name, "/offsets")

    async def resume(self, name: str) -> None:
        await self._ask("PUT", name, "/resume")

    async def _until(self, name: str, state: str) -> None:
        until = monotonic() + self._patience_s
        while not await self._is(name, state):
            if monotonic() > until:
                raise CaptureFailed(f"the connector {name!r} at {self._url} is not {state} in {self._patience_s:g} s")
            await asyncio.sleep(_POLL_S)

    async def _is(self, name: str, state: str) -> bool:
        """A stopped one has no tasks, a running one's run."""
        status = msgspec.json.decode(await self._ask("GET", name, "/status", again=_NOT_YET), type=_Status)
        if traces := [each.trace for each in (status.connector, *status.tasks) if each.state == "FAILED"]:
            raise CaptureFailed(f"the connector {name!r} at {self._url} failed: {traces[0][:500]}")
        tasks = {each.state for each in status.tasks}
        return status.connector.state == state and tasks == ({"RUNNING"} if state == "RUNNING" else set())

    async def _ask(
        self, method: str, name: str, what: str, body: bytes | None = None, again: Sequence[int] = _BUSY
    ) -> bytes:
        path = f"/connectors/{quote(name, safe='')}{what}"
        headers = {"content-type": "application/json"} if body else {}
        until = monotonic() + self._patience_s
        while True:
            request = Request(f"{self._url}{path}", body, headers, method=method)
            code, answer = await asyncio.to_thread(_call, request)
            if 200 <= code < 300:
                return answer
            if code not in again or monotonic() > until:
                told = f"answered with {code}" if code else "did not answer"
                raise CaptureFailed(f"{method} {self._url}{path} {told}: {answer.decode(errors='replace')[:500]}")
            await asyncio.sleep(_POLL_S)


def _call(request: Request) -> tuple[int, bytes]:
    """The answer's code and body; 0 for no answer."""
    try:
        with urlopen(request, timeout=_ANSWER_S) as answer:
            return answer.status, answer.read()
    except HTTPError as error:
        with error:
            return error.code, error.read()
    except (OSError, HTTPException) as error:
        return 0, str(error).encode()
