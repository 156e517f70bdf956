"""All rows of the report, in their order."""

from bench import on_postgres, rows
from bench.figures import Figure, Row
from bench.rows import called, latency_figures

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
ROWS = (*rows.ROWS, *POSTGRES)
