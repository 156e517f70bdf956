"""Storage in PostgreSQL: a database a service, by asyncpg (`pip install amends[postgres]`)."""

from amends.adapters.postgres.database import ensure_database
from amends.adapters.postgres.outbox_events import PLACEMENT, EventOutbox, Pruning
from amends.adapters.postgres.pool import PoolOptions
from amends.adapters.postgres.storage import PostgresStorage

__all__ = ["PLACEMENT", "EventOutbox", "PoolOptions", "PostgresStorage", "Pruning", "ensure_database"]
