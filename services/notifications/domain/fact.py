"""What makes two events the same fact, that it was told, and that it was undone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from typing import ClassVar, Final, Self

from pydantic import BaseModel

from services.notifications.domain.notification import Moment
from shared.aggregate import Aggregate
from shared.contracts.envelope import CloudEvent, Event

SAME_WITHIN_S: Final = 60
"""Two events that say the same are one fact when they happened this close together."""

_MOMENT: Final = re.compile(rb'"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)"')


def fact_key(fact: CloudEvent, event: Event) -> str:
    """The same for two events that say the same about the same, apart from when: 32 hex digits.

    An event without a time is a fact of its own.
    """
    content = event.__pydantic_serializer__.to_json(event, exclude_none=True)
    # Said twice, it is said at two moments; days are what it says.
    said = _MOMENT.sub(b'""', content)
    whose = f"{fact.type}\0{fact.subject}\0{'' if fact.time else fact.id}\0"
    return sha256(whose.encode() + said).hexdigest()[:32]


class ToldFact(Aggregate):
    """That a fact was told, under whatever event's id; kept by the minute, so that twins find each other."""

    COLLECTION: ClassVar[str] = "facts"

    event_id: str
    at: Moment

    @staticmethod
    def ids_near(key: str, at: datetime) -> tuple[str, str]:
        """Where this fact is told, and where its twin was that happened in the nearer other minute."""
        minute, second = divmod(at.timestamp(), SAME_WITHIN_S)
        other = minute - 1 if second < SAME_WITHIN_S / 2 else minute + 1
        return f"{first_fact_id(minute)}{key}", f"{first_fact_id(other)}{key}"

    @classmethod
    def of(cls, id: str, fact: CloudEvent, at: datetime) -> Self:
        """It is told now."""
        told = cls(id=id, event_id=fact.id, at=at)
        told._touch()
        return told

    def is_same(self, at: datetime, undone_at: datetime | None) -> bool:
        """Whether what says the same at that moment is this fact; not if it was undone in between."""
        if undone_at is not None and self.at < undone_at <= at:
            return False
        return abs((at - self.at).total_seconds()) < SAME_WITHIN_S

    def happen_again(self, fact: CloudEvent, at: datetime) -> None:
        """It was undone, and then it happened once more within the minute."""
        self.event_id, self.at = fact.id, at
        self._touch()


def first_fact_id(minute: float) -> str:
    """No fact told in this minute since 1970, or later, has a lower id."""
    return f"{int(minute):08x}"


class Undone(BaseModel):
    """Since when facts of a type do not hold any more, and what undid them."""

    fact_type: str
    at: Moment
    by: str
    subject: str | None = None
    sequence: int = 0
    """Which version of which aggregate undid them."""

    def holds_for(self, fact: CloudEvent, at: datetime) -> bool:
        """Whether this fact, which happened then, was undone later.

        Of one aggregate the versions say so: clocks may be set back.
        """
        sequence = int(fact.sequence or 0)
        if fact.subject == self.subject and sequence and self.sequence and sequence != self.sequence:
            return sequence < self.sequence
        return at < self.at


class UndoneFacts(Aggregate):
    """Which facts about one matter were undone and when: told of late, they are past already."""

    COLLECTION: ClassVar[str] = "undone_facts"

    undone: list[Undone] = []

    def of_type(self, fact_type: str) -> Undone | None:
        """What undid facts of this type last."""
        return next((one for one in self.undone if one.fact_type == fact_type), None)

    def note(self, fact_types: Iterable[str], at: datetime, by: CloudEvent) -> None:
        """An event undid what there was of these types until then; the latest counts."""
        version = int(by.sequence or 0)
        known = {one.fact_type: one for one in self.undone}
        news = [
            Undone(fact_type=fact_type, at=at, by=by.type, subject=by.subject, sequence=version)
            for fact_type in sorted(fact_types)
            if fact_type not in known or known[fact_type].at < at
        ]
        if news:
            self.undone = list({**known, **{one.fact_type: one for one in news}}.values())
            self._touch()


def undone_ids(about: str, matter: str | None) -> tuple[str, ...]:
    """Where it stands which facts were undone: all about this, and last those of the one matter."""
    return (about,) if matter is None else (about, f"{about}/{matter}")


def latest(found: Sequence[UndoneFacts], fact_type: str) -> Undone | None:
    """What undid facts of this type last."""
    undone = [one for facts in found if (one := facts.of_type(fact_type))]
    return max(undone, key=lambda one: one.at) if undone else None
