"""Nothing arrives at an endpoint, or nothing is wanted there: it is disabled, and its owner told."""

from __future__ import annotations

from datetime import datetime

from services.notifications.domain.recipients import OwnedEndpointDisabled
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from services.notifications.webhooks.addresses import host_of
from services.notifications.webhooks.delivery import DeliveryState
from services.notifications.webhooks.endpoint import THE_PLATFORM
from services.notifications.webhooks.schedule import Answer
from shared.contracts.envelope import Cause, wrap
from shared.contracts.notifications import EndpointDisabled
from shared.messaging import topics
from shared.messaging.outbox import OutgoingMessage
from shared.scopes import partnership_of, source_of


async def give_up_endpoint(
    uow: NotificationsUnitOfWork,
    id: str,
    delivery_id: str,
    answer: Answer,
    *,
    since: datetime,
    attempts: int,
) -> None:
    """Settle the delivery whose last attempt failed, disable its endpoint, and say so to its owner.

    An endpoint that somebody disabled or deleted in the same moment is left to them.
    """
    delivery = await uow.deliveries.find(delivery_id)
    if delivery is not None and delivery.state is DeliveryState.WAITING:
        delivery.settle(answer, DeliveryState.FAILED, uow.now)
    endpoint = await uow.endpoints.find(id)
    if endpoint is None or not endpoint.enabled:
        return
    why = answer.why or ""
    endpoint.disable(by=THE_PLATFORM, why=why, at=uow.now, stopped_at=delivery_id)
    event = EndpointDisabled(
        endpoint_id=id,
        server=host_of(endpoint.url),
        description=endpoint.description,
        partnership=partnership_of(endpoint.scope),
        source=source_of(endpoint.scope),
        reason=why,
        since=since,
        attempts=attempts,
    )
    fact = wrap(
        event,
        service=uow.service,
        subject=id,
        sequence=endpoint.version,
        cause=Cause(causation_id=delivery.event_id if delivery else None),
        at=uow.now,
    )
    uow.send(OutgoingMessage.of(fact, topics.events(uow.service)))
    await notify(uow, fact, OwnedEndpointDisabled(**dict(event), contact=endpoint.contact))
