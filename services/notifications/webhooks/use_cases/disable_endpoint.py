"""Nothing more is to be sent to an endpoint, for now."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_switch
from services.notifications.webhooks.endpoint import Endpoint
from shared.security import Caller


async def disable_endpoint(uow: NotificationsUnitOfWork, id: str, *, why: str, by: Caller) -> Endpoint:
    """The endpoint, disabled; what happens meanwhile waits.

    Raises `NotFound`, `Forbidden` and `AlreadySo`.
    """
    endpoint = await endpoint_to_switch(uow, id, by)
    endpoint.disable(by=by.subject, why=why, at=uow.now)
    return endpoint
