"""A registration was erased: what messages say of it goes, and nothing more is told to it."""

from __future__ import annotations

from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.webhooks.use_cases.erase_deliveries import erase_deliveries


async def erase_notifications(uow: NotificationsUnitOfWork, registration_id: str) -> None:
    """Let go of every word and address; that a message was sent, and of which fact, stays."""
    # First: what is told of it in this unit of work from now on finds the erasure.
    await uow.erasures.note(registration_id, uow.now)
    messages = await uow.notifications.naming(registration_id)
    owners = {one.recipient_key for one in messages if one.recipient_registration == registration_id}
    for wishes in await uow.wishes.of_none_but(registration_id, owners):
        uow.remove(wishes)
    for message in messages:
        if not message.is_erased_for(registration_id):
            message.erase(registration_id)
    for reminder in await uow.reminders.naming(registration_id):
        reminder.erase(
            registration_id, uow.deadlines.deadlines.get(reminder.name), desks=uow.desks, at=uow.now
        )
    for suppression in await uow.suppressions.of_registration(registration_id):
        uow.remove(suppression)
    await erase_deliveries(uow, registration_id)
