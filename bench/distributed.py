"""Everything separate: a process a service, Kafka, PostgreSQL, and the load generator, all on the same cores.

python -m bench.distributed < plan.json > outcome.json
"""

import asyncio
import contextlib
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import msgspec
import psycopg

from bench import load
from bench.child import ask, folder
from bench.look import OnServer
from bench.server import Buyers, cpu_s
from tools.distributed import Distributed, Options

WARM = 2_000  # the broker compiles what it does often
_WAL = "select wal_bytes from pg_stat_wal"
_SYNCS = "select wal_sync from pg_stat_wal"
_SYNCS_SINCE_18 = "select sum(fsyncs) from pg_stat_io where object = 'wal'"
_EIGHTEEN = 18_00_00
_COMMITS = "select sum(xact_commit) from pg_stat_database"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """`orders` in a closed loop, then `slow` of them at `rate` a second; `copies` of the process orders besides one."""

    orders: int
    slow: int = 0
    rate: float = 100.0
    copies: int = 0
    partitions: int = 4
    cdc: bool = False


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """`cpu_us` an order by component; `wal_bytes`, `commits`, `syncs` an order. Latency until the order is approved."""

    per_s: float
    p50_ms: float
    p99_ms: float
    cpu_us: dict[str, float]
    wal_bytes: float
    commits: float
    syncs: float


class Counters(NamedTuple):
    cpu_s: dict[str, float]
    wal_bytes: int
    commits: int
    syncs: int


class Place:
    """What `Buyers` needs of a shop."""

    def __init__(self, running: Distributed) -> None:
        addresses, token = running.addresses, running.operator_token
        self.api = httpx.Client(base_url=addresses["api"], timeout=60)
        self.ops = httpx.Client(base_url=addresses["ops"], timeout=60, headers={"Authorization": f"Bearer {token}"})
        self.look = OnServer(running.postgres.dsn("orders"))

    @property
    def address(self) -> tuple[str, int]:
        url = urlsplit(str(self.api.base_url))
        return str(url.hostname), int(url.port or 80)

    def close(self) -> None:
        self.api.close()
        self.ops.close()


@contextlib.contextmanager
def opened(plan: Plan) -> Iterator[tuple[Distributed, Place]]:
    copies = (("orders", plan.copies),) if plan.copies else ()
    options = Options(partitions=plan.partitions, copies=copies, cdc=plan.cdc)
    with folder() as home, asyncio.Runner() as runner:
        running = Distributed(home, options)
        try:
            runner.run(running.start())
            place = Place(running)
            yield running, place
            place.close()
        finally:
            runner.run(running.stop())


def counters(running: Distributed) -> Counters:
    pids = {name: service.process.pid for name, service in running.services.items()}
    pids |= {"kafka": running.kafka.process.pid, "connect": running.connect.process.pid}
    used = {name: cpu_s(pid) for name, pid in pids.items() if pid}
    backends = [cpu_s(pid) for pid in _children(running.postgres.process.pid)]
    used["postgresql"] = sum(each for each in backends if not math.isnan(each))  # a worker may have ended meanwhile
    with psycopg.connect(running.postgres.dsn("postgres")) as connection:
        [(wal_bytes,)] = connection.execute(_WAL).fetchall()
        [(syncs,)] = connection.execute(
            _SYNCS_SINCE_18 if connection.info.server_version >= _EIGHTEEN else _SYNCS
        ).fetchall()
        [(commits,)] = connection.execute(_COMMITS).fetchall()
    return Counters(used, int(wal_bytes), int(commits), int(syncs))


def _children(pid: int | None) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(each) for each in listed.read_text().split()] if listed.exists() else []


def place(place: Place, buyers: Buyers, count: int, rate: float = 0.0, wait_s: int = 0) -> load.Outcome:
    host, port = place.address
    requests = buyers.requests(wait_s=wait_s)
    plan = load.Plan(host=host, port=port, requests=requests, count=count, rate=rate, connections=64)
    return ask("bench.load", plan, load.Outcome)


def until_idle(look: OnServer, limit_s: float = 300.0) -> float:
    end = time.time() + limit_s
    while look.fetch("select 1 from sagas where wake_at is not null limit 1"):
        if time.time() > end:
            raise TimeoutError(f"sagas are still in flight after {limit_s} s")
        time.sleep(0.01)
    return time.time()


def measure(plan: Plan) -> Outcome:
    with opened(plan) as (running, shop):
        buyers = Buyers(shop, 20)
        place(shop, buyers, WARM)
        until_idle(shop.look)
        before = counters(running)
        outcome = place(shop, buyers, plan.orders)
        took_s = until_idle(shop.look) - outcome.began
        after = counters(running)
        slow = place(shop, buyers, plan.slow, plan.rate, wait_s=5) if plan.slow else None
    each = 1e6 / plan.orders
    return Outcome(
        per_s=plan.orders / took_s,
        p50_ms=slow.p50_ms if slow else 0.0,
        p99_ms=slow.p99_ms if slow else 0.0,
        cpu_us={name: (used - before.cpu_s.get(name, 0.0)) * each for name, used in after.cpu_s.items()},
        wal_bytes=(after.wal_bytes - before.wal_bytes) / plan.orders,
        commits=(after.commits - before.commits) / plan.orders,
        syncs=(after.syncs - before.syncs) / plan.orders,
    )


if __name__ == "__main__":
    given = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(measure(given)))
