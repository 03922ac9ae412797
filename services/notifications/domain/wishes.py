"""How somebody wants to be told: by kind of fact the channels and the pace, the language, and when not to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import ClassVar, Final, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, model_validator

from services.notifications.domain.rules import Channel
from shared.aggregate import Aggregate
from shared.errors import RuleBroken

DEFAULT_ZONE: Final = "Europe/Brussels"
DIGEST_TIME: Final = time(8)
"""When daily and weekly digests are due, by their reader's clock; weekly ones on Mondays."""


class WishesChanged(RuleBroken):
    """Somebody else changed them in between."""

    code = "wishes-changed"


class Pace(StrEnum):
    """How soon somebody wants to hear of a kind of fact."""

    AT_ONCE = "at_once"
    HOURLY = "hourly"
    DAILY = "daily"
    WEEKLY = "weekly"


class QuietHours(BaseModel):
    """From when until when nothing is sent, by the reader's own clock; may go over midnight."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    begins: time
    ends: time

    @model_validator(mode="after")
    def _hours_of_the_clock(self) -> Self:
        if self.begins.tzinfo or self.ends.tzinfo:
            raise ValueError("quiet hours are by your own clock: write them without an offset, such as 22:00")
        if self.begins == self.ends:
            raise ValueError(
                "quiet hours begin and end at the same time; to hear nothing by mail, choose no channel"
            )
        return self

    def hold(self, local: datetime) -> bool:
        """Whether this is a quiet moment, by its wall clock."""
        at = local.time()
        if self.begins < self.ends:
            return self.begins <= at < self.ends
        return at >= self.begins or at < self.ends

    def end_after(self, at: datetime, zone: ZoneInfo) -> datetime:
        """The end of the quiet hours in which `at` falls; raises ValueError when it falls in none."""
        local = at.astimezone(zone)
        if not self.hold(local):
            raise ValueError(f"{local} is not in the quiet hours")
        day = local.date() + timedelta(days=local.time() >= self.ends)
        ends = datetime.combine(day, self.ends, zone)
        if _utc(ends) <= _utc(at):
            # The clocks went back, and the hour it ends in comes a second time.
            ends = ends.replace(fold=1)
        return _utc(ends)


class KindWish(BaseModel):
    """What somebody wants to hear of one kind of fact: where beside the inbox, and how soon."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[Channel, ...] = (Channel.EMAIL, Channel.CHAT)
    """What a rule sends by one that is not here is left out; the inbox holds everything in any case."""
    pace: Pace = Pace.AT_ONCE


class Wishes(Aggregate):
    """The wishes of one person; an organisation, a partnership's desk, or one seat at it."""

    COLLECTION: ClassVar[str] = "wishes"

    language: str | None = None
    """ISO 639-1; without one the address's own."""
    time_zone: str = DEFAULT_ZONE
    """IANA name. It may have been known once and not be any more: see `zone_of`."""
    quiet: QuietHours | None = None
    changed_at: datetime | None = None
    kinds: dict[str, KindWish] = {}
    """By kind of fact; one that is missing is told at once, by every channel its rule names."""

    def of_kind(self, kind: str) -> KindWish:
        """What it says of this kind of fact."""
        return self.kinds.get(kind, NO_WISH)

    def change(
        self,
        *,
        language: str | None,
        time_zone: str,
        quiet: QuietHours | None,
        kinds: Mapping[str, KindWish],
        at: datetime,
    ) -> None:
        """These are the wishes from now on; what was sent before stays as it is."""
        self.language = language
        self.time_zone = time_zone
        self.quiet = quiet
        self.kinds = dict(kinds)
        self.changed_at = at
        self._touch()

    def require_seen(self, version: int) -> None:
        """Raises `WishesChanged` when whoever changes them has seen another version."""
        if version != self.version:
            raise WishesChanged(
                f"You saw version {version}, and the wishes are at version {self.version}: they were changed "
                "in between. Read them again, and send what you want with that version."
            )


NO_WISH: Final = KindWish()


def seat_key(desk: str, address: str) -> str:
    """One seat at a desk, whatever the case its address is written in: `partnership:<id>/<16 hex digits>`."""
    return f"{desk}/{sha256(address.lower().encode()).hexdigest()[:16]}"


def desk_of(person: str) -> str:
    """Whose wishes hold where a seat has none of its own; others have no desk, whatever their names are."""
    return person.partition("/")[0] if person.startswith("partnership:") else person


def zone_of(name: str) -> ZoneInfo | None:
    """The time zone of that IANA name, or None when there is none (any more)."""
    try:
        return ZoneInfo(name)
    # The name of a folder, or none a file can have.
    except (KeyError, ValueError, OSError):
        return None


def next_moment(at: datetime, pace: Pace, quiet: QuietHours | None, zone: ZoneInfo) -> datetime:
    """When somebody is to hear of what is ready at `at`, in UTC: never before it, never in quiet hours.

    A local time that a night skips counts as it would without the jump, one that comes twice the first
    time (RFC 5545, 3.3.5).
    """
    due = _utc(at)
    if pace is not Pace.AT_ONCE:
        due = _digest_after(due, pace, zone)
    while quiet is not None and quiet.hold(due.astimezone(zone)):
        due = quiet.end_after(due, zone)
    return due


def _digest_after(at: datetime, pace: Pace, zone: ZoneInfo) -> datetime:
    local = at.astimezone(zone)
    if pace is Pace.HOURLY:
        return (
            at
            + timedelta(hours=1)
            - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        )
    day = local.date()
    while True:
        due = _utc(datetime.combine(day, DIGEST_TIME, zone))
        if due > at and (pace is Pace.DAILY or day.weekday() == 0):
            return due
        day += timedelta(days=1)


def _utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC)
