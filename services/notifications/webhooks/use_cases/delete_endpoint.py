"""An endpoint is not wanted any more."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_change
from shared.security import Caller


async def delete_endpoint(uow: NotificationsUnitOfWork, id: str, *, by: Caller) -> None:
    """Delete it; what waits for it, and what its log says, goes within the hour.

    Raises `NotFound` and `Forbidden`.
    """
    uow.endpoints.remove(await endpoint_to_change(uow, id, by))
