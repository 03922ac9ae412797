"""The owner of an endpoint changes where events go, or which."""

from __future__ import annotations

from collections.abc import Sequence

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_change
from services.notifications.webhooks.endpoint import Endpoint
from shared.security import Caller


async def change_endpoint(
    uow: NotificationsUnitOfWork,
    id: str,
    *,
    url: str | None = None,
    events: Sequence[str] | None = None,
    description: str | None = None,
    contact: str | None = None,
    by: Caller,
) -> Endpoint:
    """The endpoint with what is given changed; what waits goes to the new URL at once.

    Raises `NotFound` and `Forbidden`.
    """
    endpoint = await endpoint_to_change(uow, id, by)
    endpoint.describe(url=url, events=events, description=description, contact=contact)
    return endpoint
