"""Events are to be sent to an endpoint again."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_switch
from services.notifications.webhooks.delivery import DeliveryState
from services.notifications.webhooks.endpoint import Endpoint
from shared.security import Caller


async def enable_endpoint(uow: NotificationsUnitOfWork, id: str, *, missed: bool, by: Caller) -> Endpoint:
    """The endpoint, enabled; what waits is sent from now on.

    `missed`: begin with the event at which it was given up. Raises `NotFound`, `Forbidden`, `AlreadySo`.
    """
    endpoint = await endpoint_to_switch(uow, id, by)
    stopped_at = endpoint.disabled.stopped_at if endpoint.disabled else None
    endpoint.enable()
    if missed and stopped_at is not None:
        delivery = await uow.deliveries.find(stopped_at)
        if delivery is not None and delivery.state is DeliveryState.FAILED:
            delivery.wait_again()
    return endpoint
