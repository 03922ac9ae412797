"""What becomes of a mail after the mail server has spoken: sent, refused for good, or tried again later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from services.notifications.domain.replies import Bounce, bounce_of


@dataclass(frozen=True)
class Sent:
    """The server took responsibility for the mail."""


@dataclass(frozen=True)
class Refused:
    """The server will not take this mail, now or later."""

    reply: str
    bounce: Bounce | None = None
    """What that says of the address."""


@dataclass(frozen=True)
class Later:
    """Not this time; due again at `due_at`."""

    reply: str
    due_at: datetime


@dataclass(frozen=True)
class Skipped:
    """It was not even tried."""

    reason: str


Outcome = Sent | Refused | Later | Skipped


@dataclass(frozen=True)
class Attempt:
    """The `number`th try of a mail, the first of which was at `first_at`."""

    number: int
    first_at: datetime
    at: datetime


@dataclass(frozen=True)
class RetryPolicy:
    """When to try again: doubling from `first`, at most `longest` apart, for `give_up` in all.

    Four days is what RFC 5321 (4.5.4.1) asks of a sender before it gives up.
    """

    first: timedelta = timedelta(seconds=10)
    longest: timedelta = timedelta(hours=1)
    give_up: timedelta = timedelta(days=4)

    def delay(self, attempts: int) -> timedelta:
        """How long to wait after this many failed attempts."""
        return min(self.longest, self.first * float(2 ** min(attempts - 1, 30)))

    def after_reply(self, code: int, reply: str, attempt: Attempt) -> Refused | Later:
        """The server said no: for good with a code of 500 or more, for now with a lower one."""
        bounce = bounce_of(code, reply)
        if code >= 500:
            return Refused(f"{code} {reply}"[:500], bounce)
        return self.after_fault(f"{code} {reply}", attempt, bounce)

    def after_fault(self, what: str, attempt: Attempt, bounce: Bounce | None = None) -> Refused | Later:
        """The attempt came to nothing, through nobody's decision."""
        due_at = attempt.at + self.delay(attempt.number)
        if due_at - attempt.first_at > self.give_up:
            return Refused(f"given up after {attempt.number} attempts: {what}"[:500], bounce)
        return Later(what[:500], due_at)
