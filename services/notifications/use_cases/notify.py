"""Tell everyone a fact concerns, once: through the channels and in the words the rule table says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from services.notifications.domain import recipients
from services.notifications.domain.notification import Notification, notification_id
from services.notifications.domain.recipients import deliveries
from services.notifications.domain.wording import Wording
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event

_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def notify(uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event) -> list[Notification]:
    """Make the notifications of an event and return the new ones.

    Those made before, by whatever delivery of the same event, are not made again.
    """
    wanted = {
        notification_id(
            fact.id, fact.time or _UNDATED, delivery.recipient.key, delivery.seat, delivery.channel
        ): delivery
        for delivery in deliveries(event, uow.rules.rules_for(event.TYPE), uow.desks)
    }
    there = {notification.id for notification in await uow.notifications.get_all(wanted)}

    new = {id: delivery for id, delivery in wanted.items() if id not in there}
    if not new:
        return []

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
            at=uow.now,
        )
        for id, delivery in new.items()
    ]
    for notification in made:
        uow.notifications.add(notification)
    return made
