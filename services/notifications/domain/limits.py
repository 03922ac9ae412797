"""Protection against a flood: how many mails one person gets, and which had better wait and go together."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

HOUR: Final = timedelta(hours=1)
CASE_WITHIN: Final = timedelta(minutes=10)
STALE: Final = timedelta(minutes=10)
"""What was to go at once and could not for so long, has waited for something that others wait for too."""
SOON: Final = timedelta(minutes=15)


class GatheredFor(StrEnum):
    """Why a mail waits, or waited, for a digest; one that has is not made to wait again."""

    WISH = "wish"
    """Its recipient wants digests."""
    LIMIT = "limit"
    """Its recipient had many mails already."""
    BACKLOG = "backlog"
    """It could not go for a while: mails were held, the server was away, it was the recipient's night."""

    def due_at(self, at: datetime) -> datetime:
        """When what is set aside now is put together.

        At the next quarter of an hour, the same for all couriers. A backlog after one minute at least and
        two at most: by then all of it was looked through.
        """
        if self is GatheredFor.BACKLOG:
            return _next(at + timedelta(minutes=1), timedelta(minutes=1))
        return _next(at, SOON)


WHY_SET_ASIDE: Final = {
    GatheredFor.LIMIT: "Its recipient had had many mails: it was made to wait for a digest.",
    GatheredFor.BACKLOG: "It could not go for a while: it was made to wait, to go with others like it.",
}
"""For the log."""


class Recent:
    """When something last happened to each of many, as far back as a limit asks."""

    def __init__(self, limit: int, within: timedelta) -> None:
        self.limit = limit
        self._within = within
        # By the hash of the key: at full speed there are hundreds of thousands, and most have one moment.
        self._moments: dict[int, list[datetime]] = {}
        self._swept_at = datetime.min.replace(tzinfo=UTC)

    def __len__(self) -> int:
        return len(self._moments)

    def reached(self, key: Hashable, at: datetime) -> bool:
        """Whether as many as are allowed happened to it shortly before."""
        moments = self._moments.get(hash(key))
        return moments is not None and len(moments) == self.limit and moments[0] > at - self._within

    def note(self, key: Hashable, at: datetime) -> None:
        """One more happened."""
        if at - self._swept_at > self._within:
            self._moments = {
                key: moments for key, moments in self._moments.items() if moments[-1] > at - self._within
            }
            self._swept_at = at
        moments = self._moments.setdefault(hash(key), [])
        moments.append(at)
        del moments[: -self.limit]


@dataclass
class RecipientLimits:
    """What one courier has sent to whom within the hour, and what follows from it for the next mail.

    Each courier counts by itself, in memory: it costs no query, and nothing is lost that matters. With
    several of them, or after a restart, a person may get that many from each.
    """

    per_hour: int = 20
    per_case: int = 5
    _mails: Recent = field(init=False)
    _of_case: Recent = field(init=False)

    def __post_init__(self) -> None:
        self._mails = Recent(self.per_hour, HOUR)
        self._of_case = Recent(self.per_case, CASE_WITHIN)

    @property
    def remembered(self) -> int:
        """How many people it knows to have had mails."""
        return len(self._mails)

    def next_mail(
        self, person: str, case: str, at: datetime, *, may_wait: bool, since: datetime
    ) -> GatheredFor | None:
        """Why this mail, waiting since then, is to be set aside; None when it goes now, and counts."""
        if may_wait:
            if since < at - STALE:
                return GatheredFor.BACKLOG
            if self._mails.reached(person, at) or self._of_case.reached((person, case), at):
                return GatheredFor.LIMIT
        self._mails.note(person, at)
        self._of_case.note((person, case), at)
        return None


def _next(at: datetime, every: timedelta) -> datetime:
    """The first full multiple after the moment, in UTC."""
    midnight = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + ((at - midnight) // every + 1) * every
