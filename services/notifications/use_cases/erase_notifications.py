"""A registration was erased: what messages say of it goes, and nothing more is told to it."""

from __future__ import annotations

from services.notifications.domain.reminder import Asked, Reminder
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.use_cases.erase_deliveries import erase_deliveries
from shared.erasure import without_data_of


async def erase_notifications(uow: NotificationsUnitOfWork, registration_id: str) -> None:
    """Let go of every word and address; that a message was sent, and of which fact, stays."""
    # First: what is told of it in this unit of work from now on finds the erasure.
    await uow.erasures.note(registration_id, uow.now)
    messages = await uow.notifications.naming(registration_id)
    owners = {one.recipient_key for one in messages if one.recipient_registration == registration_id}
    for wishes in await uow.wishes.of_none_but(registration_id, owners):
        uow.remove(wishes)
    for message in messages:
        if message.is_erased_for(registration_id):
            continue
        if message.recipient_registration == registration_id and message.is_unsent_digest:
            # Of another registration of the same organisation it may tell, too.
            for item in await uow.notifications.gone_into(message.id):
                if item.recipient_registration != registration_id:
                    item.gather_again(uow.now)
        message.erase(registration_id)
    for reminder in await uow.reminders.naming(registration_id):
        _erase_reminder(uow, reminder, registration_id)
    for suppression in await uow.suppressions.of_registration(registration_id):
        uow.remove(suppression)
    await erase_deliveries(uow, registration_id)


def _erase_reminder(uow: NotificationsUnitOfWork, reminder: Reminder, registration_id: str) -> None:
    """The organisation is reminded of nothing any more, and not named to others."""
    deadline = uow.deadlines.deadlines.get(reminder.name)
    if deadline is None:
        reminder.give_up(at=uow.now)
        return

    def kept(asked: Asked) -> Asked | None:
        if registration_id not in asked.mentions:
            return asked
        told = deadline.told_again(asked.facts, asked.by, over=False)
        return Asked.of(
            without_data_of(told, {registration_id}),
            deadline,
            by=asked.by,
            desks=uow.desks,
            erased={registration_id},
            event_id=asked.event_id,
            correlation_id=asked.correlation_id,
        )

    reminder.keep(kept, deadline, at=uow.now)
