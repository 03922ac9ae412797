"""Put an entry of the caller's own inbox into its archive, or take it out."""

from __future__ import annotations

from services.notifications.domain.notification import Notification
from services.notifications.repositories import NotificationsUnitOfWork


async def archive_notification(uow: NotificationsUnitOfWork, id: str, *, key: str) -> Notification:
    """The entry, archived, and read with that.

    Raises `NotFound` when it does not lie in the inbox of `key`.
    """
    notification = await uow.notifications.entry(id, key)
    notification.archive(uow.now)
    return notification


async def unarchive_notification(uow: NotificationsUnitOfWork, id: str, *, key: str) -> Notification:
    """The entry, back among the others; raises as above."""
    notification = await uow.notifications.entry(id, key)
    notification.unarchive()
    return notification
