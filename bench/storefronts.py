"""Each storefront as its clients use it: how long an answer takes when it is quiet and when it is busy, and how many
orders a second come to their end."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from bench.child import ask
from bench.dialects import DIALECTS, Dialect
from bench.figures import Figure, Row, Scale, Values
from bench.load import Outcome, Plan, Request
from bench.server import Shop, shop

QUIET, BUSY = 1, 200
CONNECTIONS = 256


def measured(dialect: Dialect, scale: Scale) -> Values:
    counts = scale.of(30, least=2), scale.of(BUSY * 15, least=100), scale.of(20_000, least=200)
    warm = scale.of(1_000, least=100)
    with shop() as opened:
        orders = iter(dialect.prepare(opened.addresses[dialect.name], warm + sum(counts)))
        _load(opened, dialect, [next(orders) for _ in range(warm)])
        quiet = _load(opened, dialect, [next(orders) for _ in range(counts[0])], QUIET)
        busy = _load(opened, dialect, [next(orders) for _ in range(counts[1])], BUSY)
        used_s, newest = opened.cpu_s(), opened.newest_order()
        closed = _load(opened, dialect, list(orders))
        took_s = opened.wait_idle() - closed.began
        used_s = opened.cpu_s() - used_s
        ended = opened.orders_after(newest)
    assert "pending" not in ended, f"no saga is in flight, and yet the orders are {ended}"
    assert sum(ended.values()) == counts[2], f"{counts[2]} were placed, the orders are {ended}"
    return {
        "quiet p50": quiet.p50_ms,
        "quiet p99": quiet.p99_ms,
        "busy p50": busy.p50_ms,
        "busy p99": busy.p99_ms,
        "rate": counts[2] / took_s,
        "cpu": used_s / counts[2] * 1e6,
    }


def _load(opened: Shop, dialect: Dialect, requests: Sequence[Request], rate: float = 0.0) -> Outcome:
    """All of them are answered, and well."""
    url = urlsplit(opened.addresses[dialect.name])
    plan = Plan(
        host=str(url.hostname),
        port=int(url.port or 80),
        requests=list(requests),
        count=len(requests),
        rate=rate,
        connections=min(CONNECTIONS, len(requests)),
    )
    outcome = ask("bench.load", plan, Outcome)
    assert set(outcome.statuses) <= {"200", "201", "202", "503"}, f"{dialect.name} answered {outcome.statuses}"
    assert not outcome.unanswered, f"{outcome.unanswered} requests were not answered"
    opened.wait_idle()
    return outcome


def _row(dialect: Dialect) -> Row:
    until = "until the order's end" if dialect.synchronous else "until the order is taken"
    p50, p99 = ("≤ 10", "≤ 40") if dialect.synchronous else ("", "")
    return Row(
        dialect.name,
        (
            Figure("quiet p50", f"{dialect.name}: {until}, at {QUIET}/s, p50", "ms", p50),
            Figure("quiet p99", f"… at {QUIET}/s, p99", "ms", p99),
            Figure("busy p50", f"… at {BUSY}/s, p50", "ms", p50),
            Figure("busy p99", f"… at {BUSY}/s, p99", "ms", p99),
            Figure("rate", "… completed, closed loop", "orders/s", "≥ 2,000"),
            Figure("cpu", "… the shop's processor time an order", "µs"),
        ),
        lambda scale: measured(dialect, scale),
    )


ROWS = tuple(_row(dialect) for dialect in DIALECTS)
