"""Where staff begin: what needs a decision today, deadlines, how far the objective is, what happened last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.apis import Part, parts
from services.console.case_rows import Happening, RegistrationRow, Wait
from services.console.filters import PLACE
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page
from services.console.timelines import Entry, Telling
from shared.contracts.types import EventType
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)

SHOWN: Final = 4
"""Of each kind, so that all kinds are seen at once."""
LOOKED_THROUGH: Final = 200
EVERYTHING: Final = 100_000
LATEST: Final = 8
"""Happenings that are shown."""


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


@dataclass(frozen=True)
class Kind:
    """A kind of decision: what it is called, and where all of them are listed."""

    title: str
    """What is to be done."""
    href: str | None = None
    """A list with more to filter by; else the one of this page."""


KINDS: Final = {
    "registration": Kind(_("Registrations to decide"), "/registrations?waiting_for=staff&sort=submitted_at"),
    "match": Kind(_("Matches to endorse or approve"), "/matches?waiting=true&step=agreed"),
    "commitment": Kind(_("Commitments to sign")),
    "agreement": Kind(_("Financial agreements to sign")),
    "lump_sum": Kind(_("Lump sums to settle")),
    "budget": Kind(_("Lump sums that wait for budget")),
    "report": Kind(_("Reports to validate")),
    "evidence": Kind(_("Evidence to accept")),
    "payment": Kind(_("Payments to prepare"), "/readiness?state=payable"),
    "release": Kind(_("Payments to release"), "/payments?state=prepared"),
    "match_ended": Kind(_("Cancelled, though the money is in a payment")),
}
"""What can wait for staff, as the read model names it."""


@dataclass(frozen=True)
class Group:
    """What waits of one kind, the oldest first."""

    kind: str
    count: int
    since: datetime
    first: list[Wait]

    @property
    def title(self) -> str:
        """What is to be done."""
        return KINDS[self.kind].title if self.kind in KINDS else self.kind

    @property
    def href(self) -> str:
        """Where all of them are."""
        own = KINDS[self.kind].href if self.kind in KINDS else None
        return own or f"/today/{self.kind}"


@router.get("/today")
async def today(request: Request, person: StaffOrOverseer) -> Response:
    root = request.app.state.root
    apis = root.apis.as_(person.token)
    waits, progress, happened, lapsing, shown = await asyncio.gather(
        root.cases.waiting(person, limit=EVERYTHING),
        root.cases.progress(),
        root.cases.happenings(person, mails=False, limit=LATEST),
        _lapsing(request, person),
        parts(
            pairs=apis.registration.get("/duplicates", {"state": "open", "limit": LOOKED_THROUGH}),
            asked=apis.registration.get("/audit", {"action": "ask", "limit": LOOKED_THROUGH}),
            addresses=apis.notifications.get("/suppressions", {"limit": LOOKED_THROUGH}),
            deadlines=apis.notifications.get("/reminders", {"limit": 8}),
        ),
    )
    about = [one["case"] for one in shown["deadlines"].content["items"]] if shown["deadlines"].ok else []
    cases = await _named(request, person, [*about, *(one.cases[0] for one in happened.rows if one.cases)])
    tell = Telling(language_of(request), root.partnerships, None, person, today=root.clock().date())
    return await page(
        request,
        "today/today.html",
        groups=grouped(waits.rows),
        answered=answered(waits.rows, shown["asked"]),
        progress=[one for one in progress if person.oversees or one.partnership == person.caller.partnership],
        lapsing=lapsing,
        cases=cases,
        latest=[_entry(tell, one, cases) for one in happened.rows],
        many=LOOKED_THROUGH,
        now=root.clock(),
        pairs=shown["pairs"],
        addresses=shown["addresses"],
        deadlines=shown["deadlines"],
    )


@router.get("/today/{kind}")
async def of_kind(request: Request, kind: str, person: StaffOrOverseer) -> Response:
    if kind not in KINDS:
        raise NotFound(f"Nothing of the kind “{kind}” waits for anybody.")
    place = request.query_params.get(PLACE)
    waits = await request.app.state.root.cases.waiting(person, kind=kind, after=place)
    return await page(
        request,
        "today/kind.html",
        part="list",
        title=KINDS[kind].title,
        waits=waits,
        place=place,
        now=request.app.state.root.clock(),
    )


def grouped(waits: Iterable[Wait]) -> list[Group]:
    """What waits, by its kind; given the oldest first, the kinds follow by their oldest, too."""
    kinds: dict[str, list[Wait]] = {}
    for wait in waits:
        kinds.setdefault(wait.kind, []).append(wait)
    return [Group(kind, len(found), found[0].since, found[:SHOWN]) for kind, found in kinds.items()]


def answered(waits: Iterable[Wait], asked: Part) -> list[tuple[Wait, str]]:
    """Registrations to decide that answered a question of staff, with it; `asked`: audit entries."""
    latest = {one["registration_id"]: one for one in reversed(asked.content["items"])} if asked.ok else {}
    return [
        (wait, latest[wait.case]["why"])
        for wait in waits
        if wait.kind == "registration"
        and wait.case in latest
        and wait.since > datetime.fromisoformat(latest[wait.case]["at"])
    ]


async def _lapsing(request: Request, person: Person) -> list[RegistrationRow]:
    """Registrations of organisations that were asked whether they are still interested, and do not answer."""
    cases = request.app.state.root.cases
    asked = await cases.happenings(
        person, type=[EventType.REGISTRATION_INTEREST_ASKED], mails=False, limit=LOOKED_THROUGH
    )
    ids = dict.fromkeys(happening.subject for happening in asked.rows)
    rows = await asyncio.gather(*(cases.registration(person, id) for id in ids))
    return [row for row in rows if row and row.answer_by and not row.question]


async def _named(request: Request, person: Person, ids: Iterable[str]) -> dict[str, tuple[str, str]]:
    """What cases are called, and where they are; without those that are none, or not there for the person."""
    cases = request.app.state.root.cases
    found = await asyncio.gather(*(cases.case_of(person, id) for id in dict.fromkeys(ids)))
    return {
        case.id: (
            case.name if isinstance(case, RegistrationRow) else f"{case.visitor.name} – {case.host.name}",
            case.href,
        )
        for case in found
        if case
    }


def _entry(tell: Telling, one: Happening, cases: Mapping[str, tuple[str, str]]) -> Entry:
    name, href = cases.get(one.cases[0], ("", None)) if one.cases else ("", None)
    return replace(tell.happening(one), text=name, href=href)
