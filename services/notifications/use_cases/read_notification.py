"""Mark an entry of the caller's own inbox as read."""

from __future__ import annotations

from services.notifications.domain.notification import Notification
from services.notifications.repositories import NotificationsUnitOfWork
from shared.errors import NotFound


async def read_notification(uow: NotificationsUnitOfWork, id: str, *, key: str) -> Notification:
    """The entry, read; a second time changes nothing.

    Raises `NotFound` when it does not lie in the inbox of `key`.
    """
    notification = await uow.notifications.find(id)
    if notification is None or notification.recipient_key != key:
        raise NotFound(f"There is no notification {id} in your inbox.")
    notification.read(uow.now)
    return notification
