"""What mails bear that only their readers know, as the settings have it: made by workers, read by the API."""

from __future__ import annotations

from services.notifications.domain.marks import Marks
from services.notifications.domain.unsubscription import Unsubscriptions
from services.notifications.settings import NotificationsSettings


def unsubscriptions_of(settings: NotificationsSettings) -> Unsubscriptions | None:
    """None without `CXC_SEAL_KEY`, as there is nothing then to make links with that nobody else can make."""
    if settings.seal_key is None:
        return None
    url = settings.unsubscribe_url or f"{settings.public_url.rstrip('/')}/unsubscribe"
    return Unsubscriptions(settings.seal_key.get_secret_value(), url, settings.unsubscribe_mailbox)


def marks_of(settings: NotificationsSettings) -> Marks | None:
    """None without `CXC_SEAL_KEY`: then a mail's id is enough for a report about it."""
    return Marks(settings.seal_key.get_secret_value()) if settings.seal_key else None
