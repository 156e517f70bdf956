"""Commands over HTTP: a transport here, a participant with SQLite (every commit synced) in a process of its own.

Each command inserts a row. So many are in flight at any moment; the clock runs until the last reply is here.

    python -m bench.over_http [COMMANDS]
"""

import socket
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import uvicorn
import uvloop
from rich.console import Console
from rich.table import Table

from amends import Command, Migration, Participant, Reply, Tx
from amends.adapters.asyncio_runtime import AsyncioRuntime
from amends.adapters.embedded import Embedded
from amends.adapters.http import HttpTransport, participant_app
from amends.adapters.inprocess import InProcess
from amends.messages import Envelope, Kind, MessageId, SagaId, encode, type_name
from amends.signals import Signals
from bench.child import folder, running
from bench.figures import number, percentile

ROWS = ((1, 1), (16, 1), (16, 4), (200, 1), (200, 4), (2_000, 1))
ROOMS = Migration(1, "rooms", ("create table rooms (trip text primary key)",))
hotel = Participant("hotel")


class Book(Command):
    participant = "hotel"
    trip: str


class Room(Reply):
    number: int


@hotel.handles(Book)
async def book(tx: Tx, command: Book) -> Room:
    await tx.run("insert into rooms (trip) values (:trip)", (command.trip,))
    return Room(7)


class Spent(msgspec.Struct):
    """What the serving process has spent since it was asked last."""

    cpu_s: float
    hops: int


class Outcome(NamedTuple):
    per_s: float
    p50_ms: float
    p99_ms: float
    asks_us: float
    answers_us: float
    a_batch: float


async def serve() -> None:
    """Prints its address once it listens."""
    with folder() as path:
        async with Embedded(path / "data") as home:
            app = Metered(participant_app(await home.add("hotel", participant=hotel, migrations=[ROOMS])))
            home.signals.listen(lambda name, _: app.seen.update([name]))
            listener = socket.create_server(("127.0.0.1", 0))
            print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
            config = uvicorn.Config(app, http="httptools", lifespan="off", log_level="warning", access_log=False)
            await uvicorn.Server(config).serve([listener])


class Metered:
    """`/spent` tells what was spent; all else goes to the participant."""

    def __init__(self, app: Any) -> None:
        self.seen: Counter[str] = Counter()
        self._app = app
        self._since = 0.0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/spent":
            await self._tell(send)
        else:
            await self._app(scope, receive, send)

    async def _tell(self, send: Any) -> None:
        now = time.process_time()
        body = msgspec.json.encode(Spent(now - self._since, self.seen["participant.hop"]))
        self._since = now
        self.seen.clear()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Load:
    """Keeps `in_flight` commands under way."""

    def __init__(self, url: str, lanes: int) -> None:
        self._runtime = AsyncioRuntime()
        self._local = InProcess()
        self.transport = HttpTransport({"hotel": url}, self._local, self._runtime, Signals(), lanes=lanes)
        self._replies = self._local.subscribe("trips.coordinator")

    async def run(self, commands: int, in_flight: int) -> list[float]:
        """How long each has taken, in seconds."""
        sent: dict[SagaId, float] = {}
        took: list[float] = []
        self._send(min(in_flight, commands), sent)
        left = commands - len(sent)
        while len(took) < commands:
            replies = await self._replies.receive(4_000)
            await self._replies.acknowledge(replies)
            now = time.perf_counter()
            took += [now - sent.pop(reply.saga) for reply in replies]
            more = min(len(replies), left)
            self._send(more, sent)
            left -= more
        return sorted(took)

    def _send(self, count: int, sent: dict[SagaId, float]) -> None:
        commands = [self._command() for _ in range(count)]
        sent |= dict.fromkeys([each.saga for each in commands], time.perf_counter())
        self.transport.send(commands, lambda _: None)

    def _command(self) -> Envelope:
        id = self._runtime.new_id()
        return Envelope(
            id=MessageId(self._runtime.new_id()),
            kind=Kind.COMMAND,
            type=type_name(Book),
            to="hotel",
            key=id,
            at=self._runtime.now(),
            payload=encode(Book(id)),
            saga=SagaId(id),
            step="room",
            attempt=1,
            epoch=7,
            sender="trips.coordinator",
            deadline=self._runtime.now() + 30,
            traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        )


async def measure(url: str, commands: int, in_flight: int, lanes: int) -> Outcome:
    load = Load(url, lanes)
    await load.run(min(commands, 4 * in_flight), in_flight)
    spent(url)
    began, cpu = time.perf_counter(), time.process_time()
    took = await load.run(commands, in_flight)
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    there = spent(url)
    load.transport.close()
    p50, p99 = percentile(took, 0.5) * 1e3, percentile(took, 0.99) * 1e3
    asks, answers = cpu / commands * 1e6, there.cpu_s / commands * 1e6
    return Outcome(commands / wall, p50, p99, asks, answers, commands / there.hops)


def spent(url: str) -> Spent:
    with urllib.request.urlopen(f"{url}/spent") as answer:
        return msgspec.json.decode(answer.read(), type=Spent)


def table(rows: Sequence[tuple[int, int, Outcome]]) -> Table:
    titles = ("in flight", "lanes", "commands/s", "p50 ms", "p99 ms", "µs: asks", "µs: answers", "a batch")
    made = Table(*titles, title="Commands over HTTP")
    for in_flight, lanes, outcome in rows:
        made.add_row(str(in_flight), str(lanes), *[number(value) for value in outcome])
    return made


def main(commands: int) -> None:
    with running([sys.executable, "-m", "bench.over_http", "serve"]) as child:
        assert child.stdout is not None
        url = child.stdout.readline().decode().strip()
        rows = []
        for in_flight, lanes in ROWS:
            count = min(commands, 50 * in_flight + 450)
            rows.append((in_flight, lanes, uvloop.run(measure(url, count, in_flight, lanes))))
    Console().print(table(rows))


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 20_000)
