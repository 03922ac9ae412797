"""Who would get what of an event, through which channel, when and why; and who would not: shown, not sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from services.notifications.domain import recipients
from services.notifications.domain.deadlines import DeadlineTable
from services.notifications.domain.planning import NotTold, Planned, persons, plan
from services.notifications.domain.recipients import Desk, OpenedInvitation, Recipient, Role, Served
from services.notifications.domain.reminder import QUIET
from services.notifications.domain.rules import (
    AUTO_ACCEPT,
    Channel,
    Condition,
    Rule,
    RuleTable,
    Urgency,
    holds,
)
from services.notifications.domain.wishes import Pace, Wishes
from services.notifications.words import Words
from shared.contracts.catalogue import EVENT_MODELS, INBOX, upcast
from shared.contracts.envelope import CloudEvent, Event
from shared.contracts.matching import InvitationSent
from shared.errors import Malformed
from shared.problems import field_problems, in_words

SEALED = "(sealed: only the service that writes the mail can read it)"


class Told(BaseModel):
    """A message that would be made."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    recipient: Role
    name: str
    """The organisation, or whose staff it is."""
    channel: Channel
    address: str | None
    """Absent for the inbox and for chats."""
    urgency: Urgency
    kind: str
    language: str
    due_at: datetime | None
    """When it goes out, or into its digest; absent for the inbox, where it lies at once."""
    pace: Pace
    subject: str
    text: str
    link: str
    why: str
    """Why the recipient hears of it, as the rule says; the mail says it in its language."""
    because: list[str]
    """What decided on the channel and the moment."""
    person: str
    """Whose wishes count."""
    template: str


class Untold(BaseModel):
    """A message that would not be made, or somebody who would not hear at all."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    recipient: Role
    name: str
    """The organisation, or whose staff it is."""
    channel: Channel | None
    """Absent where it is not told by any."""
    address: str | None
    because: list[str]
    """Why not."""


_Shown = TypeVar("_Shown", Told, Untold)


class Foretold(BaseModel):
    """Something that is to be done, or no longer is, after the event."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    what: str
    """What is to be done."""
    by: date | None
    """The last day for it; absent where there is nothing to be done any more."""
    to_come: list[datetime]
    """When those whose turn it is are reminded, unless it is done before."""


class Preview(BaseModel):
    """What an event would lead to."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str
    about: str
    """The registration, match, grant … it is about."""
    at: datetime
    """The moment for which it is shown."""
    told: list[Told]
    not_told: list[Untold]
    undoes: list[str]
    """Types of earlier events about the same of which nothing more is sent."""
    reminders: list[Foretold]
    """What is to be done by when after it, as far as this event says."""
    notes: list[str]
    """What holds for all of them."""

    def with_addresses(self, shown: Callable[[str], str]) -> Preview:
        """With mail addresses as they may be shown."""

        def masked(one: _Shown) -> _Shown:
            if one.address is None or one.channel is not Channel.EMAIL:
                return one
            return one.model_copy(update={"address": shown(one.address)})

        told, not_told = [masked(one) for one in self.told], [masked(one) for one in self.not_told]
        return self.model_copy(update={"told": told, "not_told": not_told})


@dataclass(frozen=True)
class Previewing:
    """What the service knows that decides on messages, beside wishes."""

    rules: RuleTable
    deadlines: DeadlineTable
    words: Words
    desks: Mapping[str, Desk]
    chats: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def served(self, event: Event) -> list[Served]:
        """Everybody the event is told to."""
        return recipients.serve(event, self.rules.rules_for(event.TYPE), self.desks)

    def persons(self, event: Event) -> list[str]:
        """Everybody whose wishes may count."""
        return persons(self.served(event))

    def preview(
        self,
        event: Event,
        *,
        wishes: Mapping[str, Wishes],
        at: datetime,
        suppressed: Mapping[str, str] | None = None,
    ) -> Preview:
        """What the event would lead to at that moment, with these wishes by person.

        Raises `Malformed` where days are at the end of the calendar, so that none can be reckoned from them.
        """
        try:
            return self._preview(event, wishes=wishes, at=at, suppressed=suppressed)
        except OverflowError:
            raise Malformed(
                "No reminder or digest can be reckoned from a day of this event, or from the moment given: "
                "take days of the years 2 to 9998."
            ) from None

    def _preview(
        self,
        event: Event,
        *,
        wishes: Mapping[str, Wishes],
        at: datetime,
        suppressed: Mapping[str, str] | None,
    ) -> Preview:
        served = self.served(event)
        planned = (
            plan(
                served,
                kind=self.rules.kind_for(event.TYPE),
                wishes=wishes,
                at=at,
                chats=self.chats,
                suppressed=suppressed,
            )
            if served
            else []
        )
        undoing = self.rules.undoing(event)
        return Preview(
            type=event.TYPE,
            about=recipients.about(event),
            at=at,
            told=[self._told(event, one) for one in planned if isinstance(one, Planned)],
            not_told=[
                *(self._left_out(one) for one in planned if isinstance(one, NotTold)),
                *self._unconcerned(event, served),
            ],
            undoes=sorted(undoing.undone | undoing.overtaken) if undoing else [],
            reminders=self._foretold(event, at),
            notes=self._notes(event),
        )

    def _foretold(self, event: Event, at: datetime) -> list[Foretold]:
        found: list[Foretold] = []
        for _, deadline in self.deadlines.by_type.get(event.TYPE, ()):
            ask = deadline.asked_by(event)
            by = ask.deadline(event, at) if ask else None
            if by is not None:
                to_come = [moment for moment in deadline.moments(by) if moment > at + QUIET]
                found.append(Foretold(what=deadline.label, by=by, to_come=to_come))
            elif deadline.ended_by(event):
                found.append(Foretold(what=deadline.label, by=None, to_come=[]))
        return found

    def _told(self, event: Event, one: Planned) -> Told:
        wording = self.words.word(
            one.rule.template,
            event,
            one.recipient,
            about=recipients.about(event),
            link=self.rules.link_for(event.TYPE),
            language=one.language,
        )
        return Told(
            recipient=one.recipient.role,
            name=self._name(one.recipient),
            channel=one.channel,
            address=one.address,
            urgency=one.urgency,
            kind=self.rules.kinds[one.kind].label,
            language=one.language,
            due_at=one.due_at,
            pace=one.pace,
            subject=wording.subject,
            text=wording.text,
            link=wording.link,
            why=one.rule.why,
            because=list(one.because),
            person=one.person,
            template=one.rule.template,
        )

    def _left_out(self, one: NotTold) -> Untold:
        return Untold(
            recipient=one.recipient.role,
            name=self._name(one.recipient),
            channel=one.channel,
            address=one.address,
            because=list(one.because),
        )

    def _unconcerned(self, event: Event, served: Sequence[Served]) -> list[Untold]:
        """Those the event concerns and no rule serves."""
        told = {recipient.key for recipient, _ in served}
        rules = self.rules.rules_for(event.TYPE)
        unserved: dict[str, tuple[Recipient, list[str]]] = {}
        for rule in rules:
            for recipient in recipients.audience(event, rule.to, self.desks):
                if recipient.key not in told:
                    reasons = unserved.setdefault(recipient.key, (recipient, []))[1]
                    reasons.append(_why_not(rule, event, recipient))
        for recipient in recipients.concerned(event, self.desks):
            if recipient.key not in told and recipient.key not in unserved:
                unserved[recipient.key] = (recipient, ["This event is told to others only."])
        return [
            Untold(
                recipient=recipient.role,
                name=self._name(recipient),
                channel=None,
                address=None,
                because=list(dict.fromkeys(reasons)),
            )
            for recipient, reasons in unserved.values()
        ]

    def _name(self, recipient: Recipient) -> str:
        if recipient.role == "staff" and recipient.partnership:
            return self.desks[recipient.partnership].name
        if recipient.role == "invited" or recipient.party is None:
            return "the invited address" if recipient.role == "invited" else recipient.key
        return recipient.party.organisation

    def _notes(self, event: Event) -> list[str]:
        notes = []
        if reason := self.rules.nobody.get(event.TYPE):
            notes.append(f"Nobody is told of this event. {reason.strip()}")
        elif event.TYPE not in self.rules.events:
            notes.append("Nobody is told of this event: it is what notifications say of themselves.")
        for partnership in recipients.partnerships(event):
            if partnership not in self.desks:
                notes.append(f"No partnership '{partnership}' is configured: it has no staff to tell.")
            elif not self.desks[partnership].addresses:
                notes.append(f"No address of {self.desks[partnership].name}'s staff is configured.")
        return notes


def event_in(fact: CloudEvent) -> Event:
    """The event a CloudEvent holds, as rules and words want it; raises `Malformed` with what to send instead.

    The address of an invitation stays sealed.
    """
    if fact.type in INBOX:
        raise Malformed(
            f"{fact.type} is a command, and nobody is told of it; give the event that came of it, from one "
            "of the topics cxc.<service>.events."
        )
    newest = upcast(fact)
    model = EVENT_MODELS.get(newest.type)
    if model is None:
        close = get_close_matches(fact.type, EVENT_MODELS, n=1)
        meant = f"; did you mean {close[0]}?" if close else "; docs/events.md lists those there are."
        raise Malformed(f"'{fact.type[:100]}' is no event of the platform{meant}")
    try:
        event = model.model_validate(newest.data)
    except ValidationError as error:
        problems = field_problems(
            {**problem, "loc": ("data", *problem["loc"])} for problem in error.errors(include_url=False)
        )
        raise Malformed(
            f"The data of {fact.type} is not valid: {in_words(problems, 5)}.",
            errors=[problem.model_dump() for problem in problems],
        ) from error
    if isinstance(event, InvitationSent):
        return OpenedInvitation(**dict(event), email=SEALED, token="…")
    return event


def _why_not(rule: Rule, event: Event, recipient: Recipient) -> str:
    found = {
        field: recipient.auto_accept if field == AUTO_ACCEPT else getattr(event, field) for field in rule.when
    }
    missed = [
        _condition(field, condition, found[field])
        for field, condition in rule.when.items()
        if not holds(condition, found[field])
    ]
    return f"Told only {' and '.join(missed)}."


def _condition(field: str, condition: Condition, value: Any) -> str:
    if field == AUTO_ACCEPT:
        if True in condition:
            return "where the partnership takes eligible ones at once, and here it decides itself"
        return "where the partnership decides on eligible ones itself, and here they are taken at once"
    if condition == "present":
        return f"where '{field}' says something, and here it does not"
    if condition == "absent":
        return f"where '{field}' says nothing, and here it does"
    wanted = " or ".join(_said(one) for one in condition)
    return f"where '{field}' is {wanted}, and here it is {_said(value)}"


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
