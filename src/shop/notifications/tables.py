"""The notifications that would be sent."""

from collections.abc import Sequence

from amends import Migration, Tx
from amends.connections import Reader
from shop.notifications.domain import Notification

MIGRATIONS = (
    Migration(
        1,
        "notifications",
        (
            """
            create table notifications (
                id text primary key,
                user_id text not null,
                email text not null,
                message text not null,
                at double precision not null
            )
            """,
            "create index notifications_by_user on notifications (user_id, at, id)",
        ),
    ),
    Migration(
        2,
        "contacts",
        (
            """
            create table contacts (
                user_id text primary key,
                email text not null
            )
            """,
        ),
    ),
)

insert_notification = """
insert into notifications (id, user_id, email, message, at)
values (:id, :user_id, :email, :message, :at)
on conflict (id) do nothing
"""
select_notifications_of = """
select id, user_id, email, message, at from notifications
where user_id = :user_id
order by at, id
"""

put_contact = """
insert into contacts (user_id, email) values (:user_id, :email)
on conflict (user_id) do update set email = excluded.email
"""
select_contact = "select email from contacts where user_id = :user_id and email <> ''"


async def note_contact(tx: Tx, user_id: str, email: str) -> None:
    """The last address that was given counts."""
    await tx.run(put_contact, (user_id, email))


async def contact_of(reader: Reader, user_id: str) -> str | None:
    rows = await reader.fetch(select_contact, (user_id,))
    return rows[0][0] if rows else None


async def insert_notifications(tx: Tx, notifications: Sequence[Notification]) -> int:
    """Keeps each once; returns how many were new."""
    return await tx.run_many(insert_notification, notifications)


async def of_user(reader: Reader, user_id: str) -> list[Notification]:
    """A user's notifications, the oldest first."""
    return [Notification(*row) for row in await reader.fetch(select_notifications_of, (user_id,))]
