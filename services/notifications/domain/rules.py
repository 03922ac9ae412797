"""The table that says who learns of which event, through which channels, in which words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, model_validator

from shared.contracts.envelope import Event


class Channel(StrEnum):
    """How a recipient hears of a fact."""

    EMAIL = "email"
    INBOX = "inbox"
    CHAT = "chat"


class Urgency(StrEnum):
    """How much a fact presses."""

    CRITICAL = "critical"
    """Somebody loses money or a place, or must act within days: sent at once, whatever was wished."""
    NORMAL = "normal"
    DIGEST = "digest"
    """Good to know: no mail of its own, but in the digest of whoever wishes for one."""


class Audience(StrEnum):
    """Whom a rule speaks to; which organisation or partnership that is, the event says."""

    PARTICIPANT = "participant"
    """The organisation of a registration."""
    VISITOR = "visitor"
    HOST = "host"
    OTHER_SIDE = "other_side"
    """Of visitor and host, the one that did not act: the one asked, or the one declined."""
    STAFF = "staff"
    """Staff of every partnership concerned."""
    VISITOR_STAFF = "visitor_staff"
    OTHER_STAFF = "other_staff"
    """Staff of the partnership whose word is still open."""
    AWAITED = "awaited"
    """Of the organisations of a match, those whose word or signature is open."""
    LISTED = "listed"
    """Everybody on the list of a group event whom the event names."""
    INVITED = "invited"
    """The address an invitation goes to, of whoever it is."""
    AWAITED_STAFF = "awaited_staff"
    """Staff of the partnerships whose word or signature is open."""
    ENDPOINT_CONTACT = "endpoint_contact"
    """The address that the owner of a webhook endpoint left."""
    SUPPORT_OFFICE = "support_office"
    """Whoever looks after the whole scheme."""


AUTO_ACCEPT = "auto_accept"
"""The one condition that is not a field of the event: whether the recipient's partnership takes
eligible registrations by itself."""

Condition = Literal["present", "absent"] | list[str | bool]


class Rule(BaseModel):
    """One line of the table. `when`: field of the event → accepted values, or whether it holds anything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Audience
    when: dict[str, Condition] = Field(default_factory=dict)
    template: str
    channels: frozenset[Channel]
    urgency: Urgency = Urgency.NORMAL
    """Left out, `digest` for what only lies in the inbox."""
    asks: bool = False
    """Whether the recipient has something to do."""
    why: str

    @model_validator(mode="before")
    @classmethod
    def _what_only_lies_in_the_inbox_is_for_digests(cls, given: Any) -> Any:
        if isinstance(given, dict) and "urgency" not in given and given.get("channels") == [Channel.INBOX]:
            return {**given, "urgency": Urgency.DIGEST}
        return given

    @model_validator(mode="after")
    def _digests_have_no_mail_of_their_own(self) -> Self:
        if self.urgency is Urgency.DIGEST and Channel.EMAIL in self.channels:
            raise ValueError(
                f"{self.template}: what is only for digests has no mail of its own; leave out email"
            )
        return self

    def applies(self, event: Event, *, auto_accept: bool) -> bool:
        """Whether every condition holds for this event and this recipient."""
        return all(
            holds(condition, auto_accept if field == AUTO_ACCEPT else getattr(event, field))
            for field, condition in self.when.items()
        )


def holds(condition: Condition, value: Any) -> bool:
    """Whether the value of a field is as the condition wants it."""
    if condition == "present":
        return bool(value)
    if condition == "absent":
        return not value
    return value in condition


class Link(BaseModel):
    """The one link of a message: path under the public address, `{about}` and fields filled in; its label."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    label: str


class Kind(BaseModel):
    """A kind of fact that people have wishes about: its name for them, and the event kinds it covers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str
    covers: frozenset[str]
    """Second parts of event types: registration, fits, match, commitment, grant."""


class Undoing(BaseModel):
    """Which facts about the same do not hold any more once this event has come, if `when` holds for it.

    What waits to be sent about them is cancelled in either case.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    undone: frozenset[str] = frozenset()
    """Taken back: whoever was to hear of it by mail and has not is not mailed of this event either."""
    overtaken: frozenset[str] = frozenset()
    """Done or out of date: this event is told as its rules say."""
    when: dict[str, Condition] = Field(default_factory=dict)


class DigestReason(BaseModel):
    """Why somebody gets a digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    why: str


class RuleTable(BaseModel):
    """Every event of the other services: its rules, or the reason why nobody is told."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    links: dict[str, Link]
    """By the second part of the event type: registration, fits, match, commitment, grant."""
    events: dict[str, list[Rule]]
    nobody: dict[str, str]
    kinds: dict[str, Kind]
    digests: dict[str, DigestReason]
    """By the pace that was wished; `at_once` for whoever had many messages."""
    undoes: dict[str, Undoing] = Field(default_factory=dict)
    """Event type → the types it undoes where they are about the same."""

    _kind_by_link: dict[str, str] = PrivateAttr(default_factory=dict)
    _undoable: frozenset[str] = PrivateAttr(default_factory=frozenset)

    def model_post_init(self, _: Any) -> None:
        """Turn round what is asked about every event."""
        self._kind_by_link = {part: id for id, kind in self.kinds.items() for part in kind.covers}
        self._undoable = frozenset[str]().union(*(one.undone | one.overtaken for one in self.undoes.values()))

    @model_validator(mode="after")
    def _told_or_not_told(self) -> Self:
        both = self.events.keys() & self.nobody.keys()
        if both:
            raise ValueError(f"both told and not told: {', '.join(sorted(both))}")
        for wire_type in self.events:
            if kind_of(wire_type) not in self.links:
                raise ValueError(f"{wire_type} has no link")
            if kind_of(wire_type) not in self._kind_by_link:
                raise ValueError(f"{wire_type} is of no kind")
        covered = [part for kind in self.kinds.values() for part in kind.covers]
        if twice := {part for part in covered if covered.count(part) > 1}:
            raise ValueError(f"of two kinds: {', '.join(sorted(twice))}")
        if unknown := {*self.undoes, *self._undoable} - both - {*self.events, *self.nobody}:
            raise ValueError(f"undone or undoing, but not in the table: {', '.join(sorted(unknown))}")
        return self

    def rules_for(self, wire_type: str) -> list[Rule]:
        """The rules of an event type in their order; empty for those told to nobody."""
        return self.events.get(wire_type, [])

    def link_for(self, wire_type: str) -> Link:
        """Where messages about this type lead."""
        return self.links[kind_of(wire_type)]

    def kind_for(self, wire_type: str) -> str:
        """Which kind of fact it is for those who have wishes."""
        return self._kind_by_link[kind_of(wire_type)]

    def undoing(self, event: Event) -> Undoing | None:
        """What this event undoes."""
        found = self.undoes.get(event.TYPE)
        if found and all(holds(condition, getattr(event, field)) for field, condition in found.when.items()):
            return found
        return None

    def may_be_undone(self, wire_type: str) -> bool:
        """Whether some event undoes this one."""
        return wire_type in self._undoable

    def templates(self) -> set[str]:
        """The names of all templates the table uses."""
        return {rule.template for rules in self.events.values() for rule in rules}

    def problems(self, events: Mapping[str, type[Event]], templates: Iterable[str]) -> list[str]:
        """What does not fit the contracts and templates there are; empty when all is well."""
        told = self.events.keys() | self.nobody.keys()
        known = set(templates)
        found = [f"{wire_type} is not in the table" for wire_type in sorted(events.keys() - told)]
        found += [f"{wire_type} is no contract" for wire_type in sorted(told - events.keys())]
        found += [f"template {name} does not exist" for name in sorted(self.templates() - known)]
        for wire_type, rules in self.events.items():
            fields = set(events[wire_type].model_fields) if wire_type in events else set()
            wanted = {field for rule in rules for field in rule.when}
            if wire_type in self.undoes:
                wanted |= self.undoes[wire_type].when.keys()
            found += [f"{wire_type} has no field {field}" for field in wanted - fields - {AUTO_ACCEPT}]
        return found


def kind_of(wire_type: str) -> str:
    """The second part of the type: `cxc.match.approved.v1` → `match`."""
    return wire_type.split(".")[1]
