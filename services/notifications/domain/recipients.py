"""Who is concerned by an event, and by which address: pure functions of the event and the partnerships."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, NamedTuple

from services.notifications.domain.rules import Audience, Rule
from services.notifications.domain.wishes import seat_key
from shared.contracts.common import Party
from shared.contracts.envelope import Event
from shared.contracts.funding import ForecastWarning, GrantEvent, LedgerDiffered, PaymentEvent
from shared.contracts.matching import (
    CommitmentEvent,
    CommitmentVoided,
    FitsFound,
    GatheringCancelled,
    GatheringChanged,
    GatheringEvent,
    InvitationEvent,
    InvitationSent,
    MatchCountered,
    MatchDeclined,
    MatchEndorsed,
    MatchEvent,
    MatchProposed,
    MatchReminded,
    MatchWithdrawn,
    MessageSent,
    PlaceEvent,
    PlanPublished,
    SearchMatched,
    SigningRole,
)
from shared.contracts.notifications import AddressEvent, EndpointDisabled
from shared.contracts.registration import RegistrationMerged, RegistrationUnmerged

Role = Literal["participant", "visitor", "host", "staff", "invited"]

SUPPORT_OFFICE: Final = "support_office"
"""Its desk beside those of the partnerships; no partnership can be called that."""


class OpenedInvitation(InvitationSent):
    """An invitation with what was sealed in it."""

    email: str
    token: str


class OwnedEndpointDisabled(EndpointDisabled):
    """A webhook endpoint that was given up, with the address its owner left."""

    contact: str | None


class Seat(NamedTuple):
    """An address of a recipient: the language its mails are in, and whose wishes count for it first."""

    address: str
    language: str
    person: str


@dataclass(frozen=True)
class Desk:
    """The staff of a partnership, as notifications need to know it."""

    id: str
    name: str
    addresses: tuple[str, ...] = ()
    auto_accept: bool = False
    languages: Mapping[str, str] = field(default_factory=dict)
    """By address; English where there is none."""

    @cached_property
    def seats(self) -> tuple[Seat, ...]:
        """Its addresses in their order."""
        key = partnership_key(self.id)
        return tuple(
            Seat(address, self.languages.get(address, "en"), seat_key(key, address))
            for address in self.addresses
        )


@dataclass(frozen=True)
class Recipient:
    """Someone an event concerns: an organisation, or the staff of a partnership."""

    role: Role
    key: str
    """`organisation:<owner>` or `partnership:<id>`: whose inbox it is, whatever the addresses."""
    seats: tuple[Seat, ...]
    partnership: str | None
    party: Party | None = None
    auto_accept: bool = False

    def is_of(self, registrations: Collection[str]) -> bool:
        """Whether it is the organisation of one of these registrations."""
        return self.party is not None and self.party.registration_id in registrations


Served = tuple[Recipient, Rule]
"""Somebody who is told of an event, and the rule that says so."""


def organisation_key(owner: str) -> str:
    """The inbox of an organisation."""
    return f"organisation:{owner}"


def partnership_key(partnership: str) -> str:
    """The inbox a partnership's staff share."""
    return f"partnership:{partnership}"


def serve(event: Event, rules: Sequence[Rule], desks: Mapping[str, Desk]) -> list[Served]:
    """Everybody this event is told to: the first rule that applies serves, later ones pass by."""
    found: dict[str, Served] = {}
    for rule in rules:
        for recipient in audience(event, rule.to, desks):
            if recipient.key not in found and rule.applies(event, auto_accept=recipient.auto_accept):
                found[recipient.key] = (recipient, rule)
    return list(found.values())


def parties(event: Event) -> dict[Role, Party]:
    """The organisations of the event by their role in it."""
    if isinstance(event, (MatchEvent, GrantEvent)):
        return {"visitor": event.visitor, "host": event.host}
    if isinstance(event, GatheringEvent):
        host: dict[Role, Party] = {"host": event.host}
        return {"participant": event.party, **host} if isinstance(event, PlaceEvent) else host
    party = getattr(event, "party", None)
    return {"participant": party} if isinstance(party, Party) else {}


def partnerships(event: Event) -> list[str]:
    """The partnerships concerned, the visitor's first, each once."""
    of_one = (GrantEvent, GatheringEvent, LedgerDiffered, ForecastWarning, PaymentEvent)
    concerned = [event.partnership] if isinstance(event, of_one) else []
    if isinstance(event, AddressEvent):
        concerned = list(event.partnerships)
    if isinstance(event, PlanPublished):
        concerned = [share.partnership for share in event.partnerships]
    if isinstance(event, (SearchMatched, EndpointDisabled)) and event.partnership:
        concerned = [event.partnership]
    concerned += [party.partnership for party in parties(event).values() if party.partnership]
    return list(dict.fromkeys(concerned))


def registrations(event: Event) -> list[str]:
    """The registrations whose organisations a message about the event may name, each once."""
    named = [party.registration_id for party in parties(event).values()]
    if isinstance(event, FitsFound):
        named += [fit.partner.registration_id for fit in event.fits]
    if isinstance(event, MessageSent):
        named.append(event.sender.registration_id)
    if isinstance(event, AddressEvent) and event.registration_id:
        named.append(event.registration_id)
    if isinstance(event, SearchMatched):
        named += [profile.registration_id for profile in event.found]
    named += [party.registration_id for party in _listed(event)]
    return list(dict.fromkeys(named))


def mentioned(event: Event, recipient: Recipient, named: Sequence[str]) -> Sequence[str]:
    """Those of them that a message to this recipient may name: of the list of a group event only itself."""
    listed = {party.registration_id for party in _listed(event)}
    return [id for id in named if id not in listed or recipient.is_of([id])] if listed else named


def about(event: Event) -> str:
    """What the event is about: the id of a grant, group event, invitation, match, partnership, payment,
    plan or registration."""
    if isinstance(event, GrantEvent):
        return event.grant_id
    if isinstance(event, InvitationEvent):
        return event.invitation_id
    return case(event)


def matter(event: Event) -> str | None:
    """Which of several like facts about the same it is, so that one is undone and the others stand."""
    if isinstance(event, PlaceEvent):
        return event.party.registration_id
    if isinstance(event, (RegistrationMerged, RegistrationUnmerged)):
        return event.merge_id
    return None


def case(event: Event) -> str:
    """What mails are threaded by: match, plan, group event, partnership or payment, else the registration."""
    if isinstance(event, (MatchEvent, GrantEvent)):
        return event.match_id
    if isinstance(event, PlanPublished):
        return event.plan_id
    if isinstance(event, EndpointDisabled):
        return event.endpoint_id
    if isinstance(event, AddressEvent):
        return event.suppression_id
    if isinstance(event, (LedgerDiffered, ForecastWarning)):
        return event.partnership
    if isinstance(event, PaymentEvent):
        return event.payment_id
    if isinstance(event, GatheringEvent):
        return event.group_event_id
    return next((party.registration_id for party in parties(event).values()), "")


def case_name(event: Event) -> str:
    """What the case is called by those it concerns: the visitor and the host, the organisation, the title."""
    if isinstance(event, GatheringEvent):
        return event.title
    if isinstance(event, EndpointDisabled):
        return event.server
    if isinstance(event, AddressEvent):
        return event.address
    return " → ".join(party.organisation for party in parties(event).values())


def concerned(event: Event, desks: Mapping[str, Desk]) -> Iterator[Recipient]:
    """The organisations of the event and the staff of its partnerships, whoever is told of it."""
    for role in parties(event):
        yield from _organisation(event, role, desks)
    yield from _staff(partnerships(event), desks)


def audience(event: Event, to: Audience, desks: Mapping[str, Desk]) -> Iterator[Recipient]:
    """Those a rule for this audience speaks to, whatever its conditions."""
    match to:
        case Audience.STAFF:
            yield from _staff(partnerships(event), desks)
        case Audience.VISITOR_STAFF:
            # A grant is the paying partnership's matter alone, and that manages the visitor.
            yield from _staff(partnerships(event)[:1], desks)
        case Audience.OTHER_STAFF:
            spoken = event.endorsed_by if isinstance(event, MatchEndorsed) else None
            yield from _staff([id for id in partnerships(event) if id != spoken], desks)
        case Audience.AWAITED:
            for role, party in parties(event).items():
                if party.registration_id in _awaited(event):
                    yield from _organisation(event, role, desks)
        case Audience.INVITED:
            if isinstance(event, OpenedInvitation):
                yield _invited(event)
        case Audience.LISTED:
            for party in _listed(event):
                yield _of(party, "participant", desks)
        case Audience.AWAITED_STAFF:
            yield from _staff([id for id in partnerships(event) if id in _awaited(event)], desks)
        case Audience.ENDPOINT_CONTACT:
            if isinstance(event, OwnedEndpointDisabled) and event.contact:
                yield _contact_of(event, event.contact)
        case Audience.SUPPORT_OFFICE:
            yield from _staff([SUPPORT_OFFICE], desks)
        case Audience.OTHER_SIDE:
            yield from _organisation(event, _other_side(event), desks)
        case Audience.PARTICIPANT:
            yield from _organisation(event, "participant", desks)
        case Audience.VISITOR:
            yield from _organisation(event, "visitor", desks)
        case Audience.HOST:
            yield from _organisation(event, "host", desks)


def _other_side(event: Event) -> Role:
    match event:
        case MatchProposed():
            acted = event.proposed_by
        case MatchDeclined():
            acted = event.declined_by
        case MatchCountered():
            acted = event.countered_by
        case MatchWithdrawn():
            acted = event.withdrawn_by
        case _:
            raise ValueError(f"{type(event).__name__} has no side that acted")
    return "host" if acted == "visitor" else "visitor"


def _awaited(event: Event) -> list[str]:
    match event:
        case MatchReminded():
            return event.awaits
        case CommitmentVoided():
            return _signers(event, event.voided)
        case CommitmentEvent():
            return _signers(event, event.missing)
        case _:
            return []


def _signers(event: CommitmentEvent, roles: Sequence[SigningRole]) -> list[str]:
    visitors, hosts = event.visitor.partnership, event.host.partnership
    signers: dict[SigningRole, str | None] = {
        "HO": event.host.registration_id,
        "HOP": hosts or visitors,
        "VO": event.visitor.registration_id,
        "VOP": visitors or hosts,
    }
    return [signer for role in roles if (signer := signers[role])]


def _organisation(event: Event, role: Role, desks: Mapping[str, Desk]) -> Iterator[Recipient]:
    party = parties(event).get(role)
    if party is not None:
        # Fits are for an organisation in the role it looks in.
        yield _of(party, event.side if isinstance(event, FitsFound) else role, desks)


def _listed(event: Event) -> list[Party]:
    return event.concerned if isinstance(event, (GatheringChanged, GatheringCancelled)) else []


def _of(party: Party, role: Role, desks: Mapping[str, Desk]) -> Recipient:
    desk = desks.get(party.partnership or "")
    key = organisation_key(party.owner)
    return Recipient(
        role=role,
        key=key,
        seats=(Seat(party.email, party.language, key),) if party.email.strip() else (),
        partnership=party.partnership,
        party=party,
        auto_accept=desk is not None and desk.auto_accept,
    )


def _invited(event: OpenedInvitation) -> Recipient:
    key = f"invitation:{event.invitation_id}"
    return Recipient(
        role="invited",
        key=key,
        seats=(Seat(event.email, event.party.language, key),),
        partnership=event.party.partnership,
        # Not its own, there may be none yet: the mail is erased with the registration that invites.
        party=event.party,
    )


def _contact_of(event: OwnedEndpointDisabled, address: str) -> Recipient:
    key = f"endpoint:{event.endpoint_id}"
    return Recipient(role="staff", key=key, seats=(Seat(address, "en", key),), partnership=event.partnership)


def _staff(ids: Sequence[str], desks: Mapping[str, Desk]) -> Iterator[Recipient]:
    for id in ids:
        desk = desks.get(id)
        if desk is not None:
            yield Recipient(
                role="staff",
                key=partnership_key(id),
                seats=desk.seats,
                partnership=id,
                auto_accept=desk.auto_accept,
            )
