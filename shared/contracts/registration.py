"""Registration's contracts: what outside systems send, and the events of its topic."""

from __future__ import annotations

from datetime import date
from typing import Annotated, ClassVar, Final, Literal, Self
from uuid import NAMESPACE_URL, uuid5

from pydantic import Field, ValidationInfo, model_validator

from shared.contracts.common import Party, Receipt, Window
from shared.contracts.envelope import Contract, Event, StrictContract
from shared.contracts.types import EventType
from shared.contracts.vocabulary import (
    BlankIsNone,
    Country,
    Day,
    Ecosystem,
    Email,
    Goal,
    Keyword,
    Language,
    Line,
    NotTruth,
    OnceEach,
    OrganisationKind,
    PartnershipId,
    Postcode,
    Region,
    RegistrationState,
    Role,
    Text,
    Verdict,
    Website,
    is_new,
)

FIRST_YEAR: Final = 2014
LAST_YEAR: Final = 2099
"""Days of other years are slips of the pen; the COSME programme began in 2014."""
SHORTEST_STAY: Final = 3
"""Days; three of them must be working days."""

_REGISTRATIONS: Final = uuid5(NAMESPACE_URL, "https://clusterxchange.example/registrations")

Reference = Annotated[str, Field(min_length=1, max_length=200)]


class ClusterMembership(StrictContract):
    """The cluster or business network an organisation belongs to."""

    name: Line
    """Its name."""
    kind: Literal["cluster", "business_network"] = "cluster"
    """Membership of a business network alone is not enough for an SME to visit."""
    on_eccp: bool = False
    """The cluster is profiled on the European Cluster Collaboration Platform."""


class Organisation(StrictContract):
    """The organisation that registers; at least one of `vat`, `euid`, `pic` lets its visit be checked."""

    name: Line
    """Its name, as registered."""
    kind: OrganisationKind
    """Decides whether it may visit, host or both."""
    country: Country
    """Where it is registered, ISO 3166-1 (EL and UK are taken too); of several, the first."""
    also_registered_in: Annotated[list[Country], Field(max_length=10), OnceEach] = []
    """Further countries it is registered in, ISO 3166-1."""
    city: Line
    """Where it works from; the distance to the other side is measured from here."""
    postcode: Annotated[Postcode | None, BlankIsNone] = None
    """Postcode of its address."""
    street: Annotated[Line | None, BlankIsNone] = None
    """Street and number of its address."""
    region: Annotated[Region | None, BlankIsNone] = None
    """ISO 3166-2 subdivision without the country, such as BY for Bavaria: decides regional holidays."""
    lat: Annotated[Annotated[float, Field(ge=-90, le=90)] | None, BlankIsNone] = None
    """Degrees north, WGS 84; only together with `lon`."""
    lon: Annotated[Annotated[float, Field(ge=-180, le=180)] | None, BlankIsNone] = None
    """Degrees east, WGS 84; only together with `lat`."""
    vat: Annotated[Annotated[str, Field(max_length=30)] | None, BlankIsNone] = None
    """VAT number."""
    euid: Annotated[Annotated[str, Field(max_length=60)] | None, BlankIsNone] = None
    """European Unique Identifier of the business registers."""
    pic: Annotated[Annotated[str, Field(max_length=12)] | None, BlankIsNone] = None
    """EU participant identification code, nine digits."""
    website: Annotated[Website | None, BlankIsNone] = None
    """Its web address."""
    memberships: Annotated[list[ClusterMembership], Field(max_length=20), OnceEach] = []
    """The clusters and networks it belongs to."""

    @model_validator(mode="after")
    def _coordinates_come_in_pairs(self) -> Self:
        if (self.lat is None) != (self.lon is None):
            raise ValueError("give both lat and lon, or neither")
        return self


class Participant(StrictContract):
    """The person's circumstances the rules ask for; never a name."""

    email: Email
    """Where mails go; a role address will do."""
    language: Language = "en"
    """The language mails are wanted in, ISO 639-1."""
    based_in: Annotated[Country | None, BlankIsNone] = None
    """The country the participant works from; decides when the organisation is registered in several."""
    third_country_national: bool = False
    """Is a national of no participating country."""
    residence_days: Annotated[Annotated[int, Field(ge=0, le=36500), NotTruth] | None, BlankIsNone] = None
    """Days of residence in a participating country, asked of third-country nationals."""
    residence_permit: bool | None = None
    """Has a residence permit of a participating country; asked of third-country nationals."""
    business_in_scheme: bool | None = None
    """Has started, or means to start, a business in a participating country; asked of the same."""


class Availability(StrictContract):
    """Days on which a stay could take place, both ends included: three at least, as a stay needs."""

    first_day: Day
    """The first of them."""
    last_day: Day
    """The last of them."""

    @model_validator(mode="after")
    def _days_of_a_stay(self, info: ValidationInfo) -> Self:
        first, last = self.first_day, self.last_day
        if last < first:
            raise ValueError(f"last_day {last} is before first_day {first}")
        if is_new(info):
            if first.year < FIRST_YEAR or last.year > LAST_YEAR:
                raise ValueError(
                    f"goes from {first} to {last}, which is outside of the years {FIRST_YEAR} to {LAST_YEAR}"
                )
            if (days := (last - first).days + 1) < SHORTEST_STAY:
                raise ValueError(
                    f"has {days} day{'' if days == 1 else 's'} from {first} to {last}; give {SHORTEST_STAY} "
                    "or more, as a stay takes three working days"
                )
        return self


class Preferences(StrictContract):
    """What the organisation would like best; nothing here excludes a match."""

    countries: Annotated[list[Country], Field(max_length=40), OnceEach] = []
    """Where to go to, or to receive someone from."""
    working_days: Annotated[Annotated[int, Field(ge=3, le=23), NotTruth] | None, BlankIsNone] = None
    """How long a stay should be."""


class PreAgreedPartner(Availability):
    """A partner found already, named by registration id or by the sender's own reference, with the dates."""

    registration_id: Annotated[str, Field(max_length=60)] | None = None
    """The platform's id of the partner's registration; or else `reference`."""
    reference: Reference | None = None
    """The `subject` under which the same source registers the partner."""

    @model_validator(mode="after")
    def _named_one_way(self) -> Self:
        if (self.registration_id is None) == (self.reference is None):
            raise ValueError("name the partner by registration_id or by reference, one of the two")
        return self


class Submission(StrictContract):
    """An organisation registers; `POST /registrations` takes the same."""

    TYPE: ClassVar[EventType] = EventType.SUBMIT_REGISTRATION

    organisation: Organisation
    """Who registers."""
    participant: Participant
    """Who would travel or receive the visitor."""
    roles: Annotated[list[Role], Field(min_length=1, max_length=2), OnceEach]
    """Visitor, host or both."""
    motivation: Text = ""
    """Why, in its own words."""
    goals: Annotated[list[Goal], Field(min_length=1, max_length=4), OnceEach]
    """What the exchange is for."""
    ecosystems: Annotated[list[Ecosystem], Field(min_length=1, max_length=14), OnceEach]
    """The industrial ecosystems it works in; without a partnership chosen, one is assigned by these."""
    offers: Annotated[list[Keyword], Field(max_length=20), OnceEach] = []
    """Topics others can learn from it."""
    needs: Annotated[list[Keyword], Field(max_length=20), OnceEach] = []
    """Topics it wants to learn about."""
    languages: Annotated[list[Language], Field(min_length=1, max_length=10), OnceEach] = ["en"]
    """Languages it can work in, ISO 639-1."""
    availability: Annotated[list[Availability], Field(min_length=1, max_length=12), OnceEach]
    """When a stay could take place."""
    preferences: Preferences = Preferences()
    """What it would like best."""
    host_places: Annotated[int, Field(ge=1, le=100), NotTruth] = 1
    """Visitors a host can take at the same time."""
    partnership: Annotated[PartnershipId | None, BlankIsNone] = None
    """The partnership chosen; left out, one is assigned by ecosystem and country."""
    pre_agreed: Annotated[list[PreAgreedPartner], Field(max_length=20), OnceEach] = []
    """Partners found already."""


class Amendment(Submission):
    """A registration is sent again, whole, and screened anew."""

    TYPE: ClassVar[EventType] = EventType.AMEND_REGISTRATION


class Withdrawal(StrictContract):
    """The organisation no longer takes part."""

    TYPE: ClassVar[EventType] = EventType.WITHDRAW_REGISTRATION

    reason: Annotated[str, Field(max_length=1000)] = ""
    """Why, in its own words."""


class InterestConfirmation(StrictContract):
    """The organisation is still interested; answers the question whether it is, or says so unasked."""

    TYPE: ClassVar[EventType] = EventType.CONFIRM_INTEREST


class PreAgreed(Contract):
    """A partner found already, and the days of the stay."""

    registration_id: str
    """The partner's registration; it may not have come in yet."""
    first_day: date
    """The first day at the host."""
    last_day: date
    """The last day at the host."""


class Profile(Contract):
    """What matching needs to know of an accepted registration."""

    goals: list[Goal]
    """What the exchange is for."""
    ecosystems: list[Ecosystem]
    """The industrial ecosystems it works in."""
    offers: list[str] = []
    """Topics others can learn from it."""
    needs: list[str] = []
    """Topics it wants to learn about."""
    languages: list[str] = []
    """Languages it can work in, ISO 639-1."""
    availability: list[Window]
    """When a stay could take place."""
    preferred_countries: list[str] = []
    """Where it would like to go to, or to receive someone from."""
    preferred_working_days: int | None = None
    """How long it would like the stay to be."""
    host_places: int = 1
    """Visitors it can take at the same time as a host."""
    motivation: str = ""
    """Why, in its own words."""
    pre_agreed: list[PreAgreed] = []
    """Partners found already."""


class RegistrationScreened(Event):
    """A registration came in and the rules gave their verdict."""

    TYPE = EventType.REGISTRATION_SCREENED

    party: Party
    """Who registered."""
    state: RegistrationState
    """Where the registration stands now."""
    verdict: Verdict
    """What the rules advise."""
    receipt: Receipt
    """Why they do."""
    reference: str | None = None
    """The sender's own reference, where it came by event."""
    inbox_event_id: str | None = None
    """The id of the event it came by."""


class RegistrationAmended(RegistrationScreened):
    """A registration was changed and screened anew."""

    TYPE = EventType.REGISTRATION_AMENDED


class RegistrationAccepted(Event):
    """The partnership took the registration into its pool."""

    TYPE = EventType.REGISTRATION_ACCEPTED

    party: Party
    """Who was accepted."""
    profile: Profile
    """What it looks for and offers."""
    automatic: bool
    """Accepted by the partnership's own rule for eligible registrations, not by a person."""


class RegistrationRejected(Event):
    """The partnership turned the registration down, with its reason."""

    TYPE = EventType.REGISTRATION_REJECTED

    party: Party
    """Who was turned down."""
    reason: str
    """What the applicant is told."""


class RegistrationWithdrawn(Event):
    """The organisation took its registration back."""

    TYPE = EventType.REGISTRATION_WITHDRAWN

    party: Party
    """Who no longer takes part."""
    reason: str
    """In its own words; may be empty."""


class RegistrationAssigned(RegistrationScreened):
    """Another partnership has the registration now, which was screened anew by its rules."""

    TYPE = EventType.REGISTRATION_ASSIGNED

    before: str | None = None
    """The partnership that had it; absent where none had."""
    reason: str = ""
    """Why, in the words of whoever assigned it; may be empty."""


class RegistrationInformationAsked(Event):
    """Staff need to know more before they decide; an amendment answers."""

    TYPE = EventType.REGISTRATION_INFORMATION_ASKED

    party: Party
    """Who is asked."""
    question: str
    """What, in the words of staff."""
    answer_by: date | None = None
    """The day until which the answer is waited for."""


class RegistrationDecisionUndone(Event):
    """Staff took a decision back: it holds no longer, and what followed from it must not stand."""

    TYPE = EventType.REGISTRATION_DECISION_UNDONE

    party: Party
    """Whose registration it is."""
    undone: Literal["accepted", "rejected"]
    """The decision that was taken back."""
    state: RegistrationState
    """Where the registration stands again."""
    decision_id: str
    """The decision, which may have been about many registrations."""
    reason: str = ""
    """Why; may be empty."""


class RegistrationInterestAsked(Event):
    """The organisation has not been heard of for long: is it still interested?"""

    TYPE = EventType.REGISTRATION_INTEREST_ASKED

    party: Party
    """Who is asked."""
    answer_by: date
    """Without a yes until the end of this day the registration lapses."""
    reminder: bool = False
    """Asked for the second time."""


class RegistrationInterestConfirmed(Event):
    """The organisation is still interested."""

    TYPE = EventType.REGISTRATION_INTEREST_CONFIRMED

    party: Party
    """Who is."""


class RegistrationLapsed(Event):
    """Nobody answered whether the organisation is still interested; an amendment brings it back."""

    TYPE = EventType.REGISTRATION_LAPSED

    party: Party
    """Whose registration it was."""


class RegistrationMerged(RegistrationScreened):
    """Staff found that this and another registration are of one organisation, which visits once."""

    TYPE = EventType.REGISTRATION_MERGED

    same_as: str
    """The other registration."""
    merge_id: str
    """The finding, which can be undone."""


class RegistrationUnmerged(RegistrationScreened):
    """It was found that this and the other registration are of two organisations after all."""

    TYPE = EventType.REGISTRATION_UNMERGED

    same_as: str
    """The other registration."""
    merge_id: str
    """The finding that was undone."""


class RegistrationErased(Event):
    """The personal data of a registration are gone; whoever holds copies must let go of them.

    What accounting needs stays: amounts, dates, countries, the register of visits.
    """

    TYPE = EventType.REGISTRATION_ERASED

    party: Party
    """What is left of it: no name, no address, no identifiers."""
    on_behalf_of: Literal["organisation", "partnership", "retention"]
    """Who wanted it: the organisation, its partnership, or the time for which data are kept."""


class FieldProblem(Contract):
    """One thing wrong with a message."""

    pointer: str
    """Where: a JSON pointer into `data`."""
    detail: str
    """What, in plain words."""


class RegistrationRefused(Event):
    """A message from outside could not be taken (RFC 9457 wording); the original is a dead letter."""

    TYPE = EventType.REGISTRATION_REFUSED

    refused_event_id: str | None = None
    """The `id` of the message, where it could be read."""
    refused_source: str | None = None
    """The `source` of the message, where it could be read."""
    refused_subject: str | None = None
    """The `subject` of the message, where it could be read."""
    type: str
    """The kind of problem, as a URI."""
    title: str
    """The kind of problem, in words."""
    status: int
    """The HTTP status the same problem has at the API."""
    detail: str
    """What is wrong with this message and what to send instead."""
    errors: list[FieldProblem] = []
    """Where `data` is not valid, field by field."""
    dead_letter: str
    """Where the message came from: `topic/partition/offset`."""


def id_from_outside(source: str, subject: str) -> str:
    """The id of the registration that `source` calls `subject` (attributes of its CloudEvents).

    The same for every event of that source and subject, so that an amendment, a withdrawal or a
    partner's pre-agreement finds the registration without anything having to be looked up.
    """
    return str(uuid5(_REGISTRATIONS, f"{source}|{subject}"))
