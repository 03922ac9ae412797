"""Matching's contracts: best fits and the life of a match."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from shared.contracts.common import Party, Window
from shared.contracts.envelope import Contract, Event
from shared.contracts.types import EventType

Side = Literal["visitor", "host"]


class Reason(Contract):
    """One component of a fit: points of its weight, and what it means in plain words."""

    component: str
    points: float
    sentence: str


class Fit(Contract):
    """A possible partner: score from 0 to 100, reasons strongest first, and the overlap of the dates."""

    partner: Party
    score: float
    reasons: list[Reason]
    window: Window


class FitsFound(Event):
    """The best partners in the pool for a registration at the moment it joined, best first."""

    TYPE = EventType.FITS_FOUND

    party: Party
    side: Side
    """The role in which `party` looks for partners."""
    fits: list[Fit] = Field(default_factory=list)
    considered: int
    """How many partners of the pool were compared."""


class MatchEvent(Event):
    """What every event of a match carries."""

    match_id: str
    visitor: Party
    host: Party
    stay: Window


class MatchProposed(MatchEvent):
    """One side asked the other."""

    TYPE = EventType.MATCH_PROPOSED

    proposed_by: Side


class MatchAgreed(MatchEvent):
    """Both organisations said yes; their partnerships decide next."""

    TYPE = EventType.MATCH_AGREED


class MatchEndorsed(MatchEvent):
    """One of two partnerships approved; the other one's word is open."""

    TYPE = EventType.MATCH_ENDORSED

    endorsed_by: str


class MatchApproved(MatchEvent):
    """Both partnerships approved, and the visitor's one visit of the scheme is claimed by this match."""

    TYPE = EventType.MATCH_APPROVED

    score: float | None = None
    reasons: list[Reason] = Field(default_factory=list)


class MatchDeclined(MatchEvent):
    """One organisation said no."""

    TYPE = EventType.MATCH_DECLINED

    declined_by: Side
    reason: str = ""


class MatchRefused(MatchEvent):
    """A partnership said no, or the scheme's rules did."""

    TYPE = EventType.MATCH_REFUSED

    refused_by: str
    reason: str


class MatchCancelled(MatchEvent):
    """The match ended before the stay; an approved one gives the visit right back."""

    TYPE = EventType.MATCH_CANCELLED

    reason: str
    was_approved: bool
