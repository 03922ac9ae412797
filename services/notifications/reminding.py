"""Looks for deadlines to remind of, as long as the clocks can be trusted."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from prometheus_client import Gauge

from services.notifications.bootstrap import Notifications
from services.notifications.domain.notification import moment_text
from services.notifications.domain.reminder import Reminder, ReminderState
from services.notifications.use_cases.remind import remind
from shared.chores import Round, ids_of
from shared.storage.driver import Document

_log = structlog.get_logger(__name__)

CLOCK_DIFFERENCE: Final = Gauge(
    "cxc_clock_difference_seconds", "How far the clock of a worker is ahead of MongoDB's, as it last looked"
)
HELD: Final = Gauge("cxc_reminders_held", "1 while nobody is reminded of anything, as a clock looks wrong")

LOOKS: Final = "looks"
AT_MOST_APART: Final = timedelta(minutes=1)
LONG_AWAY: Final = timedelta(hours=6)
"""Nobody looked for so long: the workers were down, or the clock was set forward."""
SETTLES_AFTER_S: Final = 300.0
"""How long it is waited then, for whoever sets clocks to notice."""


def apart(at: datetime, servers: datetime) -> str | None:
    """That two clocks do not say the same, in a sentence; None where they do."""
    difference = abs(at - servers)
    if difference <= AT_MOST_APART:
        return None
    return f"The clocks of this worker and of MongoDB are {difference.total_seconds():.0f} s apart."


class Leaps:
    """Whether nobody has looked for long, which a clock that leapt forward looks like, too."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._settling_since: float | None = None

    def distrust(self, at: datetime, last_look: datetime | None) -> str | None:
        """Why this moment is not believed to be now yet; None where it is."""
        if last_look is None or at - last_look < LONG_AWAY:
            self._settling_since = None
            return None
        if self._settling_since is None:
            self._settling_since = self._monotonic()
        if self._monotonic() - self._settling_since >= SETTLES_AFTER_S:
            return None
        return (
            f"Nobody has looked since {moment_text(last_look)}. If it is not so much later, set the clocks "
            f"right within {SETTLES_AFTER_S / 60:.0f} minutes."
        )


class Looking:
    """Finds what is due, unless a clock looks wrong: then nobody is reminded, and the log says why.

    A clock that was set back finds less than is due for a while; none can have anything said twice, as each
    reminder knows up to which moment it was dealt with.
    """

    def __init__(self) -> None:
        self._leaps = Leaps()
        self._held = False

    async def look(self, round: Round[Notifications]) -> None:
        """One round: everything that is due now."""
        database, at = round.root.database, round.now
        servers = (await database.command("hello"))["localTime"].replace(tzinfo=UTC)
        CLOCK_DIFFERENCE.set((at - servers).total_seconds())
        looks = database[LOOKS]
        last = await looks.find_one({"_id": Reminder.COLLECTION}) or {"at": None}
        clocks_apart = apart(at, servers)
        last_look = datetime.fromisoformat(last["at"]) if last["at"] else None
        wrong = clocks_apart or self._leaps.distrust(at, last_look)
        HELD.set(1 if wrong else 0)
        if wrong and not self._held:
            _log.warning("reminders_held", reason=wrong)
        self._held = wrong is not None
        # What `cxc status` says; when the workers have only been down, there is nothing to see to.
        noted = {"at": last["at"] if wrong else moment_text(at), "clocks_apart": clocks_apart}
        await looks.replace_one({"_id": Reminder.COLLECTION}, noted, upsert=True)
        if wrong:
            return
        await round.for_all(find_due, remind)
        round.root.wake()


def due_by(at: datetime) -> Document:
    """The reminders whose moment has come."""
    return {"state": ReminderState.SCHEDULED.value, "due_at": {"$lte": moment_text(at)}}


async def find_due(root: Notifications, at: datetime) -> list[str]:
    """Their ids, the longest due first."""
    return await ids_of(root.database[Reminder.COLLECTION], due_by(at), sort=[("due_at", 1)])
