"""Whether an organisation that fell silent is still interested: when to ask, to remind, and to let go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from pydantic import BaseModel, ConfigDict

Step = Literal["ask", "remind", "lapse"]


@dataclass(frozen=True)
class InterestPolicy:
    """How long silence may last before the first question, and from it to the reminder and to the end."""

    ask_after: timedelta
    remind_after: timedelta
    lapse_after: timedelta


class Interest(BaseModel):
    """When the organisation was last heard of, and what it has been asked since."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    asked_at: datetime | None = None
    reminded: bool = False

    def due(self, policy: InterestPolicy, at: datetime) -> Step | None:
        """What is to be done at this moment; one who was never asked is never let go."""
        if self.asked_at is None:
            return "ask" if at >= self.since + policy.ask_after else None
        if at >= self.asked_at + policy.lapse_after:
            return "lapse"
        if not self.reminded and at >= self.asked_at + policy.remind_after:
            return "remind"
        return None
