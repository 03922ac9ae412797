"""One match, and the list of them, as staff see it: why these two, what is open, and what can be done now."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console import choices
from services.console.answers import done
from services.console.apis import ApiProblem, Part, parts
from services.console.domain.calendar import Span, marks, months, no_holidays
from services.console.domain.conflicts import conflicts
from services.console.filters import PLACE, chosen
from services.console.forms import Form
from services.console.people import Person, Staff
from services.console.rendering import language_of, page
from services.console.stays import holidays_at
from services.console.timelines import timeline_of

router = APIRouter(include_in_schema=False)

FILTERS: Final = (
    *("search", "visitor_country", "host_country", "partnership"),
    *("group_event", "plan", "waiting"),
)
MANY: Final = ("step", "state")
STEPS: Final = (
    *("proposed", "agreed", "reserved", "awaiting_budget", "needs_review", "committed"),
    *("payable", "prepared", "released", "paid"),
)
"""How far an exchange is, in this order; whatever else there is has ended."""
SORTS: Final = ("-changed", "first_day", "-first_day")


async def staff_matches(request: Request, person: Person) -> Response:
    """The exchanges of a partnership, or of all; by the filter in the address."""
    asked = chosen(request.query_params, FILTERS, many=MANY)
    sort = request.query_params.get("sort", "")
    cases = request.app.state.root.cases
    wanted: dict[str, Any] = {**asked, "waiting": True} if "waiting" in asked else {**asked}
    found = await cases.exchanges(
        person,
        **wanted,
        sort=sort if sort in SORTS else SORTS[0],
        after=request.query_params.get(PLACE),
        limit=50,
    )
    return await page(
        request,
        "matches/staff_list.html",
        part="list",
        found=found,
        counts=_in_order((await cases.counts(person))["exchanges"]),
        asked=asked,
        sort=sort,
        place=request.query_params.get(PLACE),
        countries=choices.countries(language_of(request)),
    )


def _in_order(counts: Mapping[str, int]) -> dict[str, int]:
    return {step: counts[step] for step in (*STEPS, *sorted(counts.keys() - set(STEPS))) if counts.get(step)}


async def staff_match(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    tried: str = "",
    reason: str = "",
) -> Response:
    """The case page; with `problem`, why what was `tried` could not be done. Raises `ApiProblem`."""
    root = request.app.state.root
    apis = root.apis.as_(person.token)
    match = await apis.matching.get(f"/matches/{id}")
    visitor, host = match["visitor"]["registration_id"], match["host"]["registration_id"]
    asked = {
        "of_visitor": apis.matching.get("/matches", {"registration": visitor, "limit": 100}),
        "of_host": apis.matching.get("/matches", {"registration": host, "limit": 100}),
        "visitor": apis.registration.get(f"/registrations/{visitor}"),
        "host": apis.registration.get(f"/registrations/{host}"),
        "mails": apis.notifications.get("/notifications", {"case": id, "limit": 20}),
        "deadlines": apis.notifications.get("/reminders", {"about": id}),
    }
    if match["state"] in ("approved", "cancelled"):
        asked["commitment"] = apis.matching.get(f"/matches/{id}/commitment")
        asked["grant"] = apis.funding.get(f"/grants/grant-{id}")
    timeline, shown = await asyncio.gather(timeline_of(root, request, person, id), parts(**asked))
    stay = Span.of(match["stay"])
    shown_months = months(stay)
    days = [day for month in shown_months for week in month.weeks for day in week if day is not None]
    return await page(
        request,
        "matches/staff_match.html",
        status=problem.status if problem else 200,
        **_with_all(shown),
        match=match,
        conflicts=conflicts(match, _others(shown, id), places=_places(shown["host"])),
        months=shown_months,
        marks=marks(days, holiday=holidays_at(match["host"]["place"]) or no_holidays, chosen=stay),
        timeline=timeline,
        decides=person.is_staff and person.caller.partnership in match["awaits"],
        cancels=person.caller.is_staff_of(match["visitor"]["partnership"], match["host"]["partnership"])
        and match["state"] in ("proposed", "agreed", "approved"),
        signs=_signs(person, match, shown.get("commitment")),
        problem=problem,
        tried=tried,
        reason=reason,
    )


@router.post("/matches/{id}/approve")
async def approve(request: Request, id: str, person: Staff) -> Response:
    try:
        match = await request.app.state.root.apis.as_(person.token).matching.post(f"/matches/{id}/approve")
    except ApiProblem as problem:
        return await staff_match(request, person, id, problem=problem, tried="approve")
    _ = language_of(request).gettext
    if match["awaits"]:
        return done(request, f"/matches/{id}", _("Endorsed. The other partnership decides now."))
    return done(
        request, f"/matches/{id}", _("Approved. Both organisations are told, and the money is set aside.")
    )


@router.post("/matches/{id}/refuse")
async def refuse(request: Request, id: str, person: Staff, form: Form) -> Response:
    reason = form.text("refuse_reason")
    try:
        await request.app.state.root.apis.as_(person.token).matching.post(
            f"/matches/{id}/refuse", {"reason": reason}
        )
    except ApiProblem as problem:
        return await staff_match(request, person, id, problem=problem, tried="refuse", reason=reason)
    _ = language_of(request).gettext
    return done(request, f"/matches/{id}", _("Refused. Both organisations are told, with your reason."))


def _with_all(shown: Mapping[str, Part]) -> dict[str, Any]:
    """What a page of any state shows, None where there can be none."""
    return {"commitment": None, "grant": None, **shown}


def _others(shown: Mapping[str, Part], id: str) -> list[dict[str, Any]]:
    found = {
        match["id"]: match
        for part in (shown["of_visitor"], shown["of_host"])
        if part.ok
        for match in part.content["items"]
    }
    found.pop(id, None)
    return list(found.values())


def _places(host: Part) -> int | None:
    return host.content["submission"]["host_places"] if host.ok else None


def _signs(person: Person, match: Mapping[str, Any], commitment: Part | None) -> bool:
    """Whether the signature of the person's partnership is missing under the commitment."""
    if commitment is None or not commitment.ok or commitment.content["state"] != "open":
        return False
    sides = {"VOP": match["visitor"]["partnership"], "HOP": match["host"]["partnership"]}
    return any(person.caller.is_staff_of(sides.get(missing)) for missing in commitment.content["missing"])
