"""What others may ask notifications directly: what somebody was told."""

from amends.service import Service
from shop.notifications import tables
from shop.notifications.domain import Notification

__all__ = ["Notification", "NotificationsDesk"]


class NotificationsDesk:
    """Notifications, for the shop's edges."""

    def __init__(self, service: Service) -> None:
        self._storage = service.storage

    async def of_user(self, user_id: str) -> list[Notification]:
        """What a user was told, the oldest first."""
        async with self._storage.reading() as reader:
            return await tables.of_user(reader, user_id)
