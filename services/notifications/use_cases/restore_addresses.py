"""Mails go again to all addresses that were suppressed since a moment: it was not they that were wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from services.notifications.repositories import NotificationsUnitOfWork
from shared.security import Caller

AT_ONCE: Final = 200


async def restore_addresses(uow: NotificationsUnitOfWork, since: datetime, *, by: Caller, reason: str) -> int:
    """How many were restored: `AT_ONCE` where there may be more."""
    found = await uow.suppressions.suppressed_since(since, limit=AT_ONCE)
    for suppression in found:
        suppression.restore(by.subject, reason, uow.now)
    return len(found)
