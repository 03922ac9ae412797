"""What becomes of an attempt, and when the next one is made: pure functions of what the receiver answered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from pydantic import BaseModel

WAITS: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=10),
)
"""After the first, second, … attempt that failed; after as many and one more it is given up: 27 hours."""
SPREAD: Final = 0.2
"""So much longer a wait may be, by chance: what failed together is not tried again together."""
LONGEST_ASKED_FOR: Final = timedelta(hours=24)
"""Retry-After beyond that counts as that."""


class Answer(BaseModel):
    """One attempt: when, how long it took, and what the receiver answered, or why it did not."""

    at: datetime
    ms: int
    """From the beginning of the connection to the end of the answer, in milliseconds."""
    status: int | None = None
    """The HTTP status; absent where there was no answer."""
    said: str = ""
    """The first bytes of the answer's body, as text."""
    why: str | None = None
    """Why it failed, in a sentence; absent where it succeeded."""
    retry_after: str | None = None
    """The header of that name."""

    @property
    def taken(self) -> bool:
        """Whether the receiver has taken the event."""
        return self.why is None

    @property
    def gone(self) -> bool:
        """Whether the receiver says that nothing is to be sent there any more."""
        return self.status == HTTPStatus.GONE


class Verdict(StrEnum):
    """What an attempt means for the delivery and its endpoint."""

    DELIVERED = "delivered"
    LATER = "later"
    GIVEN_UP = "given_up"
    """After the last attempt of the schedule: the endpoint is disabled."""
    GONE = "gone"
    """The receiver wants no more: the endpoint is disabled."""


@dataclass(frozen=True)
class Judged:
    """The verdict, and when the next attempt is due, where there is one."""

    verdict: Verdict
    due_at: datetime | None = None


def why_not_taken(status: int, location: str | None) -> str | None:
    """Why an answer of this status is no success; None for 2xx."""
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        where = f" to {location[:200]}" if location else ""
        return f"It redirects{where}. Redirects are not followed: give the endpoint its new URL."
    if status == HTTPStatus.GONE:
        return "It answered 410 Gone: nothing is to be sent there any more."
    return f"It answered {status}; 2xx would have been a success."


def judge(answer: Answer, *, failed: int, now: datetime, chance: float) -> Judged:
    """What the answer to an attempt means; `failed`: attempts before it that failed, `chance`: 0 to 1.

    A failed attempt is made again after the next of `WAITS`, or as much later as the receiver asks for.
    """
    if answer.taken:
        return Judged(Verdict.DELIVERED)
    if answer.gone:
        return Judged(Verdict.GONE)
    if failed >= len(WAITS):
        return Judged(Verdict.GIVEN_UP)
    wait = WAITS[failed] * (1 + SPREAD * chance)
    return Judged(Verdict.LATER, now + max(wait, asked_for(answer.retry_after, now)))


def asked_for(retry_after: str | None, now: datetime) -> timedelta:
    """How long the receiver asks to wait, in seconds or until a moment (RFC 9110, 10.2.3); else nothing."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return min(LONGEST_ASKED_FOR, timedelta(seconds=int(text[:9])))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return timedelta()
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(LONGEST_ASKED_FOR, max(timedelta(), moment - now))
