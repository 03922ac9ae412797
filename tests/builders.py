"""Things tests start from: valid unless told otherwise, made of organisations that do not exist."""

from __future__ import annotations

import copy
from datetime import UTC, date, datetime
from typing import Any

import orjson
from pydantic import SecretStr

from shared.contracts.common import Party, Place, Window
from shared.contracts.envelope import Cause, CloudEvent, Event, new_id, wrap
from shared.contracts.matching import MatchApproved, MatchCancelled
from shared.contracts.types import EventType
from shared.contracts.vocabulary import OrganisationKind, Role
from shared.messaging.message import Message
from shared.messaging.topics import REGISTRATION_INBOX, ServiceName

Data = dict[str, Any]

A_MOMENT = datetime(2023, 1, 16, 9, 30, tzinfo=UTC)
A_SECRET = SecretStr("a sample secret of more than thirty-two characters")
"""What the golden example of an invitation was sealed with."""


def a_submission(**changes: Any) -> Data:
    """A visiting SME from Lisbon, eligible in every respect, as JSON; `changes` replace top-level fields."""
    return _changed(
        {
            "organisation": {
                "name": "Tagus Fibre Works (sample)",
                "kind": "sme",
                "country": "PT",
                "city": "Lisbon",
                "pic": "900000001",
                "memberships": [{"name": "Sample Textile Cluster", "kind": "cluster", "on_eccp": True}],
            },
            "participant": {"email": "office@tagus-fibre.example", "language": "en"},
            "roles": ["visitor"],
            "motivation": "We want to learn how hemp fibre is spun at scale.",
            "goals": ["adopt_technology", "learn_from_cluster"],
            "ecosystems": ["textile"],
            "offers": ["market access"],
            "needs": ["hemp fibre", "spinning"],
            "languages": ["en", "pt"],
            "availability": [{"first_day": "2023-02-06", "last_day": "2023-03-31"}],
            "partnership": "hempclub",
        },
        changes,
    )


def a_host_submission(**changes: Any) -> Data:
    """A hosting tech centre in Milan."""
    return _changed(
        a_submission(
            organisation={
                "name": "Navigli Textile Tech Centre (sample)",
                "kind": "tech_centre",
                "country": "IT",
                "city": "Milan",
                "pic": "900000002",
                "memberships": [{"name": "Sample Textile Cluster", "kind": "cluster", "on_eccp": True}],
            },
            participant={"email": "office@navigli-textile.example", "language": "en"},
            roles=["host"],
            motivation="We show our spinning line to visitors.",
            offers=["hemp fibre", "spinning"],
            needs=["market access"],
            languages=["en", "it"],
            host_places=2,
        ),
        changes,
    )


def an_inbox_event(
    data: Any,
    *,
    type: str = EventType.SUBMIT_REGISTRATION,
    id: str | None = None,
    source: str = "/sample/crm",
    subject: str | None = "REG-1",
) -> Data:
    """What an outside system publishes, as JSON."""
    event = {"specversion": "1.0", "id": id or new_id(), "source": source, "type": type, "data": data}
    return event if subject is None else {**event, "subject": subject}


def a_message(
    content: Data | CloudEvent | bytes | None,
    *,
    topic: str = REGISTRATION_INBOX,
    offset: int = 0,
    partition: int = 0,
    key: bytes | None = None,
    headers: tuple[tuple[str, bytes], ...] = (),
) -> Message:
    """A Kafka message with this content."""
    if isinstance(content, CloudEvent):
        key = key or (content.partitionkey or "").encode() or None
        value: bytes | None = content.to_json()
    else:
        value = content if isinstance(content, bytes) or content is None else orjson.dumps(content)
    return Message(topic, partition, offset, key, value, headers, 1_700_000_000_000 + offset)


def an_envelope(event: Event, *, service: ServiceName, subject: str, sequence: int = 1) -> CloudEvent:
    """The event as its service publishes it."""
    return wrap(event, service=service, subject=subject, sequence=sequence, cause=Cause(), at=A_MOMENT)


def a_party(registration_id: str | None = None, **changes: Any) -> Party:
    """A visiting SME of Lisbon in HempClub."""
    id = registration_id or new_id()
    fields: Data = {
        "registration_id": id,
        "organisation": "Tagus Fibre Works (sample)",
        "kind": OrganisationKind.SME,
        "place": Place(country="PT", city="Lisbon"),
        "email": "office@tagus-fibre.example",
        "partnership": "hempclub",
        "roles": [Role.VISITOR],
        "owner": id,
        "identifiers": [f"pic:{id}"],
        **changes,
    }
    return Party(**fields)


def a_host_party(registration_id: str | None = None, **changes: Any) -> Party:
    """A hosting tech centre of Milan in HempClub."""
    defaults: Data = {
        "organisation": "Navigli Textile Tech Centre (sample)",
        "kind": OrganisationKind.TECH_CENTRE,
        "place": Place(country="IT", city="Milan"),
        "email": "office@navigli-textile.example",
        "roles": [Role.HOST],
    }
    return a_party(registration_id, **{**defaults, **changes})


def a_stay(first_day: date = date(2023, 2, 14), last_day: date = date(2023, 2, 16)) -> Window:
    """Three working days in Milan."""
    return Window(first_day=first_day, last_day=last_day)


def an_approved_match(match_id: str | None = None, **changes: Any) -> MatchApproved:
    """Lisbon to Milan, approved by both partnerships."""
    fields: Data = {
        "match_id": match_id or new_id(),
        "visitor": a_party(),
        "host": a_host_party(),
        "stay": a_stay(),
        **changes,
    }
    return MatchApproved(**fields)


def a_cancelled_match(approved: MatchApproved, reason: str = "The visitor cannot travel.") -> MatchCancelled:
    """The same match, cancelled after its approval."""
    return MatchCancelled(
        match_id=approved.match_id,
        visitor=approved.visitor,
        host=approved.host,
        stay=approved.stay,
        reason=reason,
        was_approved=True,
    )


def _changed(base: Data, changes: Data) -> Data:
    return copy.deepcopy({**base, **changes})
