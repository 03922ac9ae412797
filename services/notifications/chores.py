"""What the notifications service has to do because time passes, done by one of the workers."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

from services.notifications.bootstrap import Notifications
from services.notifications.domain.notification import moment_text
from services.notifications.domain.reminder import Reminder, ReminderState
from services.notifications.reminding import Looking
from services.notifications.use_cases.forget_reminders import forget_reminders
from shared.chores import LOOK_EVERY_S, Chore, Round, go_round, ids_of

REMINDERS_EVERY_S: Final = 10.0


async def _forget_reminders(round: Round[Notifications]) -> None:
    before = moment_text(round.now - timedelta(days=round.root.settings.kept_days))

    async def over(root: Notifications, at: datetime) -> list[str]:
        old = {"state": {"$ne": ReminderState.SCHEDULED.value}, "changed_at": {"$lt": before}}
        return await ids_of(root.database[Reminder.COLLECTION], old)

    await round.for_all(over, forget_reminders)


async def do_chores(
    root: Notifications,
    stopping: asyncio.Event,
    *,
    look_every_s: float = LOOK_EVERY_S,
    reminders_every_s: float = REMINDERS_EVERY_S,
) -> None:
    """The worker's companion: do each chore when its time has come."""
    chores = [
        Chore("reminders", timedelta(seconds=reminders_every_s), Looking().look),
        Chore("old reminders", timedelta(hours=24), _forget_reminders),
    ]
    await go_round(root, stopping, chores, look_every_s=look_every_s)
