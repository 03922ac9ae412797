"""Two registrations that may be of one organisation, and what a person found them to be."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict

from services.registration.domain.likeness import Likeness
from shared.aggregate import Aggregate
from shared.errors import RuleBroken


class DuplicateState(StrEnum):
    """What a pair is known to be."""

    OPEN = "open"
    MERGED = "merged"
    DISTINCT = "distinct"


class DuplicateDecided(RuleBroken):
    """The pair was decided before."""

    code = "duplicate-decided"


class Finding(BaseModel):
    """What a person said of a pair, when, and why."""

    model_config = ConfigDict(frozen=True)

    by: str
    at: datetime
    reason: str


class Duplicate(Aggregate):
    """A pair of registrations that are alike; only a person says whether they are of one organisation."""

    COLLECTION: ClassVar[str] = "duplicates"

    registrations: list[str]
    """Both, in the order of their ids."""
    partnerships: list[str | None]
    """Who has them, in the same order."""
    score: int
    likeness: Likeness
    state: DuplicateState = DuplicateState.OPEN
    finding: Finding | None = None
    merge_id: str | None = None

    @classmethod
    def suspect(cls, registrations: list[str], partnerships: list[str | None], likeness: Likeness) -> Self:
        """A new pair; both lists in the order of the registrations' ids."""
        pair = cls(
            id=pair_id(*registrations),
            registrations=registrations,
            partnerships=partnerships,
            score=likeness.score,
            likeness=likeness,
        )
        pair._touch()
        return pair

    def look_again(self, partnerships: list[str | None], likeness: Likeness) -> None:
        """One of the two changed. An identifier in common asks anew what was found without it."""
        if (self.partnerships, self.likeness) == (partnerships, likeness):
            return
        if self.state is DuplicateState.DISTINCT and likeness.same_identifier > self.likeness.same_identifier:
            self.state, self.finding = DuplicateState.OPEN, None
        self.partnerships, self.likeness, self.score = partnerships, likeness, likeness.score
        self._touch()

    def merge(self, merge_id: str, finding: Finding) -> None:
        """They are of one organisation; raises `DuplicateDecided` when that was said before."""
        if self.state is DuplicateState.MERGED:
            raise DuplicateDecided(f"These two are merged already, by merge {self.merge_id}.")
        self.state, self.finding, self.merge_id = DuplicateState.MERGED, finding, merge_id
        self._touch()

    def call_distinct(self, finding: Finding) -> None:
        """They are of two organisations; raises `DuplicateDecided` unless the pair is open."""
        if self.state is DuplicateState.MERGED:
            raise DuplicateDecided(f"These two are merged; undo merge {self.merge_id} first.")
        if self.state is DuplicateState.DISTINCT:
            raise DuplicateDecided("These two were found to be of two organisations already.")
        self.state, self.finding = DuplicateState.DISTINCT, finding
        self._touch()

    def reopen(self) -> None:
        """The merge was undone: the question is open again."""
        self.state, self.finding, self.merge_id = DuplicateState.OPEN, None, None
        self._touch()


class Search(Aggregate):
    """Remembers that lookalikes were searched for a registration, its id, as it then was."""

    COLLECTION: ClassVar[str] = "duplicate_searches"

    looked_for: str = ""
    """A digest of all that a search looks at."""

    def done(self, looked_for: str) -> None:
        """Searched for what this digest is of."""
        self.looked_for = looked_for
        self._touch()


def pair_id(one: str, other: str) -> str:
    """The same for both orders, so that a pair is there once."""
    return "~".join(sorted((one, other)))
