"""The rows of the report: what is measured, on what scale, against which target."""

import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bench import filling, inprocess, limits, peer_dbos, stock
from bench.child import ask, running
from bench.figures import Figure, Row, Scale, Values
from bench.load import Outcome, Plan, Request
from bench.server import Buyers, Shop, shop

CONNECTIONS = 256
FINISHED = 1_000_000
_NOTHING = Request(
    b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 97\r\nIdempotency-Key: ", b"\r\n\r\n" + b"x" * 97
)


def _disk_and_sqlite(scale: Scale) -> Values:
    plan = limits.Plan(scale.of(10_000, least=50), scale.of(1_000, least=20))
    outcome = ask("bench.limits", plan, limits.Outcome)
    return {
        "fsync p50": outcome.fsync_p50_ms,
        "fsync p99": outcome.fsync_p99_ms,
        "sqlite": outcome.orders_per_s,
        "rows": outcome.rows,
        "statements": outcome.statements,
    }


def _generator(scale: Scale) -> Values:
    with running([sys.executable, "-m", "bench.trivial", "0"]) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        plan = Plan(host="127.0.0.1", port=port, requests=[_NOTHING], count=scale.of(200_000), connections=CONNECTIONS)
        closed = ask("bench.load", plan, Outcome)
        plan = Plan(host="127.0.0.1", port=port, requests=[_NOTHING], count=scale.of(5_000), rate=1_000)
        paced = ask("bench.load", plan, Outcome)
    return {"rate": closed.per_s, "cpu": closed.cpu_s / closed.answered * 1e6, "p99": paced.p99_ms}


def _placed(**more: Any) -> Callable[[Scale], Values]:
    def measure(scale: Scale) -> Values:
        outcome = ask("bench.inprocess", inprocess.Plan(orders=scale.of(30_000, least=100), **more), inprocess.Outcome)
        return {"rate": outcome.per_s, "cpu": outcome.cpu_us}

    return measure


def _dbos(scale: Scale) -> Values:
    safe = ask("bench.peer_dbos", peer_dbos.Plan(scale.of(600, least=10)), peer_dbos.Outcome)
    fast = ask("bench.peer_dbos", peer_dbos.Plan(scale.of(600, least=10), exactly_once=False), peer_dbos.Outcome)
    ours = _placed()(scale)["rate"]
    return {
        "transactions": safe.per_s,
        "steps": fast.per_s,
        "p50": fast.p50_ms,
        "p99": fast.p99_ms,
        "ratio": ours / max(safe.per_s, fast.per_s),
        "ratio alike": ours / safe.per_s,
    }


def _long_past(scale: Scale) -> Values:
    past = asyncio.run(filling.filled(scale.of(FINISHED, least=1_000)))
    empty = _placed()(scale)["rate"]
    full = _placed(data=str(past))(scale)["rate"]
    return {"empty": empty, "full": full, "share": full / empty * 100}


class Loaded(NamedTuple):
    """A running shop with its buyers."""

    shop: Shop
    buyers: Buyers

    def load(self, count: int, *, rate: float = 0.0, **requests: Any) -> Outcome:
        host, port = self.shop.address
        made = self.buyers.requests(**requests)
        plan = Plan(host=host, port=port, requests=made, count=count, rate=rate, connections=CONNECTIONS)
        outcome = ask("bench.load", plan, Outcome)
        accepted = {"202", "201", "503"}
        assert set(outcome.statuses) <= accepted, f"the shop answered {outcome.statuses}"
        assert not outcome.unanswered, f"{outcome.unanswered} requests were not answered"
        return outcome

    def ended_per_s(self, count: int, **requests: Any) -> float:
        """Orders a second that came to their end, from the first request until the last saga has ended."""
        newest = self.shop.newest_order()
        outcome = self.load(count, **requests)
        ended = self.shop.wait_idle()
        orders = self.shop.orders_after(newest)
        assert "pending" not in orders, f"no saga is in flight, and yet the orders are {orders}"
        assert sum(orders.values()) == count, f"{count} were placed, the orders are {orders}"
        return count / (ended - outcome.began)


@contextlib.contextmanager
def loaded_shop(scale: Scale) -> Iterator[Loaded]:
    """Warm: the first orders of a process are slower."""
    with shop() as opened:
        loaded = Loaded(opened, Buyers(opened, scale.of(stock.USERS, least=20)))
        loaded.ended_per_s(scale.of(2_000, least=100))
        yield loaded


def _http(**requests: Any) -> Callable[[Scale], Values]:
    def measure(scale: Scale) -> Values:
        count = scale.of(30_000, least=300)
        with loaded_shop(scale) as loaded:
            used_s = loaded.shop.cpu_s()
            rate = loaded.ended_per_s(count, **requests)
            return {"rate": rate, "cpu": (loaded.shop.cpu_s() - used_s) / count * 1e6}

    return measure


def _open_loop(rate: int, seconds: int) -> Callable[[Scale], Values]:
    def measure(scale: Scale) -> Values:
        with loaded_shop(scale) as loaded:
            return latencies_of(loaded, scale, rate, seconds)

    return measure


def latencies_of(loaded: Loaded, scale: Scale, rate: int, seconds: int) -> Values:
    """At so many orders a second: until the POST is answered, then until the order is approved."""
    count = scale.of(rate * seconds, least=50)
    used_s = loaded.shop.cpu_s()
    posted = loaded.load(count, rate=rate)
    loaded.shop.wait_idle()
    used_s = loaded.shop.cpu_s() - used_s
    final = loaded.load(count, rate=rate, wait_s=5)
    return {
        "post p50": posted.p50_ms,
        "post p99": posted.p99_ms,
        "final p50": final.p50_ms,
        "final p99": final.p99_ms,
        "final": final.statuses.get("201", 0) / count * 100,
        "cpu": used_s / count * 1e6,
        "lag": max(posted.lag_p99_ms, final.lag_p99_ms),
    }


def _memory(scale: Scale) -> Values:
    chunk = scale.of(20_000, least=200)
    with loaded_shop(scale) as loaded:
        sizes = []
        for _ in range(10):
            loaded.ended_per_s(chunk)
            sizes.append(loaded.shop.rss_mb())
    return {"second": sizes[1], "last": sizes[-1], "most": max(sizes), "growth": sizes[-1] - sizes[1]}


def _start(scale: Scale) -> Values:
    past = asyncio.run(filling.filled(scale.of(FINISHED, least=1_000)))
    with shop() as empty:
        values = {"empty": empty.ready_s, "rss": empty.rss_mb()}
    with shop(past) as full:
        return {**values, "full": full.ready_s}


def latency_figures(rate: int, post: str, final: str) -> tuple[Figure, ...]:
    return (
        Figure("post p50", f"POST at {rate:,}/s, p50", "ms"),
        Figure("post p99", f"POST at {rate:,}/s, p99", "ms", post),
        Figure("final p50", f"order approved at {rate:,}/s, p50", "ms"),
        Figure("final p99", f"order approved at {rate:,}/s, p99", "ms", final),
        Figure("final", f"… with its final answer within 5 s, at {rate:,}/s", "%"),
        Figure("cpu", "… the shop's processor time an order", "µs"),
        Figure("lag", "… how late the load generator was, p99", "ms"),
    )


def called(what: str, target: str = "") -> tuple[Figure, ...]:
    return (Figure("rate", what, "orders/s", target), Figure("cpu", "… the shop's processor time an order", "µs"))


ROWS = (
    Row(
        "limits",
        (
            Figure("fsync p50", "the disk: fsync of a page, p50", "ms"),
            Figure("fsync p99", "the disk: fsync of a page, p99", "ms"),
            Figure("sqlite", "SQLite alone: the shop's statements again", "orders/s"),
            Figure("rows", "… rows written an order", ""),
            Figure("statements", "… statements run an order", ""),
        ),
        _disk_and_sqlite,
    ),
    Row(
        "generator",
        (
            Figure("rate", "load generator against a server that does nothing", "requests/s"),
            Figure("cpu", "… processor time a request", "µs"),
            Figure("p99", "… at 1,000/s, p99", "ms"),
        ),
        _generator,
    ),
    Row(
        "inprocess",
        called("whole order, called in process", "≥ 6,000"),
        _placed(),
    ),
    Row("refused-10", called("10 % refused, in process"), _placed(refused=0.1)),
    Row("refused-50", called("50 % refused, in process"), _placed(refused=0.5)),
    Row("hot-item", called("one hot item, in process"), _placed(items=1)),
    Row(
        "past",
        (
            Figure("empty", "in process, empty shop", "orders/s"),
            Figure("full", "in process, 1 M finished sagas in the files", "orders/s"),
            Figure("share", "… of the empty shop's throughput", "%", "≥ 80"),
        ),
        _long_past,
    ),
    Row(
        "dbos",
        (
            Figure("transactions", "DBOS, the same steps as transactions", "orders/s"),
            Figure("steps", "DBOS, the same steps, effects at least once", "orders/s"),
            Figure("p50", "… p50", "ms"),
            Figure("p99", "… p99", "ms"),
            Figure("ratio", "in process against the faster one", "times", "≥ 50"),
            Figure("ratio alike", "in process against the one with the same guarantee", "times"),
        ),
        _dbos,
    ),
    Row("http", called("through HTTP, 202 after the commit, completed", "≥ 4,000"), _http()),
    Row("http-refused-10", called("10 % refused, through HTTP"), _http(refused=0.1)),
    Row("http-refused-50", called("50 % refused, through HTTP"), _http(refused=0.5)),
    Row("http-hot-item", called("one hot item, through HTTP"), _http(items=1)),
    Row("open-1000", latency_figures(1_000, "≤ 15", "≤ 30"), _open_loop(1_000, 15)),
    Row("open-50", latency_figures(50, "≤ 10", "≤ 10"), _open_loop(50, 20)),
    Row(
        "memory",
        (
            Figure("second", "resident after 40,000 orders", "MB"),
            Figure("last", "resident after 200,000 orders", "MB"),
            Figure("most", "most resident on the way", "MB"),
            Figure("growth", "growth from 40,000 to 200,000 orders", "MB", "flat"),
        ),
        _memory,
    ),
    Row(
        "start",
        (
            Figure("empty", "ready after the start, empty shop", "s", "< 2"),
            Figure("rss", "resident when ready", "MB", "< 150"),
            Figure("full", "ready after the start, 1 M finished sagas", "s"),
        ),
        _start,
    ),
)
