"""Staff have mails sent to an address again: it was put in order."""

from __future__ import annotations

from services.notifications.domain.suppression import Suppression
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.read_suppression import read_suppression
from shared.security import Caller, CallerRole


async def restore_address(uow: NotificationsUnitOfWork, id: str, *, by: Caller) -> Suppression:
    """The address, with who did it and when. Raises `NotFound`, `Forbidden` and `NotSuppressed`."""
    suppression = await read_suppression(uow, id, by=by)
    if by.role is not CallerRole.SUPPORT_OFFICE:
        by.require_staff_of(suppression.partnership)
    suppression.restore(by.subject, "It was put in order.", uow.now)
    return suppression
