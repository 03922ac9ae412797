"""What the events of several services carry: receipts, places, parties."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field

from shared.contracts.envelope import Contract
from shared.contracts.vocabulary import OrganisationKind, Role


class RuleOutcome(Contract):
    """What one rule said about the facts, in a plain sentence, with the rule's source."""

    rule: str
    outcome: Literal["passed", "failed", "needs_review", "not_applicable"]
    sentence: str
    source: str


class Receipt(Contract):
    """Why a decision came out as it did: enough to explain it years later."""

    rule_set: str
    facts: dict[str, Any] = Field(default_factory=dict)
    outcomes: list[RuleOutcome] = Field(default_factory=list)
    sentence: str
    """One plain sentence for the person concerned."""


class Place(Contract):
    """Where an organisation is; coordinates in degrees, WGS 84."""

    country: str
    city: str
    region: str | None = None
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None


class Window(Contract):
    """A span of days, both ends included."""

    first_day: date
    last_day: date


class Party(Contract):
    """One organisation of a match or registration, as the other services need to know it."""

    registration_id: str
    organisation: str
    kind: OrganisationKind
    place: Place
    email: str
    language: str = "en"
    partnership: str | None = None
    roles: list[Role] = Field(default_factory=list)
    owner: str
    """The organisation claim of the tokens that may act for it."""
    identifiers: list[str] = Field(default_factory=list)
    """Normalised `vat:…`, `euid:…`, `pic:…`: the once-only register's keys."""
