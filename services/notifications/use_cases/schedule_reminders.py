"""An event sets, moves or ends a deadline: note when there is something to be said about it."""

from __future__ import annotations

from services.notifications.domain import recipients
from services.notifications.domain.deadlines import Deadline
from services.notifications.domain.reminder import NEVER, Asked, Reminder, Word, reminder_id
from services.notifications.repositories import NotificationsUnitOfWork
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.types import EventType
from shared.erasure import without_data_of


async def schedule_reminders(uow: NotificationsUnitOfWork, fact: CloudEvent, event: Event) -> None:
    """Take the event in for each deadline it concerns; a second time, or late, it changes nothing.

    A reminder that has not gone out yet to somebody whose turn it no longer is, or with another day, is
    not sent.
    """
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
    stale: list[tuple[Deadline, Asked, Reminder]] = []
    for (name, deadline, ask), reminder in zip(concerned, found, strict=True):
        by = ask.deadline(event, at) if ask else None
        asked = by and Asked.of(
            without_data_of(deadline.told(event, by), erased),
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
        before = reminder.asked
        if reminder.hear(word, deadline, at=uow.now) and before and reminder.told:
            stale.append((deadline, before, reminder))
    for deadline, before, reminder in stale:
        await _unsay(uow, deadline, before, reminder.asked, because=event.TYPE)


async def _unsay(
    uow: NotificationsUnitOfWork, deadline: Deadline, before: Asked, now: Asked | None, *, because: str
) -> None:
    stands = now is not None and now.by == before.by
    done = {one.key for one in before.awaited} - {one.key for one in (now.awaited if now else ())}
    if stands and not done:
        return
    told = {rule.template for rule in deadline.rules}
    types = {EventType.DEADLINE_REMINDED}
    for message in await uow.notifications.on_the_way_about(before.about, None, types, uow.now):
        if message.template not in told or not message.waits:
            continue
        if not stands or message.recipient_key in done:
            message.cancel(f"There was nothing to remind of any more after {because}.")
