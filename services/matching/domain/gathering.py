"""The group event: one host and one agenda, many visitors who each come by a match, and locals beside them.

Called a gathering here, as events are what the platform publishes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, ClassVar, Final, Self

from pydantic import BaseModel, ConfigDict

from services.matching.domain import words
from services.matching.domain.commitment_document import AgendaItem
from services.matching.domain.errors import (
    AlreadySignedUp,
    GatheringNotSound,
    GatheringStateForbids,
    NotSignedUp,
    SignUpOver,
)
from services.matching.domain.stay import require_sensible
from services.matching.domain.working_days import working_days_at
from shared.aggregate import Aggregate
from shared.contracts.common import Party, Place, Window
from shared.contracts.matching import (
    AttendsAs,
    GatheringCancelled,
    GatheringChanged,
    GatheringOpened,
    PlaceAwaited,
    PlaceLeft,
    PlaceTaken,
)
from shared.contracts.vocabulary import GatheringState

MOST_LISTED: Final = 1000
"""On one list, those who wait included."""

TAKES_SIGN_UPS: Final = frozenset({GatheringState.OPEN, GatheringState.FULL})
TO_COME: Final = TAKES_SIGN_UPS | {GatheringState.PLANNED, GatheringState.CLOSED}


class Programme(BaseModel):
    """What staff say of a group event, and may change."""

    model_config = ConfigDict(frozen=True)

    title: str
    days: Window
    """The stay of each visitor."""
    agenda: list[AgendaItem]
    places: int
    """For visitors; for all, where locals have none of their own."""
    local_places: int | None = None
    sign_up_until: date
    approves_at_once: bool = False
    """Its partnership approves each match with the sign-up; another one of a visitor still decides."""

    def require_sound(self, place: Place) -> None:
        """Raises `GatheringNotSound`, or `StayOutOfBounds` for days that are no stay at that place."""
        first, last = self.days.first_day, self.days.last_day
        require_sensible(self.days, working_days_at(place))
        for item in self.agenda:
            if not first <= item.day <= last:
                raise GatheringNotSound(
                    f"“{item.title}” is on {item.day}, and the event from {first} to {last}. Give each item "
                    "a day of the event."
                )
        if self.sign_up_until >= first:
            raise GatheringNotSound(
                f"The event begins on {first}: let organisations sign up until a day before it, and not "
                f"until {self.sign_up_until}."
            )


class Attendance(BaseModel):
    """One organisation on the list."""

    model_config = ConfigDict(frozen=True)

    party: Party
    attends_as: AttendsAs
    number: int
    """Counts all who ever signed up, in their order, from 1."""
    signed_up_at: datetime
    seated: bool = False
    """It has a place; else it waits for one."""
    match_id: str | None = None
    """The match a visitor has its place by."""

    @property
    def registration_id(self) -> str:
        """Whose it is."""
        return self.party.registration_id


class Gathering(Aggregate):
    """A group event. Its list is in the order of the sign-ups, and who waits moves up in that order."""

    COLLECTION: ClassVar[str] = "gatherings"

    partnership: str
    host: Party
    place: Place
    programme: Programme
    state: GatheringState = GatheringState.PLANNED
    listed: list[Attendance] = []
    signed_up: int = 0
    has_room_for_waiting: bool = False
    """Someone waits, and a place is free: found by the chore that lets them move up."""

    @classmethod
    def plan(cls, id: str, *, partnership: str, host: Party, city: str | None, programme: Programme) -> Self:
        """A group event nobody can sign up for yet, in the host's city or another one of its country.

        Raises the `RuleBroken` that the programme breaks.
        """
        programme.require_sound(host.place)
        place = host.place if city is None else Place(country=host.place.country, city=city)
        gathering = cls(id=id, partnership=partnership, host=host, place=place, programme=programme)
        gathering._record(GatheringChanged(**gathering._facts()))
        return gathering

    @property
    def title(self) -> str:
        """What it is called."""
        return self.programme.title

    @property
    def days(self) -> Window:
        """The stay of each visitor."""
        return self.programme.days

    # ── the list ─────────────────────────────────────────────────────────────────────────────

    @property
    def seated(self) -> list[Attendance]:
        """Who has a place."""
        return [one for one in self.listed if one.seated]

    @property
    def waiting(self) -> list[Attendance]:
        """Who waits for one, first come first."""
        return [one for one in self.listed if not one.seated]

    def find(self, registration_id: str) -> Attendance | None:
        """The registration's, if it is on the list."""
        return next((one for one in self.listed if one.registration_id == registration_id), None)

    def get(self, registration_id: str) -> Attendance:
        """The registration's; raises `NotSignedUp`."""
        if (found := self.find(registration_id)) is None:
            raise NotSignedUp(f"This organisation is not on the list of “{self.title}”.")
        return found

    def attends_as(self, party: Party) -> AttendsAs:
        """A local comes from the country of the event, a visitor from abroad."""
        return "local" if party.place.country == self.host.place.country else "visitor"

    def free(self, attends_as: AttendsAs = "visitor") -> int:
        """Places that nobody has."""
        return self._free(self.programme, attends_as)

    @property
    def numbers_waiting(self) -> dict[str, int]:
        """By registration, its place among those who wait for the same places, from 1."""
        shared = self.programme.local_places is None
        reached: Counter[AttendsAs | None] = Counter()
        numbers: dict[str, int] = {}
        for one in self.waiting:
            line = None if shared else one.attends_as
            reached[line] += 1
            numbers[one.registration_id] = reached[line]
        return numbers

    def has_place_for(self, attends_as: AttendsAs) -> bool:
        """Whether who signs up now has a place at once: one is free, and nobody waits for it."""
        shared = self.programme.local_places is None
        ahead = any(shared or one.attends_as == attends_as for one in self.waiting)
        return not ahead and self.free(attends_as) > 0

    def first_in_line(self, today: date) -> Iterator[Attendance]:
        """Those who wait, in turn, as long as a place for them is free; nobody once it has begun.

        Each may be given its place, or leave, before the next one is asked for.
        """
        if self.state in TO_COME and today < self.days.first_day:
            for one in self.waiting:
                if self.free(one.attends_as) > 0:
                    yield one

    # ── signing up, moving up, leaving ───────────────────────────────────────────────────────

    def require_takes(self, registration_id: str, today: date) -> None:
        """Raises the `RuleBroken` that keeps this registration from signing up today."""
        self._require("signed up for", TAKES_SIGN_UPS)
        if today > self.programme.sign_up_until:
            raise SignUpOver(
                f"Organisations could sign up for “{self.title}” until {self.programme.sign_up_until}."
            )
        if registration_id == self.host.registration_id:
            raise AlreadySignedUp(f"{self.host.organisation} is the host of “{self.title}”.")
        if (found := self.find(registration_id)) is not None:
            standing = "has a place" if found.seated else "is on the waiting list"
            raise AlreadySignedUp(f"{found.party.organisation} {standing} already.")
        if len(self.listed) >= MOST_LISTED:
            raise SignUpOver(f"The waiting list of “{self.title}” is full.")

    def take_place(self, party: Party, at: datetime, match_id: str | None = None) -> None:
        """Give it a place: at once, or the one it waited for."""
        waited = self.find(party.registration_id)
        attends_as = waited.attends_as if waited else self.attends_as(party)
        if waited is None:
            self._list(party, attends_as, at)
        self._change(party.registration_id, party=party, seated=True, match_id=match_id)
        self._settle()
        self._record(
            PlaceTaken(
                **self._facts(),
                party=party,
                attends_as=attends_as,
                match_id=match_id,
                moved_up=waited is not None,
            )
        )

    def wait(self, party: Party, at: datetime) -> None:
        """Put it at the end of the waiting list."""
        attends_as = self.attends_as(party)
        self._list(party, attends_as, at)
        self._settle()
        number = self.numbers_waiting[party.registration_id]
        self._record(PlaceAwaited(**self._facts(), party=party, attends_as=attends_as, number=number))

    def come_by(self, registration_id: str, match_id: str | None) -> None:
        """Keep the place, by another match or for the moment by none."""
        self._change(registration_id, match_id=match_id)
        self._touch()

    def leave(self, registration_id: str, reason: str) -> None:
        """Take it off the list; of one that will not be held, and one that is over, the list stays."""
        left = self.get(registration_id)
        self._require("left", TO_COME)
        self.listed = [one for one in self.listed if one is not left]
        self._settle()
        self._record(
            PlaceLeft(
                **self._facts(),
                party=left.party,
                attends_as=left.attends_as,
                match_id=left.match_id,
                had_place=left.seated,
                reason=reason,
            )
        )

    def lose(self, match_id: str, reason: str) -> bool:
        """The match has ended, and with it the place had by it, if there was one to lose."""
        by_it = next((one for one in self.listed if one.match_id == match_id), None)
        if by_it is None or self.state not in TO_COME:
            return False
        self.leave(by_it.registration_id, reason)
        return True

    def give_up_place_without_match(self, registration_id: str, reason: str) -> bool:
        """Of a registration that is not accepted any more: a match it has ends by itself, with its place."""
        found = self.find(registration_id)
        if found is None or found.match_id is not None or self.state not in TO_COME:
            return False
        self.leave(registration_id, reason)
        return True

    def lose_host(self, registration_id: str, reason: str, today: date) -> None:
        """Cancelled if that is its host, which takes part no more, and it has not begun."""
        if (
            registration_id == self.host.registration_id
            and self.state in TO_COME
            and today < self.days.first_day
        ):
            self.cancel(reason)

    def follow(self, party: Party) -> None:
        """Go on with what the registration of its host, or of one on its list, says now."""
        if party.registration_id == self.host.registration_id:
            self.host = party
        self._change(party.registration_id, party=party)
        self._touch()

    def erase(self, registration_id: str) -> None:
        """Let go of an organisation's personal data."""
        if self.host.registration_id == registration_id:
            self.host = self.host.erased()
        if (found := self.find(registration_id)) is not None:
            self._change(registration_id, party=found.party.erased())
        self._touch()

    # ── its own course ───────────────────────────────────────────────────────────────────────

    def rewrite(self, programme: Programme, today: date) -> bool:
        """Change what it says; returns whether it was moved to other days.

        Each visitor then needs a match for those: that is for who calls this.
        """
        self._require("changed", TO_COME)
        former = self.programme.days
        moved = programme.days != former
        if moved and self.listed and former.first_day <= today:
            raise GatheringStateForbids(f"“{self.title}” has begun: it cannot be moved any more.")
        programme.require_sound(self.host.place)
        if (short := -min(self._free(programme, "visitor"), self._free(programme, "local"))) > 0:
            raise GatheringNotSound(
                f"More organisations have a place than these: give {words.counted(short, 'place')} more, or "
                "ask some to leave."
            )
        self.programme = programme
        self._settle()
        self._record(
            GatheringChanged(
                **self._facts(),
                former_days=former if moved else None,
                concerned=[one.party for one in self.listed] if moved else [],
            )
        )
        return moved

    def open(self, today: date) -> None:
        """Let organisations sign up, for the first time or again."""
        self._require("opened", {GatheringState.PLANNED, GatheringState.CLOSED})
        if today > self.programme.sign_up_until:
            raise SignUpOver(
                f"The last day to sign up was {self.programme.sign_up_until}: name a later one, then open it."
            )
        self.state = GatheringState.OPEN
        self._settle()
        self._record(
            GatheringOpened(
                **self._facts(),
                places=self.programme.places,
                local_places=self.programme.local_places,
                sign_up_until=self.programme.sign_up_until,
            )
        )

    def close(self) -> None:
        """Let nobody sign up any more; who waits may still move up."""
        self._require("closed", TAKES_SIGN_UPS)
        self.state = GatheringState.CLOSED
        self._record(GatheringChanged(**self._facts()))

    def cancel(self, reason: str) -> None:
        """It will not be held; each visitor's match is for who calls this to cancel."""
        self._require("cancelled", TO_COME)
        self.state = GatheringState.CANCELLED
        self._settle()
        without_match = [one.party for one in self.listed if one.match_id is None]
        self._record(GatheringCancelled(**self._facts(), reason=reason, concerned=without_match))

    def come_due(self, today: date) -> None:
        """Close it when its last day to sign up is over; it was held when its last day is."""
        if self.state in TO_COME - {GatheringState.PLANNED} and today > self.days.last_day:
            self.state = GatheringState.HELD
            self._settle()
            self._record(GatheringChanged(**self._facts()))
        elif self.state in TAKES_SIGN_UPS and today > self.programme.sign_up_until:
            self.close()

    # ── rules ────────────────────────────────────────────────────────────────────────────────

    def _require(self, action: str, states: frozenset[GatheringState] | set[GatheringState]) -> None:
        if self.state not in states:
            raise GatheringStateForbids(
                f"“{self.title}” is {self.state}; only a group event that is "
                f"{' or '.join(sorted(states))} can be {action}."
            )

    def _free(self, programme: Programme, attends_as: AttendsAs) -> int:
        if programme.local_places is None:
            return programme.places - len(self.seated)
        limit = programme.places if attends_as == "visitor" else programme.local_places
        return limit - sum(one.attends_as == attends_as for one in self.seated)

    def _list(self, party: Party, attends_as: AttendsAs, at: datetime) -> None:
        self.signed_up += 1
        attendance = Attendance(party=party, attends_as=attends_as, number=self.signed_up, signed_up_at=at)
        self.listed = [*self.listed, attendance]

    def _change(self, registration_id: str, **changes: object) -> None:
        self.listed = [
            one.model_copy(update=changes) if one.registration_id == registration_id else one
            for one in self.listed
        ]

    def _settle(self) -> None:
        if self.state in TAKES_SIGN_UPS:
            self.state = GatheringState.OPEN if self.free() > 0 else GatheringState.FULL
        self.has_room_for_waiting = self.state in TO_COME and any(
            self.free(one.attends_as) > 0 for one in self.waiting
        )

    def _facts(self) -> dict[str, Any]:
        return {
            "group_event_id": self.id,
            "title": self.title,
            "partnership": self.partnership,
            "host": self.host,
            "place": self.place,
            "days": self.days,
            "state": self.state,
        }
