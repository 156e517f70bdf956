"""The same shop on PostgreSQL: one process and a server, the load generator beside them; DBOS on the same server."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench import peer_dbos, stock
from bench.child import ask, folder
from bench.figures import Scale, Values
from bench.rows import Loaded, latencies_of
from bench.server import Buyers, cpu_s, shop
from tools.servers import Postgres, postgres_versions

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB", "checkpoint_timeout": "15min"}
"""What anybody would set. Durability is as it is shipped: fsync, synchronous_commit and full_page_writes are on."""


@contextlib.contextmanager
def server(home: Path) -> Iterator[Postgres]:
    """The oldest PostgreSQL that is here: Debian's where it is installed."""
    running = Postgres(home / "postgres", postgres_versions()[0], SETTINGS)
    asyncio.run(running.start())
    try:
        yield running
    finally:
        asyncio.run(running.stop())


def server_cpu_s(running: Postgres) -> float:
    """Of every process of the server that is there. One that has just ended counts for nothing."""
    root = running.process.pid
    children = Path(f"/proc/{root}/task/{root}/children")
    family = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    return sum(used for used in map(cpu_s, family) if not math.isnan(used))


@contextlib.contextmanager
def loaded_shop(scale: Scale) -> Iterator[tuple[Loaded, Postgres]]:
    """Warm: the first orders of a process are slower."""
    with folder() as home, server(home) as running, shop(dsn=running.dsn("{database}")) as opened:
        loaded = Loaded(opened, Buyers(opened, scale.of(stock.USERS, least=20)))
        loaded.ended_per_s(scale.of(2_000, least=100))
        yield loaded, running


def http(scale: Scale) -> Values:
    count = scale.of(30_000, least=300)
    with loaded_shop(scale) as (loaded, running):
        shop_s, server_s = loaded.shop.cpu_s(), server_cpu_s(running)
        rate = loaded.ended_per_s(count)
        used = (loaded.shop.cpu_s() - shop_s, server_cpu_s(running) - server_s)
    return {"rate": rate, "cpu": used[0] / count * 1e6, "server": used[1] / count * 1e6}


def open_loop(rate: int, seconds: int) -> Callable[[Scale], Values]:
    def measure(scale: Scale) -> Values:
        with loaded_shop(scale) as (loaded, _):
            return latencies_of(loaded, scale, rate, seconds)

    return measure


def beside_dbos(scale: Scale) -> Values:
    """DBOS's two ways and our own, one after the other, each on a fresh server."""
    peers: dict[bool, peer_dbos.Outcome] = {}
    for exactly_once in (True, False):
        with folder() as home, server(home) as running:
            asyncio.run(running.create_database("bench"))
            plan: Any = peer_dbos.Plan(scale.of(600, least=10), exactly_once=exactly_once, dsn=running.dsn("bench"))
            peers[exactly_once] = ask("bench.peer_dbos", plan, peer_dbos.Outcome)
    ours = http(scale)["rate"]
    fastest = max(each.per_s for each in peers.values())
    return {
        "transactions": peers[True].per_s,
        "steps": peers[False].per_s,
        "p50": peers[False].p50_ms,
        "p99": peers[False].p99_ms,
        "ratio": ours / fastest,
        "ratio alike": ours / peers[True].per_s,
    }
