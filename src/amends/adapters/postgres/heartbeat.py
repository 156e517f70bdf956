"""The page `outbox_heartbeat`: one row, which a change data capture writes every few seconds.

Other databases of the same server fill the log, too. A capture whose own outbox is quiet has nothing in it to confirm;
a beat is something, so that its replication slot moves and the server may drop what it kept.
"""

from amends.connections import Reader

TABLE = "outbox_heartbeat"
CREATE = (
    f"""
    create table {TABLE} (
        id smallint primary key check (id = 1),
        beaten_at double precision not null
    )
    """,
    f"insert into {TABLE} (id, beaten_at) values (1, 0)",
)
BEAT = f"update {TABLE} set beaten_at = extract(epoch from clock_timestamp())"
"""What the capture runs."""
age_of_beat = f"select extract(epoch from clock_timestamp()) - beaten_at from {TABLE} where beaten_at > 0"


async def age_s(reader: Reader) -> float | None:
    """How long ago it was written, by the database's clock; None: never yet."""
    for (age,) in await reader.fetch(age_of_beat):
        return max(0.0, float(age))
    return None
