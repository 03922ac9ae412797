"""What happened: one entry for every event of the platform, with what a timeline needs to say of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, Final, Literal, Self

from services.console.domain.waits import EVERYTHING, desk
from shared.aggregate import Aggregate
from shared.contracts.common import ERASED, Party
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.funding import EvidenceReturned, GrantEvent, PaymentEvent
from shared.contracts.matching import (
    FitsFound,
    GatheringEvent,
    InvitationAccepted,
    InvitationEvent,
    MatchEvent,
    MessageSent,
    PlaceEvent,
    PlanPublished,
)
from shared.contracts.notifications import (
    AddressEvent,
    DeadlineReminded,
    EndpointDisabled,
    NotificationEvent,
)
from shared.contracts.registration import (
    RegistrationAccepted,
    RegistrationMerged,
    RegistrationRefused,
    RegistrationUnmerged,
    id_from_outside,
)

Audience = Literal["both", "visitor", "staff"]

_GRANT: Final = "grant-"

#: What of an event is kept for its words; anything else is asked of the services' APIs.
_FACTS: Final = (
    "accepted_by",
    "amount",
    "amount_before",
    "answer_by",
    "attends_as",
    "automatic",
    "before",
    "by",
    "change",
    "channels",
    "claimed",
    "considered",
    "counts",
    "countered_by",
    "deadline",
    "declined_by",
    "due",
    "edition",
    "endorsed_by",
    "execute_on",
    "fact_type",
    "final",
    "freed",
    "gate",
    "had_place",
    "invited_as",
    "last",
    "left",
    "merge_id",
    "moved_up",
    "number",
    "on_behalf_of",
    "over",
    "paid_on",
    "payment_id",
    "proposed_by",
    "real_stay",
    "recipient",
    "refused_by",
    "return_by",
    "same_as",
    "score",
    "signed_as",
    "state",
    "suggested",
    "title",
    "total",
    "unanswered_by",
    "undone",
    "verdict",
    "waits_for",
    "was_accepted",
    "was_approved",
    "was_complete",
    "was_validated",
    "withdrawn_by",
)
_WORDS: Final = ("detail", "difference", "question", "reason")
"""What somebody said in words of their own, which an erasure takes."""
_DAYS: Final = ("former_stay", "stay", "days")
_TOLD: Final = {*_FACTS, *_WORDS, *_DAYS}

#: Who did what an event tells, where the event does not name a side or partnership itself.
_BY_TYPE: Final[Mapping[str, str]] = {
    "screened": "participant",
    "amended": "participant",
    "withdrawn": "participant",
    "interest_confirmed": "participant",
    "rejected": "partnership",
    "assigned": "partnership",
    "information_asked": "partnership",
    "decision_undone": "partnership",
    "submitted": "visitor",
    "given": "visitor",
    "returned": "partnership",
    "validated": "partnership",
    "accepted": "partnership",
    "prepared": "partnership",
    "unprepared": "partnership",
    "released": "partnership",
    "claimed_back": "partnership",
    "published": "partnership",
    "opened": "partnership",
    "message.sent": "participant",
    "invitation.sent": "participant",
    "invitation.accepted": "participant",
    "invitation.withdrawn": "participant",
}
_ACTOR_FIELDS: Final = (
    "proposed_by",
    "countered_by",
    "declined_by",
    "withdrawn_by",
    "endorsed_by",
    "refused_by",
)
_SIGNERS: Final[Mapping[str, str]] = {"VO": "visitor", "HO": "host"}
_FOR_STAFF: Final = (
    PaymentEvent,
    NotificationEvent,
    AddressEvent,
    DeadlineReminded,
    RegistrationMerged,
    RegistrationUnmerged,
)


class Happening(Aggregate):
    """One event, as it is told; its id is the event's, so that nothing happens twice."""

    COLLECTION: ClassVar[str] = "happenings"

    type: str
    at: datetime
    subject: str
    sequence: int
    correlation: str | None = None
    """What set it off, however far back: the first event of the story."""
    cases: list[str]
    """The ids of all it is about: registrations, matches, group events, plans, payments, partnerships."""
    audience: Audience
    """Who of a match hears of it: money is the visitor's and of staff, and mails are of staff."""
    actor: str | None
    """`visitor`, `host`, `participant`, a partnership's id; None where the platform did it by itself."""
    seen_by: list[str]
    """Whose staff it concerned when it happened."""
    facts: dict[str, Any]
    said: dict[str, str] = {}
    """What somebody said in words of their own."""

    @classmethod
    def of(cls, event: Event, envelope: CloudEvent, *, at: datetime) -> Self:
        """What the event tells."""
        told = event.model_dump(mode="json", exclude_none=True, include=_TOLD)
        if isinstance(event, DeadlineReminded):
            told["name"] = event.name
        said = {name: told.pop(name) for name in _WORDS if told.get(name)}
        if isinstance(event, EvidenceReturned) and event.files:
            said["files"] = "; ".join(f"{file.name}: {file.reason}" for file in event.files)
        happening = cls(
            id=envelope.id,
            type=envelope.type,
            at=at,
            subject=envelope.subject or "",
            sequence=int(envelope.sequence or 0),
            correlation=envelope.correlationid,
            cases=_cases_of(event, envelope),
            audience=_audience_of(event),
            actor=_actor_of(event, envelope.type),
            seen_by=_seen_by(event),
            facts={name: value for name, value in told.items() if value not in ("", [])},
            said=said,
        )
        happening._touch()
        return happening

    def forget_words(self) -> None:
        """One it is about was erased: what anybody said in words goes, what happened and when stays."""
        if any(word != ERASED for word in self.said.values()):
            self.said = dict.fromkeys(self.said, ERASED)
            self._touch()


def match_of(id: str) -> str:
    """The match whose grant this is; any other id as it is."""
    return id.removeprefix(_GRANT)


def _cases_of(event: Event, envelope: CloudEvent) -> list[str]:
    match event:
        case GrantEvent():
            found = [event.match_id, event.visitor.registration_id]
        case MatchEvent():
            found = [event.match_id, event.visitor.registration_id, event.host.registration_id]
            found += [id for id in (event.group_event_id, event.__dict__.get("plan_id")) if id]
        case PlaceEvent():
            found = [event.group_event_id, event.party.registration_id]
        case GatheringEvent():
            found = [event.group_event_id, event.host.registration_id]
        case PlanPublished():
            found = [event.plan_id]
        case PaymentEvent():
            found = [event.payment_id, *map(match_of, event.grants)]
        case InvitationAccepted():
            found = [event.party.registration_id, event.accepted_by]
        case InvitationEvent() | FitsFound():
            found = [event.party.registration_id]
        case MessageSent():
            found = [event.party.registration_id, event.sender.registration_id]
        case RegistrationMerged() | RegistrationUnmerged():
            found = [event.party.registration_id, event.same_as]
        case RegistrationRefused():
            outside = event.refused_source and event.refused_subject
            found = [id_from_outside(event.refused_source, event.refused_subject)] if outside else []  # type: ignore[arg-type]
        case NotificationEvent() | DeadlineReminded():
            found = [match_of(event.about)]
        case AddressEvent():
            found = [event.registration_id] if event.registration_id else []
        case EndpointDisabled():
            found = [event.endpoint_id]
        case _:
            party = event.__dict__.get("party")
            found = [party.registration_id] if isinstance(party, Party) else [envelope.subject or ""]
    payment = event.__dict__.get("payment_id")
    return list(dict.fromkeys(id for id in (*found, payment) if id))


def _audience_of(event: Event) -> Audience:
    match event:
        case GrantEvent():
            return "visitor"
        case _ if isinstance(event, _FOR_STAFF):
            return "staff"
        case _:
            return "both"


def _actor_of(event: Event, type: str) -> str | None:
    for name in _ACTOR_FIELDS:
        if named := event.__dict__.get(name):
            return str(named)
    if signed := event.__dict__.get("signed_as"):
        side = _SIGNERS.get(signed)
        return side or _partnership_of(event, "visitor" if signed == "VOP" else "host")
    if isinstance(event, RegistrationAccepted) and event.automatic:
        return None
    family, _, last = type.rpartition(".v")[0].removeprefix("cxc.").rpartition(".")
    who = _BY_TYPE.get(f"{family}.{last}") or _BY_TYPE.get(last)
    if family == "notification" or (family == "grant" and last == "released"):
        return None
    return _partnership_of(event, "party", "visitor") if who == "partnership" else who


def _partnership_of(event: Event, *parties: str) -> str | None:
    own = event.__dict__.get("partnership")
    named = (getattr(event.__dict__.get(party), "partnership", None) for party in parties)
    return own or next((one for one in named if one), None)


def _seen_by(event: Event) -> list[str]:
    return [*dict.fromkeys(map(desk, _partnerships_in(event))), EVERYTHING]


def _partnerships_in(event: Event) -> Iterable[str]:
    for name in ("party", "visitor", "host"):
        party = event.__dict__.get(name)
        if isinstance(party, Party) and party.partnership:
            yield party.partnership
    for name in ("partnership", "before"):
        if named := event.__dict__.get(name):
            yield named
    for one in event.__dict__.get("partnerships", ()):
        yield one if isinstance(one, str) else one.partnership
