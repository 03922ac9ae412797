"""One event is to be sent once more."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.access import endpoint_to_change
from services.notifications.webhooks.delivery import Delivery, DeliveryState
from shared.security import Caller


async def replay_delivery(uow: NotificationsUnitOfWork, endpoint_id: str, id: str, *, by: Caller) -> Delivery:
    """The delivery, waiting again, at its place and under its id; one that waits already is left alone.

    Raises `NotFound` and `Forbidden`.
    """
    endpoint = await endpoint_to_change(uow, endpoint_id, by)
    delivery = await uow.deliveries.of(endpoint.id, id)
    if delivery.state is not DeliveryState.WAITING:
        delivery.wait_again()
    return delivery
