"""The secret of an endpoint is replaced by a new one."""

from __future__ import annotations

from datetime import timedelta

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_change
from services.notifications.webhooks.endpoint import Endpoint
from services.notifications.webhooks.signatures import new_secret
from shared.security import Caller


async def rotate_secret(
    uow: NotificationsUnitOfWork, id: str, *, overlap: timedelta, by: Caller
) -> tuple[Endpoint, str]:
    """The endpoint and its new secret; the one before signs too, for as long as `overlap`.

    Raises `NotFound`, `Forbidden` and `NothingToSealWith`.
    """
    endpoint = await endpoint_to_change(uow, id, by)
    secret = new_secret()
    endpoint.rotate(uow.seal.close(secret=secret), at=uow.now, overlap=overlap)
    return endpoint, secret
