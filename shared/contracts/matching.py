"""Matching's contracts: best fits, the life of a match, and the Commitment to Quality it is signed on."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal, Self

from pydantic import Field

from shared.contracts.common import Party, Place, Window
from shared.contracts.envelope import Contract, Event
from shared.contracts.types import EventType
from shared.contracts.vocabulary import GatheringState, MatchState, OrganisationKind, Role

Side = Literal["visitor", "host"]

SigningRole = Literal["HO", "HOP", "VO", "VOP"]
"""Host organisation, host's partnership, visiting organisation, visitor's partnership."""


class Reason(Contract):
    """One component of a fit."""

    component: str
    """What was compared: ecosystems, topics, goals, languages and so on."""
    points: float
    """What it adds to the score."""
    sentence: str
    """What it means, in plain words."""


class Drawback(Contract):
    """What counts against a fit."""

    component: str
    """What was compared, as in the reasons."""
    misses: float
    """The points the component could have earned and did not."""
    sentence: str
    """What it means, in plain words."""


class Fit(Contract):
    """A possible partner, and why."""

    partner: Party
    """Who it is."""
    score: float
    """From 0 to 100: the sum of the reasons' points."""
    reasons: list[Reason]
    """Strongest first."""
    against: list[Drawback] = Field(default_factory=list)
    """What counts against it, the heaviest first; in events left out."""
    window: Window
    """The days both could do."""


class FitsFound(Event):
    """The best partners in the pool for a registration soon after it joined, best first."""

    TYPE = EventType.FITS_FOUND

    party: Party
    """Who looks for a partner."""
    side: Side
    """The role in which it looks."""
    fits: list[Fit] = Field(default_factory=list)
    """Best first; empty when nobody in the pool fits yet."""
    considered: int
    """How many partners of the pool were compared."""


class PublicProfile(Contract):
    """An organisation as everybody in the programme sees it."""

    registration_id: str
    """The id of its registration."""
    organisation: str
    """Its name."""
    kind: OrganisationKind
    """What kind of organisation it is."""
    country: str
    """ISO 3166-1 code; Kosovo is XK."""
    city: str
    """As the organisation wrote it."""

    @classmethod
    def of(cls, party: Party) -> Self:
        """What of the party everybody may see."""
        return cls(
            registration_id=party.registration_id,
            organisation=party.organisation,
            kind=party.kind,
            country=party.place.country,
            city=party.place.city,
        )


class MessageSent(Event):
    """An organisation wrote to another one through the platform."""

    TYPE = EventType.MESSAGE_SENT

    message_id: str
    """The id of the message."""
    party: Party
    """Who it is for."""
    sender: PublicProfile
    """Who wrote it; its address stays with the platform."""
    text: str
    """What it wrote."""


class SearchMatched(Event):
    """New profiles in the pool meet a saved search; at most one such event a search and hour."""

    TYPE = EventType.SEARCH_MATCHED

    search_id: str
    """The id of the search."""
    name: str
    """What its owner calls it."""
    party: Party | None = None
    """Whose search it is; absent where it is one of a partnership's staff."""
    partnership: str | None = None
    """The partnership whose staff saved it."""
    side: Literal["hosts", "visitors"]
    """What it looks for."""
    found: list[PublicProfile]
    """Who has joined the pool and meets it."""
    more: int = 0
    """How many more there are."""


class MatchEvent(Event):
    """What every event of a match carries."""

    match_id: str
    """The id of the match."""
    visitor: Party
    """Who travels."""
    host: Party
    """Who receives the visitor."""
    stay: Window
    """The planned days at the host."""
    group_event_id: str | None = None
    """The group event it is a visit to, if it is; left out of the events of its commitment."""


class MatchProposed(MatchEvent):
    """One side asked the other."""

    TYPE = EventType.MATCH_PROPOSED

    proposed_by: Side
    """Who asked; the other side answers."""
    answer_by: date | None = None
    """The last day for the answer; without one the proposal expires after it."""


class MatchAgreed(MatchEvent):
    """Both organisations said yes; their partnerships decide next."""

    TYPE = EventType.MATCH_AGREED


class MatchEndorsed(MatchEvent):
    """One of two partnerships approved; the other one's word is open."""

    TYPE = EventType.MATCH_ENDORSED

    endorsed_by: str
    """The partnership that approved."""


class MatchApproved(MatchEvent):
    """Both partnerships approved, and the visitor's one visit of the scheme is claimed by this match."""

    TYPE = EventType.MATCH_APPROVED

    score: float | None = None
    """How well the two fit, from 0 to 100."""
    reasons: list[Reason] = Field(default_factory=list)
    """Strongest first."""


class MatchDeclined(MatchEvent):
    """One organisation said no."""

    TYPE = EventType.MATCH_DECLINED

    declined_by: Side
    """Who said no."""
    reason: str = ""
    """In its own words; may be empty."""


class MatchRefused(MatchEvent):
    """A partnership said no, or the scheme's rules did."""

    TYPE = EventType.MATCH_REFUSED

    refused_by: str
    """The partnership that said no, or `scheme` where a rule did."""
    reason: str
    """In plain words."""


class MatchCancelled(MatchEvent):
    """The match ended before the stay; an approved one gives the visit right back."""

    TYPE = EventType.MATCH_CANCELLED

    reason: str
    """In plain words."""
    was_approved: bool
    """Both partnerships had approved it, so its lump sum ends too."""


class CommitmentEvent(MatchEvent):
    """What every event of a Commitment to Quality carries: the paper an approved match is signed on."""

    commitment_id: str
    """The id of the commitment; a match has one."""
    missing: list[SigningRole] = Field(default_factory=list)
    """Whose signature is missing: HO host organisation, HOP its partnership, VO visiting organisation,
    VOP its partnership."""


class CommitmentDrawnUp(CommitmentEvent):
    """A match was approved, and a draft of its commitment awaits goals, agenda and four signatures."""

    TYPE = EventType.COMMITMENT_DRAWN_UP


class SignatureGiven(Contract):
    """Who signed, and when."""

    role: SigningRole
    """In which role."""
    signed_for: str
    """The organisation or partnership, as the document names it."""
    at: datetime
    """When, in UTC."""


class CommitmentSigned(CommitmentEvent):
    """One of the four signed; the last signature is told by `cxc.commitment.completed.v1` as well."""

    TYPE = EventType.COMMITMENT_SIGNED

    signed_as: SigningRole
    """The role in which it was signed."""
    signed_for: str
    """The organisation or partnership it was signed for, as the document names it."""
    signed_at: datetime
    """When, in UTC."""
    document_sha256: str
    """The document that was signed: the SHA-256 of its content, in hexadecimal."""


class CommitmentVoided(CommitmentEvent):
    """Signatures do not hold any more: the content was changed, or the match has ended."""

    TYPE = EventType.COMMITMENT_VOIDED

    reason: str
    """In plain words."""
    voided: list[SigningRole]
    """Whose signatures they were; empty where nobody had signed."""
    was_complete: bool
    """All four had signed: what rests on that is open again."""
    final: bool
    """There is nothing to sign any more; else it is to be signed anew."""


class CommitmentCompleted(CommitmentEvent):
    """All four have signed the same document."""

    TYPE = EventType.COMMITMENT_COMPLETED

    document_sha256: str
    """The document they signed: the SHA-256 of its content, in hexadecimal."""
    signatures: list[SignatureGiven]
    """In the order they were given."""


class MatchSuggested(MatchEvent):
    """The programme's plan suggested a match; both organisations are asked, in any order."""

    TYPE = EventType.MATCH_SUGGESTED

    plan_id: str
    """The plan it is part of."""
    score: float
    """How well the two fit, from 0 to 100."""
    reasons: list[Reason] = Field(default_factory=list)
    """Strongest first."""
    answer_by: date
    """The last day for an answer; if neither side takes it up, it expires after it."""


class MatchCountered(MatchEvent):
    """Who was asked answered with other days, which are the stay now; the other side answers."""

    TYPE = EventType.MATCH_COUNTERED

    countered_by: Side
    """Who named other days."""
    former_stay: Window
    """The days that were proposed before."""
    reason: str = ""
    """In its own words; may be empty."""
    answer_by: date
    """The last day for the answer; without one the proposal expires after it."""


class MatchWithdrawn(MatchEvent):
    """Who proposed took the proposal back before there was an answer."""

    TYPE = EventType.MATCH_WITHDRAWN

    withdrawn_by: Side
    """Who took it back."""
    reason: str = ""
    """In its own words; may be empty."""


class MatchReminded(MatchEvent):
    """A word is still open: of an organisation that was asked, or of a partnership that has to decide."""

    TYPE = EventType.MATCH_REMINDED

    state: MatchState
    """`proposed` where organisations are asked, `agreed` where partnerships decide."""
    awaits: list[str]
    """Whose word is open: registrations or partnerships."""
    answer_by: date
    """The last day for it; a proposal expires after it, a match both agreed to does not."""


class MatchExpired(MatchEvent):
    """Nobody answered the proposal in time; the two may try again."""

    TYPE = EventType.MATCH_EXPIRED

    unanswered_by: list[Side]
    """Who was asked and did not answer."""


class InvitationEvent(Event):
    """What every event of an invitation by link carries."""

    invitation_id: str
    """The id of the invitation."""
    party: Party
    """Who invites."""
    invited_as: Role
    """What the invited organisation would be."""
    stay: Window
    """The days both have in mind."""


class InvitationSent(InvitationEvent):
    """An organisation invited a partner it has found, who may not be registered yet."""

    TYPE = EventType.INVITATION_SENT

    message: str = ""
    """In the inviting organisation's own words; may be empty."""
    expires_on: date
    """The last day the link works."""
    sealed: str
    """The invited address and the link's token, which only the service that writes the mail can read."""


class InvitationAccepted(InvitationEvent):
    """The invited organisation took it up; the two are pre-agreed partners."""

    TYPE = EventType.INVITATION_ACCEPTED

    accepted_by: str
    """The registration it was taken up for; it may not be accepted yet."""


class InvitationWithdrawn(InvitationEvent):
    """Who invited took it back, or left; the link does not work any more."""

    TYPE = EventType.INVITATION_WITHDRAWN


class PlanShare(Contract):
    """What became of the pairs of a plan in which a partnership manages a side."""

    partnership: str
    """The partnership's id; a pair of two partnerships is counted for both."""
    suggested: int = 0
    """Pairs that were suggested to both organisations."""
    standing: int = 0
    """Pairs that had an open match already, which goes on."""
    dropped: int = 0
    """Pairs that no longer held; the plan says why."""


class PlanPublished(Event):
    """A plan for the whole pool, or a part of it, was published: its pairs are suggested as matches."""

    TYPE = EventType.PLAN_PUBLISHED

    plan_id: str
    """The plan; each suggestion names it too."""
    suggested: int
    """Pairs that were suggested to both organisations."""
    standing: int
    """Pairs that had an open match already, which goes on."""
    dropped: int
    """Pairs that no longer held; the plan says why."""
    left: int
    """Pairs of the plan that have not been published yet."""
    partnerships: list[PlanShare] = Field(default_factory=list)
    """The same for each partnership."""


AttendsAs = Literal["visitor", "local"]
"""From abroad, by a match and with a lump sum of its own; or from the country of the event, without."""


class GatheringEvent(Event):
    """What every event of a group event carries: one host and one agenda, many organisations that come."""

    group_event_id: str
    """The id of the group event."""
    title: str
    """What it is called."""
    partnership: str
    """The partnership that holds it, which is the host's."""
    host: Party
    """Who receives the visitors."""
    place: Place
    """The city it is in; its country is the host's."""
    days: Window
    """Its days, which are the stay of each visitor."""
    state: GatheringState
    """Where it stands now."""


class GatheringOpened(GatheringEvent):
    """Organisations may sign up for a group event."""

    TYPE = EventType.GROUP_EVENT_OPENED

    places: int
    """Places for visitors; for all, where locals have none of their own."""
    local_places: int | None = None
    """Places for organisations of its country; absent where they take of the same places."""
    sign_up_until: date
    """The last day for it."""


class GatheringChanged(GatheringEvent):
    """A group event was planned, changed or closed for sign-ups, or is over: what it says now."""

    TYPE = EventType.GROUP_EVENT_CHANGED

    former_days: Window | None = None
    """The days it was to be on before, if it was moved; each visitor's match is made anew then."""
    concerned: list[Party] = Field(default_factory=list)
    """Everybody on its list, if it was moved."""


class GatheringCancelled(GatheringEvent):
    """A group event will not be held; each visitor's match is cancelled by an event of its own."""

    TYPE = EventType.GROUP_EVENT_CANCELLED

    reason: str
    """In plain words."""
    concerned: list[Party] = Field(default_factory=list)
    """Who was on its list without a match: locals, and whoever waited."""


class PlaceEvent(GatheringEvent):
    """What an event of one organisation on the list of a group event carries."""

    party: Party
    """Whose place it is."""
    attends_as: AttendsAs
    """A local's amount is 0, its one visit is not used, and it does not count as an exchange."""


class PlaceTaken(PlaceEvent):
    """An organisation has a place at a group event, at once or from the waiting list."""

    TYPE = EventType.GROUP_EVENT_PLACE_TAKEN

    match_id: str | None = None
    """The visitor's match, to be approved like any other; locals have none."""
    moved_up: bool
    """It waited, and a place became free."""


class PlaceAwaited(PlaceEvent):
    """All places were taken when the organisation signed up: it waits for one."""

    TYPE = EventType.GROUP_EVENT_PLACE_AWAITED

    number: int
    """Its place on the waiting list at that moment, from 1."""


class PlaceLeft(PlaceEvent):
    """An organisation is on the list of a group event no longer; a place it had goes to who waits."""

    TYPE = EventType.GROUP_EVENT_PLACE_LEFT

    match_id: str | None = None
    """The match it had a place by, which ended."""
    had_place: bool
    """It did not only wait."""
    reason: str
    """In plain words; may be empty."""
