"""What a page gets of the read model: rows of lists, as whoever looks may see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, Generic, Literal, TypeVar

from services.console.domain.waits import WaitKind
from shared.storage.driver import Document

R = TypeVar("R")


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows, and how to get the following ones."""

    rows: list[R]
    next: str | None
    """`after` of the next page; None on the last one."""


@dataclass(frozen=True)
class Wait:
    """Something that waits for somebody: what, for whom, since when, by when, and where it is done."""

    kind: WaitKind
    """`registration`, `question`, `interest`, `proposal`, `match`, `commitment`, `lump_sum`, `budget`,
    `agreement`, `account`, `report`, `evidence`, `payment`, `release`, `match_ended`, `return`."""
    desk: str | None
    """The partnership that acts; None where an organisation does."""
    owner: str | None
    """The organisation that acts (the token's claim); None where a partnership does."""
    since: datetime
    begins: date | None
    """Before this day nothing can be done, such as the report before the stay is over."""
    until: date | None
    """The last day for it."""
    case: str
    """The registration or match it is about."""
    name: str
    """What to call the case: the organisation, or visitor and host."""
    href: str


@dataclass(frozen=True)
class Side:
    """One side of an exchange, as its lists need it."""

    registration_id: str
    name: str
    kind: str
    country: str
    city: str
    partnership: str | None
    owner: str


@dataclass(frozen=True)
class RegistrationRow:
    """A registration in a list."""

    id: str
    name: str
    kind: str
    country: str
    city: str
    partnership: str | None
    owner: str
    roles: list[str]
    state: str
    verdict: str
    reference: str | None
    submitted_at: datetime | None
    changed_at: datetime
    automatic: bool
    """Accepted by the partnership's own rule."""
    question: str | None
    """What staff wait for an answer to."""
    answer_by: date | None
    """The last day to answer that, or whether it is still interested."""
    same_as: list[str]
    """Registrations found to be of the same organisation."""
    exchanges: list[str]
    """Its matches, in any state."""
    waits: list[Wait]
    """What waits for whoever looks."""

    @property
    def href(self) -> str:
        """Its page."""
        return f"/registrations/{self.id}"


@dataclass(frozen=True)
class Money:
    """The lump sum of an exchange; hidden from the host organisation."""

    grant_id: str
    partnership: str
    """The one that pays."""
    state: str
    amount: Decimal | None
    due: date | None
    payment_id: str | None
    paid_on: date | None
    agreement: str | None
    """open, complete, void; None while there is none."""
    report: str | None
    """submitted, returned, validated; None while nothing was handed in."""
    evidence: str | None
    """submitted, returned, accepted; None while nothing was handed in."""
    account: bool
    """Whether the visitor gave a bank account."""


@dataclass(frozen=True)
class ExchangeRow:
    """A match with all that came of it, in a list; its id is the match's."""

    id: str
    visitor: Side
    host: Side
    first_day: date
    last_day: date
    state: str
    """The match's: proposed, agreed, approved …"""
    step: str
    """How far the exchange is: the match's state, and the lump sum's from when there is one."""
    score: float | None
    proposed_by: Literal["visitor", "host"] | None
    answer_by: date | None
    endorsed_by: list[str]
    """The partnerships that approved."""
    group_event_id: str | None
    plan_id: str | None
    commitment: str | None
    """open, complete, void; None before the approval."""
    unsigned: list[str]
    """Whose signature under the commitment is missing: HO, HOP, VO, VOP."""
    money: Money | None
    counts: bool
    """Whether it is in the number of exchanges of the partnership that pays."""
    changed_at: datetime
    waits: list[Wait]
    """What waits for whoever looks."""

    @property
    def href(self) -> str:
        """Its page."""
        return f"/matches/{self.id}"


@dataclass(frozen=True)
class Happening:
    """Something that happened, as a fact; `services.console.timelines` puts it into words."""

    id: str
    """The event's."""
    type: str
    """The event's wire name."""
    at: datetime
    subject: str
    cases: list[str]
    """The registrations, matches, plans, payments … that it is about."""
    actor: str | None
    """Who did it: visitor, host, participant, a partnership's id, or None for the platform."""
    facts: Mapping[str, Any]

    @property
    def href(self) -> str | None:
        """The page of what it is about, where there is one."""
        if not self.cases:
            return None
        place = _ABOUT.get(self.type.split(".")[1])
        return place.format(case=self.cases[0]) if place else None


@dataclass(frozen=True)
class Waiting:
    """How much of one kind waits for whoever looks."""

    kind: str
    count: int
    since: datetime
    """The oldest of them."""


@dataclass(frozen=True)
class Progress:
    """How far a partnership is on its way to its objective."""

    partnership: str
    name: str
    before: int
    """Done before this platform took over."""
    added: int
    """Counted since, on this platform."""
    objective: int

    @property
    def done(self) -> int:
        """All of them."""
        return self.before + self.added

    @property
    def share(self) -> Decimal:
        """Of the objective, from 0 to 1."""
        return Decimal(self.done) / self.objective


@dataclass(frozen=True)
class Flow:
    """Exchanges from one country to another: approved ones, whether the stay is over or to come."""

    visitor_country: str
    host_country: str
    exchanges: int
    done: int
    """Of these, counted for an objective."""


_PLACES: Final[Mapping[WaitKind, str]] = {
    "registration": "/registrations/{case}",
    "question": "/registrations/{case}",
    "interest": "/registrations/{case}",
    "proposal": "/matches/{case}",
    "match": "/matches/{case}",
    "commitment": "/matches/{case}",
    "report": "/grants/grant-{case}/report",
    "evidence": "/grants/grant-{case}/evidence",
    "release": "/payments/{case}",
}
_ABOUT: Final[Mapping[str, str]] = {
    "registration": "/registrations/{case}",
    "fits": "/registrations/{case}",
    "invitation": "/registrations/{case}",
    "match": "/matches/{case}",
    "commitment": "/matches/{case}",
    "grant": "/grants/grant-{case}",
    "agreement": "/grants/grant-{case}",
    "bank_account": "/grants/grant-{case}",
    "report": "/grants/grant-{case}/report",
    "evidence": "/grants/grant-{case}/evidence",
    "group_event": "/group-events/{case}",
    "plan": "/plans/{case}",
    "payment": "/payments/{case}",
}
_MONEY: Final = "/grants/grant-{case}"


def wait_of(stored: Document, case: str, name: str) -> Wait:
    """One thing that waits, of what a case has stored about it."""
    key, _, whose = stored["whose"].partition(":")
    return Wait(
        kind=stored["kind"],
        desk=whose if key == "desk" else None,
        owner=whose if key == "owner" else None,
        since=_moment(stored["since"]),
        begins=_day(stored["begins"]),
        until=_day(stored["until"]),
        case=case,
        name=name,
        href=_PLACES.get(stored["kind"], _MONEY).format(case=case),
    )


def registration_row(stored: Document, waits: list[Wait]) -> RegistrationRow:
    """A registration, of its document."""
    party = stored["party"]
    return RegistrationRow(
        id=stored["_id"],
        **{name: party[name] for name in ("name", "kind", "country", "city", "partnership", "owner")},
        **{name: stored[name] for name in ("roles", "state", "verdict", "reference", "automatic")},
        **{name: stored[name] for name in ("question", "same_as", "exchanges")},
        submitted_at=_moment(stored["submitted_at"]) if stored["submitted_at"] else None,
        changed_at=_moment(stored["changed_at"]),
        answer_by=_day(stored["question_by"] if stored["question"] else stored["interest_by"]),
        waits=waits,
    )


def exchange_row(stored: Document, waits: list[Wait], *, with_money: bool) -> ExchangeRow:
    """An exchange, of its document."""
    match, commitment = stored["match"], stored["commitment"]
    return ExchangeRow(
        id=stored["_id"],
        visitor=_side(stored["visitor"]),
        host=_side(stored["host"]),
        first_day=date.fromisoformat(match["first_day"]),
        last_day=date.fromisoformat(match["last_day"]),
        state=match["state"],
        step=stored["step"] if with_money else match["state"],
        **{
            name: match[name] for name in ("score", "proposed_by", "endorsed_by", "group_event_id", "plan_id")
        },
        answer_by=_day(match["answer_by"]),
        commitment=commitment["state"],
        unsigned=commitment["missing"],
        money=_money(stored) if with_money and stored["grant"]["id"] else None,
        counts=stored["counted_for"] is not None,
        changed_at=_moment(stored["changed_at"]),
        waits=waits,
    )


def happening_of(stored: Document) -> Happening:
    """Something that happened, of its document."""
    return Happening(
        id=stored["_id"],
        type=stored["type"],
        at=_moment(stored["at"]),
        subject=stored["subject"],
        cases=stored["cases"],
        actor=stored["actor"],
        facts={**stored["facts"], **stored["said"]},
    )


def name_of(stored: Document) -> str:
    """What to call a case: the organisation, or visitor and host."""
    if "party" in stored:
        return str(stored["party"]["name"])
    if "visitor" in stored:
        return f"{stored['visitor']['name']} – {stored['host']['name']}"
    return str(stored.get("title") or stored["_id"])


def _side(stored: Document) -> Side:
    return Side(**{name: value for name, value in stored.items() if name != "version"})


def _money(stored: Document) -> Money:
    grant = stored["grant"]
    return Money(
        grant_id=grant["id"],
        **{name: grant[name] for name in ("partnership", "state", "payment_id")},
        amount=Decimal(grant["amount"]) if grant["amount"] is not None else None,
        due=_day(grant["due"]),
        paid_on=_day(grant["paid_on"]),
        agreement=stored["agreement"]["state"],
        report=stored["report"]["state"],
        evidence=stored["evidence"]["state"],
        account=stored["account"],
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
