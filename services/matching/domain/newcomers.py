"""Newcomers: some who joined the pool in one transaction, until they have been told of their best fits."""

from __future__ import annotations

from typing import ClassVar, Final

from pydantic import BaseModel, ConfigDict

from services.matching.domain.candidate import Candidate
from services.matching.domain.pool import PoolView
from shared.aggregate import SCOPE, Aggregate
from shared.contracts.envelope import Cause

MOST_ON_A_LIST: Final = 50


class Newcomer(BaseModel):
    """A registration that was accepted, or accepted anew."""

    model_config = ConfigDict(frozen=True)

    registration_id: str
    heard: int
    """The registration's version it joined with: what is told must rest on this one, or a later one."""
    sequence: int
    """The candidate's version that the fits for its first role are told by; for the second, the next."""
    cause: Cause
    """What its acceptance followed from: so does what it is told."""


class Newcomers(Aggregate):
    """A list that is written with the candidates on it, and removed with the events that tell them.

    Whoever takes one of them out of the pool takes it off the list, so that of the two that happens first
    which is committed first.
    """

    COLLECTION: ClassVar[str] = "newcomers"

    waiting: list[Newcomer] = []

    @property
    def is_full(self) -> bool:
        """Whether others belong on a list of their own."""
        return len(self.waiting) >= MOST_ON_A_LIST

    def welcome(self, candidate: Candidate) -> None:
        """Put a candidate on the list."""
        scope = SCOPE.get()
        self.waiting.append(
            Newcomer(
                registration_id=candidate.id,
                heard=candidate.heard,
                sequence=candidate.be_newcomer(self.id),
                cause=scope.cause if scope else Cause(),
            )
        )
        self._touch()

    def all_are_in(self, pool: PoolView) -> bool:
        """Whether that pool has heard of all of them, as they joined or later."""
        members = ((one, pool.member(one.registration_id)) for one in self.waiting)
        return all(member is not None and member.heard >= one.heard for one, member in members)

    def take_off(self, registration_id: str) -> None:
        """It is in the pool no longer, or a newcomer anew: on this list it is told nothing."""
        self.waiting = [one for one in self.waiting if one.registration_id != registration_id]
        self._touch()
