"""An event sets, moves or ends a deadline: note when there is something to be said about it."""

from __future__ import annotations

from services.notifications.domain import recipients
from services.notifications.domain.reminder import NEVER, Asked, Reminder, Word, reminder_id
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event


async def schedule_reminders(uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event) -> None:
    """Take the event in for each deadline it concerns; a second time, or late, it changes nothing."""
    concerned = [
        (name, deadline, ask)
        for name, deadline in uow.deadlines.by_type.get(event.TYPE, ())
        if (ask := deadline.asked_by(event)) is not None or deadline.ended_by(event)
    ]
    if not concerned:
        return
    erased = await uow.erasures.among(recipients.registrations(event))
    case = recipients.case(event)
    # Nothing is awaited from here to the last change: handlers of one batch share these reminders.
    found = await uow.reminders.find_all(reminder_id(name, case) for name, _, _ in concerned)
    # A clock that is ahead of ours must not keep a reminder back.
    at = min(fact.time or NEVER, uow.now)
    for (name, deadline, ask), reminder in zip(concerned, found, strict=True):
        by = ask.deadline(event, at) if ask else None
        asked = by and Asked.of(
            deadline.told(event, by),
            deadline,
            by=by,
            desks=uow.desks,
            erased=erased,
            event_id=fact.id,
            correlation_id=fact.correlationid or fact.id,
        )
        word = Word(
            of=fact.subject or case,
            sequence=int(fact.sequence or 0),
            at=at,
            asked=asked,
            ends=ask is None,
        )
        if reminder is None:
            reminder = Reminder.first_heard_of(name, case, at=uow.now)
            uow.reminders.add(reminder)
        reminder.hear(word, deadline, at=uow.now)
