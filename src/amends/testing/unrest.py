"""What has not come to its end yet in a simulated world."""

from amends.testing.worlds import World

_LEFT_TO_MEND = {
    "sagas that are stuck": "select count(*) from sagas where status = 'stuck'",
    "messages given up": "select count(*) from parked",
}
_LEFT = {
    "sagas in flight": "select count(*) from sagas where wake_at is not null",
    "messages in the outbox": "select count(*) from outbox",
    "messages set aside": """
        select count(*) from parked as own
        where retry_at is not null or attempts = 0 and not exists (
            select 1 from parked as first
            where first.message_key = own.message_key and first.retry_at is null and first.attempts > 0
        )
    """,
}


def unrest(world: World, *, mended: bool) -> str:
    """A line for people, empty when all is at rest. `mended`: there is a person, for whom nothing may be left."""
    left = [f"{world.network.left} messages on their way"] if world.network.left else []
    for name, database in world.databases.items():
        for what, sql in (_LEFT | _LEFT_TO_MEND if mended else _LEFT).items():
            count = database.connection.execute(sql).fetchall()[0][0]
            if count:
                left.append(f"{name}: {count} {what}")
    return ", ".join(left)
