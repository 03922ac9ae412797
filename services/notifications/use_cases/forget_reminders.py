"""Reminders of which nothing will be said any more are let go once their time is over."""

from __future__ import annotations

from collections.abc import Sequence

from services.notifications.domain.reminder import ReminderState
from services.notifications.repositories import NotificationsUnitOfWork


async def forget_reminders(uow: NotificationsUnitOfWork, ids: Sequence[str]) -> None:
    """Delete these; one that stands again since they were found is kept."""
    for reminder in await uow.reminders.get_all(ids):
        if reminder.state is not ReminderState.SCHEDULED:
            uow.reminders.remove(reminder)
