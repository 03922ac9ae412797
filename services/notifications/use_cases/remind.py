"""Deadlines whose moment has come are reminded of, each moment once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime

import structlog
from prometheus_client import Counter

from services.notifications.domain.deadlines import is_over
from services.notifications.domain.reminder import Reminder
from services.notifications.repositories import NotificationsUnitOfWork
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import Cause, CloudEvent
from shared.contracts.types import EventType
from shared.storage.unit_of_work import because_of

_log = structlog.get_logger(__name__)

REMINDERS = Counter(
    "cxc_reminders", "Deadlines that came due to be reminded of, by what became of it", ["outcome"]
)


async def remind(uow: NotificationsUnitOfWork, ids: Sequence[str]) -> None:
    """Tell those concerned of each of these deadlines, if it still is due, and note in it that they were.

    What came due so long ago that nobody is helped by it is let go.
    """
    due = [reminder for reminder in await uow.reminders.get_all(ids) if reminder.is_due(uow.now)]
    # At the same time, so that their reads meet; all have ended before the transaction does.
    told = await asyncio.gather(*(_tell(uow, reminder) for reminder in due), return_exceptions=True)
    for failed in told:
        if isinstance(failed, BaseException):
            raise failed


async def _tell(uow: NotificationsUnitOfWork, reminder: Reminder) -> None:
    deadline = uow.deadlines.deadlines.get(reminder.name)
    if deadline is None:
        reminder.give_up(at=uow.now)
        return
    asked = reminder.asked
    assert asked is not None
    with because_of(Cause(correlation_id=asked.correlation_id, causation_id=asked.event_id)):
        moment = reminder.come_due(deadline, at=uow.now)
        if moment is None:
            REMINDERS.labels("let_go").inc()
            _log.info(
                "reminder_let_go",
                reminder=reminder.id,
                reason=f"It came due while nobody looked, and its deadline, {asked.by}, is long over.",
            )
            return
        told = deadline.told_again(asked.facts, asked.by, over=is_over(asked.by, uow.now))
        await notify(uow, _fact(reminder, moment, asked.correlation_id), told, reminds_of=deadline)
    REMINDERS.labels("told").inc()


def _fact(reminder: Reminder, moment: datetime, correlation_id: str) -> CloudEvent:
    """What is told at that moment: the same however often it is tried, so that nobody is told twice."""
    return CloudEvent(
        specversion="1.0",
        id=f"{reminder.id}@{moment:%Y-%m-%d}",
        source="/cxc/notifications",
        type=EventType.DEADLINE_REMINDED,
        subject=reminder.id,
        time=moment,
        correlationid=correlation_id,
    )
