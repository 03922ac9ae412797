"""An example of every message that is told of an event: the golden examples, told to those the rules name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.recipients import (
    SUPPORT_OFFICE,
    Desk,
    OpenedInvitation,
    Recipient,
    audience,
    partnerships,
)
from services.notifications.domain.rules import AUTO_ACCEPT, Audience, Link, Rule, RuleTable
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.common import Receipt, RuleOutcome
from shared.contracts.envelope import Event
from shared.contracts.examples import example
from shared.contracts.matching import InvitationSent, MatchReminded
from shared.contracts.vocabulary import RegistrationState

DESKS: Final = {
    "hempclub": Desk("hempclub", "HempClub", ("staff@hempclub.example",)),
    "sample-fashion": Desk("sample-fashion", "Sample Fashion", ("staff@sample-fashion.example",)),
    SUPPORT_OFFICE: Desk(SUPPORT_OFFICE, "the support office", ("office@support.example",)),
}
_DEADLINE: Final = date(2023, 2, 13)


def _receipt(outcome: Literal["failed", "needs_review"], rule: str, sentence: str, for_staff: str) -> Receipt:
    found = RuleOutcome(
        rule=rule, outcome=outcome, sentence=sentence, source="CXC call, 'Who can participate'"
    )
    return Receipt(rule_set="cxc-2020", outcomes=[found], sentence=sentence, for_staff=for_staff)


_WITH_VERDICT: Final[dict[str, dict[str, Any]]] = {
    "ineligible": {
        "state": RegistrationState.INELIGIBLE,
        "receipt": _receipt(
            "failed",
            "visitor-kind",
            "Large companies can host, but not visit.",
            "One rule stands against accepting it as visitor.",
        ),
    },
    "needs_review": {
        "state": RegistrationState.NEEDS_REVIEW,
        "receipt": _receipt(
            "needs_review",
            "membership",
            "Nothing on file says which cluster the organisation is a member of.",
            "One rule needs a person: see whether the organisation is a member of a cluster.",
        ),
    },
}
"""What the golden examples, which are eligible, are to carry where they are not."""


@dataclass(frozen=True)
class Example:
    """A rule with an event it is for, and somebody it tells of it."""

    rule: Rule
    event: Event
    recipient: Recipient
    link: Link

    @property
    def template(self) -> str:
        """Its name."""
        return self.rule.template


def examples(rules: RuleTable, deadlines: DeadlineTable) -> Iterator[Example]:
    """At least one for each template that either table uses."""
    for wire_type, table in rules.events.items():
        told = _golden(wire_type)
        for rule in table:
            yield from _told(rule, _as_in(rule, told), rules.link_for(wire_type))
    for deadline in deadlines.deadlines.values():
        asks = deadline.told(_golden(next(iter(deadline.asks))), _DEADLINE)
        for over in (False, True):
            for rule in deadline.rules:
                event = asks.model_copy(update={"over": over})
                yield from _told(rule, _as_in(rule, event), rules.links[deadline.link])


def _golden(wire_type: str) -> Event:
    event = EVENT_MODELS[wire_type].model_validate(example(wire_type)["data"])
    if isinstance(event, InvitationSent):
        return OpenedInvitation(**dict(event), email="office@new-partner.example", token="the-token")
    return event


def _as_in(rule: Rule, event: Event) -> Event:
    """The event, changed so that the rule's conditions hold as far as a field's value makes them."""
    wanted: dict[str, Any] = {}
    if rule.to is Audience.AWAITED_STAFF and isinstance(event, MatchReminded):
        wanted["awaits"] = partnerships(event)
    for field, condition in rule.when.items():
        if field == "verdict" and isinstance(condition, list):
            wanted |= _WITH_VERDICT.get(str(condition[0]), {})
        if condition == "absent":
            wanted[field] = None
        elif field == "signed_as" and condition == ["VOP"]:
            wanted |= {field: "VOP", "signed_for": DESKS["hempclub"].name, "missing": []}
        elif condition != "present" and field != AUTO_ACCEPT and getattr(event, field) not in condition:
            wanted[field] = condition[0]
    return event.model_copy(update=wanted)


def _told(rule: Rule, event: Event, link: Link) -> Iterator[Example]:
    for recipient in audience(event, rule.to, DESKS):
        yield Example(rule, event, recipient, link)
