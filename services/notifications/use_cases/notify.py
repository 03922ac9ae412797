"""Tell everyone a fact concerns, once: through the channels and in the words the rule table says."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from services.notifications.domain import recipients
from services.notifications.domain.deadlines import Deadline
from services.notifications.domain.fact import fact_key
from services.notifications.domain.notification import Notification, notification_id
from services.notifications.domain.planning import Planned, persons, plan
from services.notifications.domain.wording import Wording
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event
from shared.erasure import without_data_of

_UNDATED: Final = datetime(1970, 1, 1, tzinfo=UTC)


async def notify(
    uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event, *, reminds_of: Deadline | None = None
) -> list[Notification]:
    """Make the notifications of an event and return the new ones.

    `reminds_of` where it is no news: the deadline says who is told then, and in which words.

    Those made before, by whatever delivery of the same event, are not made again. An organisation whose
    data were erased is not told, and not named to others, however late the event.
    """
    rules = reminds_of.rules if reminds_of else uow.rules.rules_for(event.TYPE)
    served = recipients.serve(event, rules, uow.desks)
    if not served:
        return []
    named = recipients.registrations(event)
    wishes, erased = await asyncio.gather(uow.wishes.of(persons(served)), uow.erasures.among(named))
    kind = uow.rules.kind_for(event.TYPE)
    wanted = {
        notification_id(fact.id, fact.time or _UNDATED, one.recipient.key, one.seat, one.channel): one
        for one in plan(served, kind=kind, wishes=wishes, at=uow.now, chats=uow.chats)
        if isinstance(one, Planned) or one.recorded
    }
    there = {notification.id for notification in await uow.notifications.get_all(wanted)}
    new = {
        id: planned
        for id, planned in wanted.items()
        if id not in there and not planned.recipient.is_of(erased)
    }
    if not new:
        return []

    key = fact_key(event, fact.subject or "")
    event = without_data_of(event, erased)
    about = recipients.about(event)
    link = uow.rules.links[reminds_of.link] if reminds_of else uow.rules.link_for(event.TYPE)
    # All words first: a template that fails must not leave half the recipients told.
    wordings: dict[tuple[str, str], Wording] = {}
    for planned in new.values():
        reader = (planned.recipient.key, planned.language)
        if reader not in wordings:
            wordings[reader] = uow.words.word(
                planned.rule.template,
                event,
                planned.recipient,
                about=about,
                link=link,
                why=planned.rule.why,
                language=planned.language,
            )
    made = [
        Notification.make(
            planned,
            wordings[planned.recipient.key, planned.language],
            id=id,
            fact_id=fact.id,
            fact_type=fact.type,
            fact_key=key,
            about=about,
            case=recipients.case(event),
            correlation_id=fact.correlationid or fact.id,
            partnerships=recipients.partnerships(event),
            mentions=[id for id in recipients.mentioned(event, planned.recipient) if id != about],
            at=uow.now,
        )
        for id, planned in new.items()
    ]
    for notification in made:
        uow.notifications.add(notification)
    return made
