"""Whether an organisation that fell silent is still interested: when to ask, to remind, and to let go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

Step = Literal["ask", "remind", "lapse"]


@dataclass(frozen=True)
class InterestPolicy:
    """How long silence may last before the first question, and from it to the reminder and to the end."""

    ask_after: timedelta
    remind_after: timedelta
    lapse_after: timedelta

    def answer_by(self, at: datetime, *, reminder: bool) -> date:
        """The last day for an answer to the question, or to the reminder, put at this moment."""
        return (at + self.lapse_after - (self.remind_after if reminder else timedelta(0))).date()


class Interest(BaseModel):
    """When the organisation was last heard of, and what it has been asked since."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    asked_at: datetime | None = None
    reminded_at: datetime | None = None

    def due(self, policy: InterestPolicy, at: datetime) -> Step | None:
        """What is to be done at this moment.

        One who was not asked twice, with the whole wait after the second time, is never let go:
        neither after a long standstill of the platform nor by a clock that jumps.
        """
        if self.asked_at is None:
            return "ask" if at >= self.since + policy.ask_after else None
        if self.reminded_at is None:
            return "remind" if at >= self.asked_at + policy.remind_after else None
        # Who was told to answer by a day has all of it.
        return "lapse" if at.date() > policy.answer_by(self.reminded_at, reminder=True) else None
