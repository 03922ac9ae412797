"""What pages read of the read model, and the one place that decides who sees what of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, Literal, TypeVar

from services.console.people import Person
from shared.partnerships import Partnerships
from shared.storage.driver import Database

R = TypeVar("R")

CaseKind = Literal["registration", "exchange"]


@dataclass(frozen=True)
class Page(Generic[R]):
    """Some rows, and how to get the following ones."""

    rows: list[R]
    next: str | None
    """`after` of the next page; None on the last one."""


@dataclass(frozen=True)
class Wait:
    """Something that waits for somebody: what, for whom, since when, by when, and where it is done."""

    kind: str
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


class Cases:
    """The cases as pages read them; every method answers only what `person` may see.

    A participant sees its organisation's registrations and the exchanges they are one side of, never the
    other side's money; staff what concerns their partnership; the support office and auditors everything;
    nobody but them (`None`) sees a case.
    """

    def __init__(self, database: Database, partnerships: Partnerships) -> None:
        self._database = database
        self._partnerships = partnerships

    async def registrations(
        self,
        person: Person,
        *,
        search: str = "",
        state: Sequence[str] = (),
        verdict: Sequence[str] = (),
        country: str | None = None,
        kind: str | None = None,
        role: str | None = None,
        partnership: str | None = None,
        waiting: bool | None = None,
        sort: str = "-changed",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[RegistrationRow]:
        """Registrations by words of the name or city, or by id.

        `sort`: `name`, `submitted`, `changed`, with `-` the other way round.
        """
        raise NotImplementedError

    async def exchanges(
        self,
        person: Person,
        *,
        search: str = "",
        state: Sequence[str] = (),
        step: Sequence[str] = (),
        grant_state: Sequence[str] = (),
        visitor_country: str | None = None,
        host_country: str | None = None,
        partnership: str | None = None,
        registration: str | None = None,
        group_event: str | None = None,
        plan: str | None = None,
        waiting: bool | None = None,
        sort: str = "-changed",
        after: str | None = None,
        limit: int = 50,
    ) -> Page[ExchangeRow]:
        """Exchanges by words of either side's name or city, or by id.

        `sort`: `first_day`, `changed`, with `-` the other way round.
        """
        raise NotImplementedError

    async def registration(self, person: Person, id: str) -> RegistrationRow | None:
        """One registration; None also where the person may not see it."""
        raise NotImplementedError

    async def exchange(self, person: Person, id: str) -> ExchangeRow | None:
        """One exchange by its match's or its grant's id; None also where the person may not see it."""
        raise NotImplementedError

    async def case_of(self, person: Person, id: str) -> RegistrationRow | ExchangeRow | None:
        """Whatever case has this id: a registration's, a match's, a grant's."""
        raise NotImplementedError

    async def happenings_of(
        self, person: Person, id: str, *, mails: bool = False, after: str | None = None, limit: int = 200
    ) -> Page[Happening]:
        """What happened in a case the person may see, the newest first; for staff with `mails` that went out."""
        raise NotImplementedError

    async def happenings(
        self,
        person: Person,
        *,
        actor: str | None = None,
        subject: str | None = None,
        type: str | None = None,
        first_day: date | None = None,
        last_day: date | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Happening]:
        """What happened anywhere, the newest first; `subject` is the id of anything it is about."""
        raise NotImplementedError

    async def waiting(
        self, person: Person, *, kind: str | None = None, after: str | None = None, limit: int = 50
    ) -> Page[Wait]:
        """What waits for the person's decision or action today, the oldest first."""
        raise NotImplementedError

    async def waiting_by_kind(self, person: Person) -> list[Waiting]:
        """How much of each kind waits for the person today, the oldest kind first."""
        raise NotImplementedError

    async def counts(self, person: Person) -> dict[str, dict[str, int]]:
        """How many there are: `registrations` by state, `exchanges` by step, `grants` by state."""
        raise NotImplementedError

    async def progress(self) -> list[Progress]:
        """How far each partnership is; public."""
        raise NotImplementedError

    async def flows(self, partnership: str | None = None) -> list[Flow]:
        """Approved exchanges from country to country, the most first; public."""
        raise NotImplementedError
