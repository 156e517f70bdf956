"""Loads a server with requests, and measures how long each answer took. Runs as a process of its own.

Two ways. *Closed loop*: so many connections, each sends its next request once the last one is answered; it shows the
highest throughput. *Open loop*: requests are due at fixed times whether or not earlier ones were answered, and latency
counts from the time at which the request was due, not from when it could be sent; a slow server can't hide (no
coordinated omission).

    python -m bench.load < plan.json > outcome.json
"""

import asyncio
import os
import resource
import sys
import time
from collections import Counter, deque

import msgspec
import uvloop

from bench.figures import percentile
from bench.wire import Connection

_TICK_S = 0.001


class Request(msgspec.Struct, frozen=True):
    """Bytes up to the value of `Idempotency-Key`, which is made anew for each request, and the bytes after it."""

    head: bytes
    tail: bytes


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`requests` are sent in turn, `count` in all. `rate` 0 means closed loop. `limit_s` bounds everything."""

    host: str
    port: int
    requests: list[Request]
    count: int
    connections: int = 64
    most_connections: int = 1024
    rate: float = 0.0
    limit_s: float = 120.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Latencies in ms. `lag_p99_ms` is how late the generator itself was; `began` and `ended` are Unix times."""

    answered: int
    unanswered: int
    statuses: dict[str, int]
    began: float
    ended: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    lag_p99_ms: float
    cpu_s: float

    @property
    def per_s(self) -> float:
        return self.answered / max(self.ended - self.began, 1e-9)


class Load:
    """One plan, carried out once. 503 is obeyed: the same request goes out again after `Retry-After`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._loop = asyncio.get_running_loop()
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []
        self._latencies: list[float] = []
        self._lags: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._done = asyncio.Event()
        self._sent = 0
        self._keys = b""
        self._opening = 0
        self._closing = False
        self._closed = asyncio.Event()
        self._overdue: deque[float] = deque()

    async def run(self) -> Outcome:
        plan = self._plan
        await asyncio.gather(*[self._open() for _ in range(min(plan.connections, plan.count))])
        wall, self._start = time.time(), time.perf_counter()
        if plan.rate:
            self._idle = list(self._connections)
            self._tick()
        else:
            for connection in self._connections:
                self._send_next(connection, self._start)
        try:
            await asyncio.wait_for(self._done.wait(), plan.limit_s)
        except TimeoutError:
            print("load: out of time", file=sys.stderr)
        outcome = self._outcome(wall, time.perf_counter() - self._start)
        await self._close()
        return outcome

    async def _close(self) -> None:
        self._closing = True
        for connection in self._connections:
            connection.close()
        if self._connections:
            await self._closed.wait()

    async def _open(self) -> Connection:
        made = self._loop.create_connection(
            lambda: Connection(self._answered, self._lost), self._plan.host, self._plan.port
        )
        _, connection = await made
        self._connections.append(connection)
        return connection

    def _tick(self) -> None:
        """Sends what is due by now; as late as the timer is, and the lag is recorded."""
        now, plan = time.perf_counter(), self._plan
        due = min(plan.count, int((now - self._start) * plan.rate) + 1)
        for nth in range(self._sent + len(self._overdue), due):
            self._overdue.append(self._start + nth / plan.rate)
        self._send_overdue(now)
        if self._sent + len(self._overdue) < plan.count:
            self._loop.call_later(_TICK_S, self._tick)

    def _send_overdue(self, now: float) -> None:
        while self._overdue and self._idle:
            at = self._overdue.popleft()
            self._lags.append(now - at)
            self._send_next(self._idle.pop(), at)
        missing = len(self._overdue) - self._opening
        for _ in range(min(missing, self._plan.most_connections - len(self._connections) - self._opening)):
            self._opening += 1
            self._loop.create_task(self._open_more())

    async def _open_more(self) -> None:
        try:
            self._idle.append(await self._open())
        finally:
            self._opening -= 1
        self._send_overdue(time.perf_counter())

    def _send_next(self, connection: Connection, began: float) -> None:
        connection.nth = self._sent
        self._sent += 1
        connection.send(self._request(connection.nth), began)

    def _request(self, nth: int) -> bytes:
        """With a fresh random key, as clients make them."""
        if not self._keys:
            self._keys = os.urandom(16 * 1024)
        key, self._keys = self._keys[:16].hex().encode(), self._keys[16:]
        request = self._plan.requests[nth % len(self._plan.requests)]
        return request.head + key + request.tail

    def _answered(self, connection: Connection, status: int, retry_after_s: int) -> None:
        now = time.perf_counter()
        self._statuses[status] += 1
        if retry_after_s:
            connection.busy = True
            self._loop.call_later(retry_after_s, connection.send, self._request(connection.nth), connection.began)
            return
        self._latencies.append(now - connection.began)
        if len(self._latencies) == self._plan.count:
            self._done.set()
        elif not self._plan.rate:
            if self._sent < self._plan.count:
                self._send_next(connection, now)
        elif self._overdue:
            at = self._overdue.popleft()
            self._lags.append(now - at)
            self._send_next(connection, at)
        else:
            self._idle.append(connection)

    def _lost(self, connection: Connection) -> None:
        if connection.busy and not self._closing:
            self._statuses[0] += 1
            self._done.set()
            print("load: the server closed a connection with a request on it", file=sys.stderr)
        elif connection in self._idle:
            self._idle.remove(connection)
        if connection in self._connections:
            self._connections.remove(connection)
        if not self._connections:
            self._closed.set()

    def _outcome(self, wall: float, took_s: float) -> Outcome:
        latencies = sorted(self._latencies)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return Outcome(
            answered=len(latencies),
            unanswered=self._plan.count - len(latencies),
            statuses={str(status): count for status, count in sorted(self._statuses.items())},
            began=wall,
            ended=wall + took_s,
            p50_ms=percentile(latencies, 0.5) * 1000,
            p99_ms=percentile(latencies, 0.99) * 1000,
            max_ms=percentile(latencies, 1.0) * 1000,
            lag_p99_ms=percentile(sorted(self._lags), 0.99) * 1000,
            cpu_s=usage.ru_utime + usage.ru_stime,
        )


async def _run(plan: Plan) -> Outcome:
    load = Load(plan)
    return await load.run()


def main() -> None:
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    outcome = uvloop.run(_run(plan))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
