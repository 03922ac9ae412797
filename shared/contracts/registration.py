"""Registration's contracts: what outside systems send, and the events of its topic."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from shared.contracts.common import Party, Receipt
from shared.contracts.envelope import Contract, Event, StrictContract
from shared.contracts.types import EventType
from shared.contracts.vocabulary import (
    Country,
    Ecosystem,
    Email,
    Goal,
    Keyword,
    Language,
    Line,
    OrganisationKind,
    PartnershipId,
    RegistrationState,
    Role,
    Text,
    Verdict,
)

Reference = Annotated[str, Field(min_length=1, max_length=200)]


class ClusterMembership(StrictContract):
    """The cluster or business network an organisation belongs to.

    `on_eccp`: the cluster is profiled on the European Cluster Collaboration Platform.
    """

    name: Line
    kind: Literal["cluster", "business_network"] = "cluster"
    on_eccp: bool = False


class Organisation(StrictContract):
    """The organisation that registers; at least one of `vat`, `euid`, `pic` lets its visit be checked."""

    name: Line
    kind: OrganisationKind
    country: Country
    """Where it is registered; of several, the first."""
    also_registered_in: Annotated[list[Country], Field(max_length=10)] = []
    city: Line
    postcode: Annotated[str, Field(max_length=20)] | None = None
    street: Annotated[str, Field(max_length=300)] | None = None
    region: Annotated[str, Field(max_length=10)] | None = None
    """ISO 3166-2 subdivision without the country, such as BY for Bavaria: decides regional holidays."""
    lat: Annotated[float, Field(ge=-90, le=90)] | None = None
    lon: Annotated[float, Field(ge=-180, le=180)] | None = None
    vat: Annotated[str, Field(max_length=30)] | None = None
    euid: Annotated[str, Field(max_length=60)] | None = None
    pic: Annotated[str, Field(max_length=12)] | None = None
    website: Annotated[str, Field(max_length=300)] | None = None
    memberships: Annotated[list[ClusterMembership], Field(max_length=20)] = []

    @model_validator(mode="after")
    def _coordinates_come_in_pairs(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        return self


class Participant(StrictContract):
    """The person's circumstances the rules ask for; never a name.

    `residence_days`: days of residence in a participating country, asked of third-country nationals.
    """

    email: Email
    language: Language = "en"
    based_in: Country | None = None
    """The country the participant works from; decides when the organisation is registered in several."""
    third_country_national: bool = False
    residence_days: Annotated[int, Field(ge=0, le=36500)] | None = None
    residence_permit: bool = False
    business_in_scheme: bool = False
    """Has started, or means to start, a business in a participating country."""


class Availability(StrictContract):
    """Days on which a stay could take place, both ends included."""

    first_day: date
    last_day: date

    @model_validator(mode="after")
    def _days_in_order(self) -> Self:
        if self.last_day < self.first_day:
            raise ValueError(f"last_day {self.last_day} is before first_day {self.first_day}")
        return self


class Preferences(StrictContract):
    """What the organisation would like best; nothing here excludes a match."""

    countries: Annotated[list[Country], Field(max_length=40)] = []
    working_days: Annotated[int, Field(ge=3, le=23)] | None = None


class PreAgreedPartner(Availability):
    """A partner found already, named by registration id or by the sender's own reference, with the dates."""

    registration_id: Annotated[str, Field(max_length=60)] | None = None
    reference: Reference | None = None

    @model_validator(mode="after")
    def _named_one_way(self) -> Self:
        if (self.registration_id is None) == (self.reference is None):
            raise ValueError("name the partner by registration_id or by reference, one of the two")
        return self


class Submission(StrictContract):
    """A registration as `POST /registrations` and `cxc.registration.submit.v1` take it."""

    TYPE: ClassVar[EventType] = EventType.SUBMIT_REGISTRATION

    organisation: Organisation
    participant: Participant
    roles: Annotated[list[Role], Field(min_length=1, max_length=2)]
    motivation: Text = ""
    goals: Annotated[list[Goal], Field(min_length=1, max_length=4)]
    ecosystems: Annotated[list[Ecosystem], Field(min_length=1, max_length=14)]
    offers: Annotated[list[Keyword], Field(max_length=20)] = []
    needs: Annotated[list[Keyword], Field(max_length=20)] = []
    languages: Annotated[list[Language], Field(min_length=1, max_length=10)] = ["en"]
    availability: Annotated[list[Availability], Field(min_length=1, max_length=12)]
    preferences: Preferences = Preferences()
    host_places: Annotated[int, Field(ge=1, le=100)] = 1
    """Visitors a host can take at the same time."""
    partnership: PartnershipId | None = None
    pre_agreed: Annotated[list[PreAgreedPartner], Field(max_length=20)] = []


class Amendment(Submission):
    """A registration sent again, whole; it is screened anew."""

    TYPE: ClassVar[EventType] = EventType.AMEND_REGISTRATION


class Withdrawal(StrictContract):
    """The organisation no longer takes part."""

    TYPE: ClassVar[EventType] = EventType.WITHDRAW_REGISTRATION

    reason: Annotated[str, Field(max_length=1000)] = ""


class PreAgreed(Contract):
    """A partner found already, by registration id, and the days of the stay."""

    registration_id: str
    first_day: date
    last_day: date


class Profile(Contract):
    """What matching needs to know of an accepted registration."""

    goals: list[Goal]
    ecosystems: list[Ecosystem]
    offers: list[str] = []
    needs: list[str] = []
    languages: list[str] = []
    availability: list[Availability]
    preferred_countries: list[str] = []
    preferred_working_days: int | None = None
    host_places: int = 1
    motivation: str = ""
    pre_agreed: list[PreAgreed] = []


class RegistrationScreened(Event):
    """A registration came in and the rules gave their verdict."""

    TYPE = EventType.REGISTRATION_SCREENED

    party: Party
    state: RegistrationState
    verdict: Verdict
    receipt: Receipt
    reference: str | None = None
    """The sender's own reference, where it came by event."""
    inbox_event_id: str | None = None


class RegistrationAmended(RegistrationScreened):
    """A registration was changed and screened anew."""

    TYPE = EventType.REGISTRATION_AMENDED


class RegistrationAccepted(Event):
    """The partnership took the registration into its pool."""

    TYPE = EventType.REGISTRATION_ACCEPTED

    party: Party
    profile: Profile
    automatic: bool
    """Accepted by the partnership's own rule for eligible registrations, not by a person."""


class RegistrationRejected(Event):
    """The partnership turned the registration down, with its reason."""

    TYPE = EventType.REGISTRATION_REJECTED

    party: Party
    reason: str


class RegistrationWithdrawn(Event):
    """The organisation took its registration back."""

    TYPE = EventType.REGISTRATION_WITHDRAWN

    party: Party
    reason: str


class FieldProblem(Contract):
    """One thing wrong with a message: a JSON pointer to where, and what."""

    pointer: str
    detail: str


class RegistrationRefused(Event):
    """A message from outside could not be taken (RFC 9457 wording); the original is a dead letter."""

    TYPE = EventType.REGISTRATION_REFUSED

    refused_event_id: str | None
    refused_source: str | None
    refused_subject: str | None
    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []
    dead_letter: str
    """Where the message came from: `topic/partition/offset`."""
