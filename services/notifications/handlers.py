"""What this service reacts to: every event of the other three, nearly all in the same way."""

from __future__ import annotations

from typing import Final

from services.notifications.domain.recipients import OpenedInvitation
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.erase_notifications import erase_notifications
from services.notifications.use_cases.notify import notify
from services.notifications.use_cases.schedule_reminders import schedule_reminders
from services.notifications.webhooks.use_cases.enqueue_deliveries import enqueue_deliveries
from shared.contracts.catalogue import EVENTS
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.matching import InvitationSent
from shared.contracts.registration import RegistrationErased
from shared.messaging.handlers import Handlers
from shared.messaging.topics import ServiceName

SOURCES: Final[tuple[ServiceName, ...]] = ("registration", "matching", "funding")
"""The services whose events are told of."""

handlers: Handlers[NotificationsUnitOfWork] = Handlers("notifications")


async def tell(event: Event, uow: NotificationsUnitOfWork, envelope: CloudEvent) -> None:
    """Tell those the rule table names, and note what is to be done by when."""
    await notify(uow, envelope, event)
    await schedule_reminders(uow, envelope, event)
    await enqueue_deliveries(uow, envelope)


@handlers.on_enveloped(RegistrationErased)
async def on_registration_erased(
    event: RegistrationErased, uow: NotificationsUnitOfWork, envelope: CloudEvent
) -> None:
    await erase_notifications(uow, event.party.registration_id)
    await enqueue_deliveries(uow, envelope)


@handlers.on_enveloped(InvitationSent)
async def on_invitation_sent(
    event: InvitationSent, uow: NotificationsUnitOfWork, envelope: CloudEvent
) -> None:
    await notify(uow, envelope, OpenedInvitation(**dict(event), **uow.seal.open(event.sealed)))
    await enqueue_deliveries(uow, envelope)


for source in SOURCES:
    for model in EVENTS[source]:
        if model not in (RegistrationErased, InvitationSent):
            handlers.on_enveloped(model)(tell)
