"""Mark an entry of the caller's own inbox as read, or as unread."""

from __future__ import annotations

from services.notifications.domain.notification import Notification
from services.notifications.repositories import NotificationsUnitOfWork


async def read_notification(uow: NotificationsUnitOfWork, id: str, *, key: str) -> Notification:
    """The entry, read; a second time changes nothing.

    Raises `NotFound` when it does not lie in the inbox of `key`.
    """
    notification = await uow.notifications.entry(id, key)
    notification.read(uow.now)
    return notification


async def unread_notification(uow: NotificationsUnitOfWork, id: str, *, key: str) -> Notification:
    """The entry, unread and out of the archive; raises as above."""
    notification = await uow.notifications.entry(id, key)
    notification.unread()
    return notification
