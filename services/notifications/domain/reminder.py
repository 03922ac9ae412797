"""What is still to be said about one deadline of one case, and to whom; nothing once it is met."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final, Self

from pydantic import BaseModel

from services.notifications.domain import recipients
from services.notifications.domain.deadlines import Deadline, is_over, is_too_late
from services.notifications.domain.notification import Moment
from services.notifications.domain.recipients import Desk, Role
from shared.aggregate import Aggregate
from shared.contracts.envelope import Event
from shared.contracts.notifications import DeadlineReminded

QUIET: Final = timedelta(days=1)
"""Who was asked a moment ago needs no reminder yet."""
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ReminderState(StrEnum):
    """Where a reminder stands."""

    SCHEDULED = "scheduled"
    """Something is to be said at `due_at`."""
    SAID = "said"
    """All that was to be said was; what is to be done is still open, as far as is known."""
    ENDED = "ended"
    """It is done, was cancelled, or has no last day any more."""


class Awaited(BaseModel):
    """Somebody whose turn it is."""

    key: str
    """Whose inbox a reminder would lie in."""
    role: Role
    partnership: str | None = None
    """Whose staff it is, or who manages the organisation."""


class Asked(BaseModel):
    """What is to be done, as the event that asks for it tells."""

    by: date
    """The last day for it."""
    about: str
    facts: str
    """What is kept of the event, as JSON: a reminder's words are made of it."""
    awaited: list[Awaited]
    """Those whose turn it is."""
    partnerships: list[str]
    """Whose staff may see it."""
    mentions: list[str]
    """The registrations it names."""
    event_id: str
    correlation_id: str

    @classmethod
    def of(
        cls,
        told: Event,
        deadline: Deadline,
        *,
        by: date,
        desks: Mapping[str, Desk],
        erased: Collection[str],
        event_id: str,
        correlation_id: str,
    ) -> Self | None:
        """What `told` asks, which has no data of those that were erased; None where nobody else is asked."""
        asked = [one for one, _ in recipients.serve(told, deadline.rules, desks) if not one.is_of(erased)]
        if not asked:
            return None
        return cls(
            by=by,
            about=recipients.about(told),
            facts=deadline.facts_of(told),
            awaited=[Awaited(key=one.key, role=one.role, partnership=one.partnership) for one in asked],
            partnerships=recipients.partnerships(told),
            mentions=[id for id in recipients.registrations(told) if id not in erased],
            event_id=event_id,
            correlation_id=correlation_id,
        )


class Word(BaseModel):
    """The last that one aggregate of another service said of the matter."""

    of: str
    """Its id: the `subject` of its events."""
    sequence: int
    at: Moment
    asked: Asked | None = None
    """None where nothing is asked, or for no day."""
    ends: bool = False

    def newest(self, other: Word) -> Word:
        """Of two words of one aggregate the later one: by its version, as clocks may be set back."""
        last = self if self.sequence >= other.sequence else other
        return last.model_copy(update={"at": max(self.at, other.at)})


def reminder_id(name: str, case: str) -> str:
    """A case has one of each name, whatever sets or moves its deadline."""
    return f"{name}:{case}"


class Reminder(Aggregate):
    """A deadline of a case, by what has been heard of it; the same in whatever order that came.

    Each aggregate concerned has its last word. There is something to do while one of them asks for it
    and none says it is done: so a grant that is cancelled ends what its agreement asks for, and clocks
    of two services are never compared.
    """

    COLLECTION: ClassVar[str] = "reminders"

    name: str
    case: str
    words: list[Word] = []
    """Of each aggregate one, in the order of their ids."""
    mentions: list[str] = []
    """The registrations that any of the words names."""
    state: ReminderState = ReminderState.ENDED
    due_at: Moment | None = None
    told: int = 0
    told_at: Moment | None = None
    """When something was said about it last."""
    dealt_with: Moment = NEVER
    """Up to which moment all that came due was said or let go."""
    let_go: int = 0
    """How often it came due when it was too late to say so."""
    changed_at: Moment

    @classmethod
    def first_heard_of(cls, name: str, case: str, *, at: datetime) -> Self:
        """One of which nothing is known yet."""
        return cls(id=reminder_id(name, case), name=name, case=case, changed_at=at)

    @property
    def asking(self) -> Word | None:
        """The word that counts: the newest of those that ask, unless another says it is done."""
        if any(word.ends for word in self.words):
            return None
        asking = [word for word in self.words if word.asked is not None]
        return max(asking, key=lambda word: (word.at, word.of), default=None)

    @property
    def asked(self) -> Asked | None:
        """What is to be done; None where nothing is any more."""
        asking = self.asking
        return asking.asked if asking else None

    def to_document(self) -> dict[str, object]:
        """As it is stored: with what it is looked for by."""
        asked = self.asked
        found_by: dict[str, object] = {"subjects": sorted({self.case, *self.mentions})}
        if asked is not None:
            found_by["subjects"] = sorted({self.case, *self.mentions, asked.about})
            found_by |= {
                "recipients": [one.key for one in asked.awaited],
                "partnerships": asked.partnerships,
                "order": self.order,
            }
        return super().to_document() | found_by

    @property
    def order(self) -> str | None:
        """Its place among those that stand, the soonest deadline first; None where nothing is to be done."""
        asked = self.asked
        return f"{asked.by.isoformat()}|{self.id}" if asked else None

    def hear(self, word: Word, deadline: Deadline, *, at: datetime) -> bool:
        """Take in what was said; whether it changed anything."""
        known = next((one for one in self.words if one.of == word.of), None)
        last = known.newest(word) if known else word
        if last == known:
            return False
        others = (one for one in self.words if one.of != word.of)
        self.words = sorted((*others, last), key=lambda one: one.of)
        self.mentions = self._mentioned()
        self._schedule(deadline, at)
        return True

    def to_come(self, deadline: Deadline) -> list[datetime]:
        """When there is something to be said about it still, in their order."""
        asking = self.asking
        if asking is None or asking.asked is None:
            return []
        since = max(self.dealt_with, asking.at + QUIET)
        return [moment for moment in deadline.moments(asking.asked.by) if moment > since]

    def is_due(self, at: datetime) -> bool:
        """Whether its moment has come."""
        return self.due_at is not None and self.due_at <= at

    def come_due(self, deadline: Deadline, *, at: datetime) -> datetime | None:
        """The moment that has come, to be told of now and never again; None where it is too late for that.

        Of several that have come the last one stands for all.
        """
        asked = self.asked
        assert asked is not None
        moment = max((moment for moment in self.to_come(deadline) if moment <= at), default=None)
        if moment is not None:
            self.dealt_with = moment
            if is_too_late(moment, asked.by, at):
                self.let_go += 1
                moment = None
            else:
                self._tell(asked, at)
        self._schedule(deadline, at)
        return moment

    def keep(self, of: Callable[[Asked], Asked | None], deadline: Deadline, *, at: datetime) -> None:
        """An organisation was erased: keep this of what is asked, or nothing where only it was asked."""
        self.words = [
            word.model_copy(update={"asked": of(word.asked)}) if word.asked else word for word in self.words
        ]
        self.mentions = self._mentioned()
        self._schedule(deadline, at)

    def give_up(self, *, at: datetime) -> None:
        """The table has no such deadline any more."""
        self.words = [word.model_copy(update={"asked": None, "ends": True}) for word in self.words]
        self.mentions = []
        self.state, self.due_at, self.changed_at = ReminderState.ENDED, None, at
        self._touch()

    def _tell(self, asked: Asked, at: datetime) -> None:
        self.told, self.told_at = self.told + 1, at
        self._record(
            DeadlineReminded(
                reminder_id=self.id,
                name=self.name,
                about=asked.about,
                deadline=asked.by,
                over=is_over(asked.by, at),
                number=self.told,
                partnerships=asked.partnerships,
            )
        )

    def _mentioned(self) -> list[str]:
        return sorted({id for word in self.words if word.asked for id in word.asked.mentions})

    def _schedule(self, deadline: Deadline, at: datetime) -> None:
        self.due_at = next(iter(self.to_come(deadline)), None)
        if self.asked is None:
            self.state = ReminderState.ENDED
        else:
            self.state = ReminderState.SCHEDULED if self.due_at else ReminderState.SAID
        self.changed_at = at
        self._touch()
