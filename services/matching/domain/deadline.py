"""Until when a word is waited for, and when to remind of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple


class Deadline(NamedTuple):
    """The last day for an answer, and the day of the reminder; None where there is none to come."""

    answer_by: date
    remind_on: date | None


@dataclass(frozen=True)
class AnswerPolicy:
    """How many days an answer may take, and how many of them are left when the reminder comes."""

    answer_days: int = 14
    remind_days: int = 4

    def asked(self, on: date, stay_begins: date) -> Deadline:
        """For what is asked on that day; a question for fewer days than a reminder leaves has none."""
        answer_by = _until(on, self.answer_days, stay_begins)
        remind_on = answer_by - timedelta(days=self.remind_days)
        return Deadline(answer_by, remind_on if remind_on > on else None)

    def reminded(self, on: date, stay_begins: date, answer_by: date | None) -> Deadline:
        """For what is reminded of on that day: who hears late of it still has the days a reminder leaves."""
        leaves = _until(on, self.remind_days, stay_begins)
        return Deadline(max(answer_by, leaves) if answer_by else leaves, None)


def _until(on: date, days: int, stay_begins: date) -> date:
    # A stay that has begun already sets no bound: it was past when somebody asked.
    latest = on + timedelta(days=days)
    eve = stay_begins - timedelta(days=1)
    return min(latest, eve) if eve >= on else latest
