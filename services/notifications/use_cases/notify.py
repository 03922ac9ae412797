"""Tell everyone a fact concerns, once: through the channels and in the words the rule table says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from services.notifications.domain import recipients
from services.notifications.domain.notification import Notification, notification_id
from services.notifications.domain.recipients import deliveries
from services.notifications.domain.wording import Wording
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event
from shared.erasure import without_data_of

_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def notify(uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event) -> list[Notification]:
    """Make the notifications of an event and return the new ones.

    Those made before, by whatever delivery of the same event, are not made again. An organisation whose
    data were erased is not told, and not named to others, however late the event.
    """
    wanted = {
        notification_id(
            fact.id, fact.time or _UNDATED, delivery.recipient.key, delivery.seat, delivery.channel
        ): delivery
        for delivery in deliveries(event, uow.rules.rules_for(event.TYPE), uow.desks)
    }
    if not wanted:
        return []
    named = recipients.registrations(event)
    found, erased = await asyncio.gather(uow.notifications.get_all(wanted), uow.erasures.among(named))
    there = {notification.id for notification in found}

    new = {
        id: delivery
        for id, delivery in wanted.items()
        if id not in there and not delivery.recipient.is_of(erased)
    }
    if not new:
        return []

    event = without_data_of(event, erased)
    about = recipients.about(event)
    link = uow.rules.link_for(event.TYPE)
    # All words first: a template that fails must not leave half the recipients told.
    wordings: dict[str, Wording] = {}
    for delivery in new.values():
        recipient = delivery.recipient
        if recipient.key not in wordings:
            wordings[recipient.key] = uow.words.word(
                delivery.rule.template, event, recipient, about=about, link=link
            )
    made = [
        Notification.make(
            delivery,
            wordings[delivery.recipient.key],
            id=id,
            fact_id=fact.id,
            fact_type=event.TYPE,
            about=about,
            case=recipients.case(event),
            correlation_id=fact.correlationid or fact.id,
            partnerships=recipients.partnerships(event),
            mentions=[id for id in recipients.mentioned(event, delivery.recipient) if id != about],
            at=uow.now,
        )
        for id, delivery in new.items()
    ]
    for notification in made:
        uow.notifications.add(notification)
    return made
