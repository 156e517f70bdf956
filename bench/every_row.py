"""All rows of the report, in their order."""

from bench import distributed, on_postgres, pgbench, rows, storefronts
from bench.child import ask
from bench.figures import Figure, Row, Scale, Values
from bench.rows import called, latency_figures

SERVICES = ("orders", "billing", "warehouse", "delivery", "notifications", "payments", "users")
OTHERS = ("postgresql", "kafka", "connect")
LIMIT_S = 900.0


def _separate(scale: Scale) -> Values:
    plan = distributed.Plan(orders=scale.of(10_000, least=200), slow=scale.of(2_000, least=50))
    outcome = ask("bench.distributed", plan, distributed.Outcome, LIMIT_S)
    used = {name: outcome.cpu_us.get(name, 0.0) for name in (*SERVICES, *OTHERS)}
    figures = {"wal": outcome.wal_bytes, "commits": outcome.commits, "syncs": outcome.syncs}
    return {"rate": outcome.per_s, "p50": outcome.p50_ms, "p99": outcome.p99_ms, **figures, **used}


def _limit(scale: Scale) -> Values:
    allowed = ask("bench.pgbench", pgbench.Plan(scale.of(300, least=10)), pgbench.Outcome, LIMIT_S)
    ours = on_postgres.http(scale)["rate"]
    return {"pgbench": allowed.orders_per_s, "ours": ours, "share": ours / allowed.orders_per_s * 100}


def _scaled(scale: Scale) -> Values:
    values: dict[str, float] = {}
    for processes in (1, 2, 4):
        plan = distributed.Plan(orders=scale.of(5_000, least=200), copies=processes - 1, partitions=processes)
        outcome = ask("bench.distributed", plan, distributed.Outcome, LIMIT_S)
        orders = sum(used for name, used in outcome.cpu_us.items() if name.startswith("orders"))
        values |= {f"rate {processes}": outcome.per_s, f"cpu {processes}": orders}
    return values


POSTGRES = (
    Row(
        "postgres-http",
        (
            *called("PostgreSQL, through HTTP, 202 after the commit, completed", "≥ 5,000"),
            Figure("server", "… the server's processor time an order", "µs"),
        ),
        on_postgres.http,
    ),
    Row("postgres-open-1000", latency_figures(1_000, "≤ 20", "≤ 50"), on_postgres.open_loop(1_000, 15)),
    Row(
        "postgres-dbos",
        (
            Figure("transactions", "DBOS on PostgreSQL, the same steps as transactions", "orders/s"),
            Figure("steps", "DBOS on PostgreSQL, effects at least once", "orders/s"),
            Figure("p50", "… p50", "ms"),
            Figure("p99", "… p99", "ms"),
            Figure("ratio", "through HTTP against the faster one", "times", "≥ 40"),
            Figure("ratio alike", "through HTTP against the one with the same guarantee", "times"),
        ),
        on_postgres.beside_dbos,
    ),
)
LIMIT = Row(
    "postgres-limit",
    (
        Figure("pgbench", "pgbench with the shop's statements, 100 orders a transaction", "orders/s"),
        Figure("ours", "the shop, through HTTP, completed", "orders/s"),
        Figure("share", "… of what pgbench reaches", "%", "≥ 50"),
    ),
    _limit,
)
DISTRIBUTED = (
    Row(
        "distributed",
        (
            Figure("rate", "a process a service, Kafka, PostgreSQL: completed", "orders/s", "≥ 1,000"),
            Figure("p50", "… order approved at 100/s, p50", "ms"),
            Figure("p99", "… order approved at 100/s, p99", "ms", "≤ 300"),
            *(Figure(name, f"… processor time an order, {name}", "µs") for name in (*SERVICES, *OTHERS)),
            Figure("wal", "… log of PostgreSQL an order", "bytes"),
            Figure("commits", "… commits an order", ""),
            Figure("syncs", "… syncs of PostgreSQL's log an order", ""),
        ),
        _separate,
    ),
    Row(
        "scale-out",
        tuple(
            figure
            for count in (1, 2, 4)
            for figure in (
                Figure(f"rate {count}", f"{count} processes of orders, as many partitions", "orders/s"),
                Figure(f"cpu {count}", "… their processor time an order", "µs"),
            )
        ),
        _scaled,
    ),
)
ROWS = (*rows.ROWS, *storefronts.ROWS, *POSTGRES, LIMIT, *DISTRIBUTED)
