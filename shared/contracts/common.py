"""What the events of several services carry: receipts, places, parties."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, WithJsonSchema

from shared.contracts.envelope import Contract
from shared.contracts.vocabulary import OrganisationKind, Role

ERASED: Final = "(erased)"
"""Stands where a name or a place was, after an erasure."""

Euros = Annotated[
    Decimal, WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?$", "examples": ["450.00"]})
]
"""An exact amount in EUR, a string on the wire: a JSON number would be rounded by many readers."""


class RuleOutcome(Contract):
    """What one rule said about the facts, in a plain sentence, with the rule's source."""

    rule: str
    """The rule's short name."""
    outcome: Literal["passed", "failed", "needs_review", "not_applicable"]
    """One `failed` decides against; else one `needs_review` asks for a person."""
    sentence: str
    """What it found, in plain words."""
    source: str
    """Where the rule comes from."""


class Receipt(Contract):
    """Why a decision came out as it did: enough to explain it years later."""

    rule_set: str
    """Name and date of the rules applied."""
    facts: dict[str, Any] = Field(default_factory=dict)
    """The inputs the rules looked at; which ones depends on the rule set."""
    outcomes: list[RuleOutcome] = Field(default_factory=list)
    """What each rule said."""
    sentence: str
    """One plain sentence for the person concerned."""
    for_staff: str | None = None
    """One plain sentence for the staff who decide: which rules decided, and what can be done."""


class Place(Contract):
    """Where an organisation is."""

    country: str
    """ISO 3166-1 code; Kosovo is XK."""
    city: str
    """As the organisation wrote it."""
    region: str | None = None
    """ISO 3166-2 subdivision without the country: decides regional holidays."""
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Degrees north, WGS 84."""
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    """Degrees east, WGS 84."""


class Window(Contract):
    """A span of days, both ends included."""

    # What outside systems send is a stricter model of its own; its days become a window as they are.
    model_config = ConfigDict(from_attributes=True)

    first_day: date
    """The first of them."""
    last_day: date
    """The last of them."""


class Party(Contract):
    """One organisation of a match or registration, as the other services need to know it."""

    registration_id: str
    """The id of its registration."""
    organisation: str
    """Its name."""
    kind: OrganisationKind
    """What kind of organisation it is."""
    place: Place
    """Where it is registered; of several countries, where the participant is based."""
    email: str
    """Where mails to its participant go."""
    language: str = "en"
    """The language mails to it are in, ISO 639-1."""
    partnership: str | None = None
    """The partnership that has its case; absent while none has."""
    roles: list[Role] = Field(default_factory=list)
    """What it registered as."""
    owner: str
    """The organisation claim of the tokens that may act for it."""
    source: str | None = None
    """The outside system that registered it: the `source` of its events, or the subject of its token."""
    identifiers: list[str] = Field(default_factory=list)
    """The once-only register's keys: normalised `vat:…`, `euid:…`, `pic:…`, and those of registrations
    that were found to be of the same organisation, with `merge:…`."""

    def erased(self) -> Party:
        """What may be kept when its personal data are gone: what counts and adds up, and who it was for."""
        return self.model_copy(
            update={
                "organisation": ERASED,
                "place": Place(country=self.place.country, city=ERASED),
                "email": "",
                "owner": self.registration_id,
                "identifiers": [],
            }
        )
