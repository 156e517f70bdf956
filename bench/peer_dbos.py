"""DBOS does the order: the same steps, each a transaction with the same effects on its own tables, on SQLite.

A durable-execution library records each step of a workflow, so that a crash resumes where it stopped. Its SQLite is the
one that Python carries. What is set in its favour, from its own documentation and source: the datasource's tables and
DBOS's in files of their own, write-ahead logging in both (its default journal takes several times as long),
`synchronous=FULL` as SQLite has it by default and as we have it, logs at errors only, a workflow a thread, and as many
threads as gave the highest throughput.

`exactly_once` chooses between its two ways to write: a datasource transaction records the step with the effect (what
our barrier gives); a plain step that commits for itself is faster, and may have its effect twice after a crash.

    python -m bench.peer_dbos < plan.json > outcome.json
"""

import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, SQLAlchemyDatasource
from sqlalchemy import event

from bench.child import folder
from bench.figures import percentile

TABLES = (
    "create table orders (id text primary key, user_id text not null, total integer not null, status text not null)",
    "create table stock (sku text primary key, available integer not null check (available >= 0))",
    "create table reservations (order_id text primary key, sku text not null, quantity integer not null)",
    "create table slots (slot text primary key, free integer not null check (free >= 0))",
    "create table bookings (order_id text primary key, slot text not null)",
    "create table wallets (id text primary key, balance integer not null check (balance >= 0), held integer not null)",
    "create table holds (id text primary key, wallet text not null, amount integer not null, state text not null)",
    "create table postings (hold text not null, account text not null, amount integer not null)",
    "create table notifications (id text primary key, message text not null)",
    "insert into stock values ('apple', 1000000000)",
    "insert into slots values ('2034-05-26T16:00:00Z', 1000000000)",
    "insert into wallets values ('wallet', 1000000000, 0)",
)
STEPS: dict[str, tuple[str, ...]] = {
    "create order": ("insert into orders values (:order, 'user', 100, 'pending')",),
    "reserve stock": (
        "update stock set available = available - 1 where sku = 'apple' and available >= 1",
        "insert into reservations values (:order, 'apple', 1)",
    ),
    "book courier": (
        "update slots set free = free - 1 where slot = '2034-05-26T16:00:00Z' and free >= 1",
        "insert into bookings values (:order, '2034-05-26T16:00:00Z')",
    ),
    "hold money": (
        "update wallets set balance = balance - 100, held = held + 100 where id = 'wallet' and balance >= 100",
        "insert into holds values (:order, 'wallet', 100, 'held')",
    ),
    "capture money": (
        "update holds set state = 'captured' where id = :order and state = 'held'",
        "update wallets set held = held - 100 where id = 'wallet'",
        "insert into postings values (:order, 'wallet', -100), (:order, 'shop', 100)",
    ),
    "approve order": ("update orders set status = 'approved' where id = :order and status = 'pending'",),
    "notify": ("insert into notifications values (:order, 'Your order is on its way.')",),
}


class Plan(msgspec.Struct, frozen=True):
    orders: int
    """`dsn` is a PostgreSQL database; empty: SQLite files."""

    threads: int = 4
    exactly_once: bool = True
    wal: bool = True
    dsn: str = ""


class Outcome(msgspec.Struct, frozen=True):
    """`synchronous` is what its connections say that they use: 2 is FULL, as is `on` of PostgreSQL."""

    per_s: float
    p50_ms: float
    p99_ms: float
    synchronous: int
    journal: str
    sqlite: str


def measure(plan: Plan) -> Outcome:
    with folder() as home:
        files = _addresses(plan, home)
        engines = [_engine(file, plan) for file in files]
        with engines[1].begin() as connection:
            for statement in TABLES:
                connection.execute(sa.text(statement))
        DBOS(config=_config(files[0], engines[0]))
        source = SQLAlchemyDatasource.create(files[1], engine=engines[1])
        place_order = DBOS.workflow(name="place order")(_workflow(plan, source, engines[1]))
        DBOS.launch()
        try:
            return _run(plan, place_order, engines[1])
        finally:
            DBOS.destroy()


def _addresses(plan: Plan, home: Path) -> list[str]:
    """Of DBOS's own tables and of the shop's: files of their own, or one database, as its documentation has it."""
    if plan.dsn:
        return [plan.dsn.replace("postgresql://", "postgresql+psycopg://")] * 2
    return [f"sqlite:///{home / name}.db" for name in ("system", "shop")]


def _config(url: str, engine: sa.Engine) -> DBOSConfig:
    return {
        "name": "bench",
        "system_database_url": url,
        "system_database_engine": engine,
        "log_level": "ERROR",
        "enable_otlp": False,
    }


def _engine(url: str, plan: Plan) -> sa.Engine:
    """Set as DBOS sets its own engines, and with write-ahead logging."""
    engine = sa.create_engine(url, pool_size=plan.threads + 4)
    if plan.dsn:
        return engine

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        if plan.wal:
            connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("pragma busy_timeout = 30000")
        connection.execute("pragma foreign_keys = on")
        connection.isolation_level = "IMMEDIATE"

    return engine


def _workflow(plan: Plan, source: SQLAlchemyDatasource, engine: sa.Engine) -> Callable[[str], None]:
    steps = [
        _transaction(name, statements, source) if plan.exactly_once else _step(name, statements, engine)
        for name, statements in STEPS.items()
    ]

    def place_order(order: str) -> None:
        for step in steps:
            step(order)

    return place_order


def _transaction(name: str, statements: Sequence[str], source: SQLAlchemyDatasource) -> Callable[[str], None]:
    texts = [sa.text(statement) for statement in statements]

    def run(order: str) -> None:
        session = source.sql_session()
        for text in texts:
            session.execute(text, {"order": order})

    made: Callable[[str], None] = source.transaction(name=name)(run)
    return made


def _step(name: str, statements: Sequence[str], engine: sa.Engine) -> Callable[[str], None]:
    texts = [sa.text(statement) for statement in statements]

    def run(order: str) -> None:
        with engine.begin() as connection:
            for text in texts:
                connection.execute(text, {"order": order})

    return DBOS.step(name=name)(run)


def _run(plan: Plan, place_order: Callable[[str], None], engine: sa.Engine) -> Outcome:
    latencies: list[float] = []
    lock = threading.Lock()

    def place(_: int) -> None:
        began = time.perf_counter()
        place_order(str(uuid4()))
        with lock:
            latencies.append(time.perf_counter() - began)

    with ThreadPoolExecutor(plan.threads) as threads:
        list(threads.map(place, range(plan.threads)))
        latencies.clear()
        began = time.perf_counter()
        list(threads.map(place, range(plan.orders)))
        took_s = time.perf_counter() - began
    return _outcome(plan, sorted(latencies), took_s, engine)


def _outcome(plan: Plan, latencies: list[float], took_s: float, engine: sa.Engine) -> Outcome:
    with engine.connect() as connection:
        approved = connection.execute(sa.text("select count(*) from orders where status = 'approved'")).scalar_one()
        assert approved == plan.orders + plan.threads, f"{approved} orders are approved, {plan.orders} were placed"
        if plan.dsn:
            synchronous, journal = 2 * (connection.execute(sa.text("show synchronous_commit")).scalar_one() == "on"), ""
        else:
            synchronous = connection.execute(sa.text("pragma synchronous")).scalar_one()
            journal = connection.execute(sa.text("pragma journal_mode")).scalar_one()
    p50_ms, p99_ms = (percentile(latencies, share) * 1000 for share in (0.5, 0.99))
    return Outcome(plan.orders / took_s, p50_ms, p99_ms, synchronous, journal, sqlite3.sqlite_version)


if __name__ == "__main__":
    outcome = measure(msgspec.json.decode(sys.stdin.buffer.read(), type=Plan))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
