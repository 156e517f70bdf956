"""Real servers on this machine, without containers: PostgreSQL, Kafka, Kafka Connect with Debezium's connector.

Each runs in a folder of its own, on free loopback ports, as a child process: it is stopped by its process id and,
on Linux, ends with the process that started it. None is bound to an event loop, so that a server may outlive a test.

    postgres = Postgres(folder / "postgres", 16)
    async with running(postgres):
        dsn = await postgres.create_database("orders")
        await postgres.kill()
        await postgres.start()
"""

from tools.servers.connect import Connect, outbox_connector
from tools.servers.fetch import fetch
from tools.servers.java import has_java, missing_for_kafka
from tools.servers.kafka import Kafka
from tools.servers.postgres import Postgres, missing_for_postgres, postgres_versions
from tools.servers.process import ServerFailed, running
from tools.servers.proxy import TcpProxy

__all__ = [
    "Connect",
    "Kafka",
    "Postgres",
    "ServerFailed",
    "TcpProxy",
    "fetch",
    "has_java",
    "missing_for_kafka",
    "missing_for_postgres",
    "outbox_connector",
    "postgres_versions",
    "running",
]
