"""Is notifications consistent? Each is kept once and says something."""

from amends.audit import Finding, Readers

_SHOWN = 10

find_empty = "select id from notifications where message = '' order by id"
count_notifications = "select count(*), count(distinct user_id) from notifications"


async def audit(readers: Readers) -> list[Finding]:
    """What has to hold inside notifications."""
    reader = readers["notifications"]
    empty = await reader.fetch(find_empty)
    kept, users = (await reader.fetch(count_notifications))[0]
    figures = {"kept": kept, "users": users, "wrong": len(empty)}
    shown = ", ".join(row[0] for row in empty[:_SHOWN])
    return [Finding("notifications: each says something", not empty, figures, shown)]
