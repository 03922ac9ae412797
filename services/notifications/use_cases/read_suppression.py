"""Somebody looks at an address that mails do not reach."""

from __future__ import annotations

from services.notifications.domain.suppression import Suppression
from services.notifications.repositories import NotificationsUnitOfWork
from shared.errors import NotFound
from shared.security import Caller


async def read_suppression(uow: NotificationsUnitOfWork, id: str, *, by: Caller) -> Suppression:
    """What is known of it, for staff whose case it is, the support office and auditors; raises `NotFound`."""
    suppression = await uow.suppressions.find(id)
    if suppression is None or not (by.sees_everything or by.is_staff_of(suppression.partnership)):
        raise NotFound(f"There is no address {id} on file that something came back from.")
    return suppression
