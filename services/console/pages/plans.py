"""Plans for the whole pool: ask for one, follow it, read and compare it, publish it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.console.answers import done
from services.console.apis import AllApis, Api, ApiProblem, Part, part, parts
from services.console.choices import countries, ecosystems
from services.console.domain.planning import CAP_ROWS, arcs, cap_rows, compared, plan_order
from services.console.filters import address
from services.console.forms import Form, SentForm
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page
from services.console.world_map import world_map

router = APIRouter(include_in_schema=False)

MOST_PAIRS: Final = 4000
"""Pairs a search or a map looks through."""
AT_ONCE: Final = 200
PAIRS: Final = 20
"""Of a page, each with its reasons."""

MADE: Final = ("ready", "stale", "publishing", "published")
MOVING: Final = ("queued", "running", "publishing")

Asked = Annotated[str, Query(max_length=200)]


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis


def _plans(person: Person) -> bool:
    """Whether the API lets somebody like this ask for plans: staff, and the support office."""
    return person.is_staff or person.operates


@router.get("/plans")
async def plans(request: Request, person: StaffOrOverseer, after: Asked = "") -> HTMLResponse:
    listed = await part(_apis(request, person).matching.get("/plans", {"after": after or None}))
    return await page(
        request,
        "plans/plans.html",
        part="list",
        listed=listed,
        may_plan=_plans(person),
        moving=listed.ok and any(plan["state"] in MOVING for plan in listed.content["items"]),
    )


# ── ask for one ──────────────────────────────────────────────────────────────────────────────


@router.get("/plans/new")
async def new(request: Request, person: StaffOrOverseer) -> HTMLResponse:
    return await _form(request, person)


async def _form(
    request: Request,
    person: Person,
    *,
    problem: ApiProblem | None = None,
    entered: SentForm | None = None,
) -> HTMLResponse:
    funding = _apis(request, person).funding
    known = list(request.app.state.root.partnerships)
    if person.caller.partnership:
        known = [one for one in known if one.id == person.caller.partnership]
    budgets = await parts(**{one.id: funding.get(f"/partnerships/{one.id}/budget") for one in known})
    return await page(
        request,
        "plans/new.html",
        status=problem.status if problem else 200,
        known=known,
        budgets=budgets,
        cap_rows=range(CAP_ROWS),
        filled_rows=cap_rows(entered) if entered else [],
        countries=countries(language_of(request)),
        ecosystems=ecosystems(language_of(request)),
        may_plan=_plans(person),
        problem=problem,
        entered=entered,
    )


@router.post("/plans")
async def ask(request: Request, person: StaffOrOverseer, form: Form) -> Response:
    try:
        plan = await _apis(request, person).matching.post("/plans", plan_order(form))
    except ApiProblem as problem:
        return await _form(request, person, problem=problem, entered=form)
    return done(request, f"/plans/{plan['id']}")


# ── two of them ──────────────────────────────────────────────────────────────────────────────


@router.get("/plans/compare")
async def compare(request: Request, person: StaffOrOverseer, a: Asked = "", b: Asked = "") -> HTMLResponse:
    matching = _apis(request, person).matching
    listed = await part(matching.get("/plans", {"limit": 50}))
    made = [plan for plan in listed.content["items"] if plan["state"] in MADE] if listed.ok else []
    found: dict[str, Part] = {}
    names: dict[str, str] = {}
    if a and b:
        found = await parts(
            first=matching.get(f"/plans/{a}"),
            second=matching.get(f"/plans/{b}"),
            difference=matching.get("/plans/compare", {"from": a, "to": b}),
        )
        for one in found.values():
            if one.problem and one.problem.status == 404:
                raise one.problem
        if found["difference"].ok:
            names = await _names(matching, (a, b))
    listed_ids = {plan["id"] for plan in made}
    made += [
        one.content
        for name, one in found.items()
        if name != "difference" and one.ok and one.content["id"] not in listed_ids and one.content["figures"]
    ]
    both = bool(found) and all(found[one].ok and found[one].content["figures"] for one in ("first", "second"))
    return await page(
        request,
        "plans/compare.html",
        listed=listed,
        made=made,
        a=a,
        b=b,
        found=found,
        names=names,
        figures=compared(found["first"].content["figures"], found["second"].content["figures"])
        if both
        else [],
    )


async def _names(matching: Api, plans: tuple[str, ...]) -> dict[str, str]:
    """What the organisations of these plans are called, by their registrations."""
    lists = await asyncio.gather(
        *(_all(matching, f"/plans/{id}/{what}") for id in plans for what in ("pairs", "unmatched"))
    )
    names: dict[str, str] = {}
    for lines, _ in lists:
        for line in lines:
            for side in ("visitor", "host"):
                if side in line:
                    names[line[side]["registration_id"]] = line[side]["organisation"]
    return names


async def _all(matching: Api, path: str) -> tuple[list[dict[str, Any]], bool]:
    """All lines of a list, up to the most that are looked through, and whether there are more."""
    lines: list[dict[str, Any]] = []
    after = None
    while len(lines) < MOST_PAIRS:
        found = await matching.get(path, {"limit": AT_ONCE, "after": after})
        lines += found["items"]
        after = found["next"]
        if after is None:
            return lines, False
    return lines, True


# ── one of them ──────────────────────────────────────────────────────────────────────────────


@router.get("/plans/{id}")
async def plan(request: Request, person: StaffOrOverseer, id: str) -> HTMLResponse:
    return await _one(request, person, id)


async def _one(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    entered: SentForm | None = None,
) -> HTMLResponse:
    matching = _apis(request, person).matching
    shown = await matching.get(f"/plans/{id}")
    query = request.query_params
    filters = {name: query.get(name, "").strip() for name in ("q", "outcome")}
    made = shown["state"] in MADE
    shows_pairs = made and query.get("part") != "progress"
    pairs = await part(_pairs(matching, id, filters, query.get("after"))) if shows_pairs else None
    following = pairs.content["next"] if pairs and pairs.ok else None
    answer = await page(
        request,
        "plans/plan.html",
        part=query.get("part") if query.get("part") in ("progress", "list") else None,
        status=problem.status if problem else 200,
        plan=shown,
        made=made,
        moving=shown["state"] in MOVING,
        pairs=pairs,
        filters=filters,
        next_href=address(f"/plans/{id}", filters, after=following) if following else None,
        may_publish=_may_publish(person, shown),
        problem=problem,
        entered=entered,
    )
    if query.get("part") == "progress" and shown["state"] not in MOVING:
        answer.headers["HX-Refresh"] = "true"
    return answer


def _may_publish(person: Person, shown: dict[str, Any]) -> bool:
    return person.operates or (
        person.is_staff and shown["asked"]["partnerships"] == [person.caller.partnership]
    )


async def _pairs(matching: Api, id: str, filters: dict[str, str], after: str | None) -> dict[str, Any]:
    """A page of pairs; all that have the words searched for, where there are some."""
    outcome = filters["outcome"] or None
    if not filters["q"]:
        found: dict[str, Any] = await matching.get(
            f"/plans/{id}/pairs", {"outcome": outcome, "after": after or None, "limit": PAIRS}
        )
        return found
    words = filters["q"].casefold()
    lines, more = await _all(matching, f"/plans/{id}/pairs")
    matches = [
        line
        for line in lines
        if (outcome is None or line["outcome"] == outcome)
        and any(
            words in f"{line[side]['organisation']} {line[side]['registration_id']}".casefold()
            for side in ("visitor", "host")
        )
    ]
    return {"items": matches[:AT_ONCE], "next": None, "more": more or len(matches) > AT_ONCE}


@router.get("/plans/{id}/unmatched")
async def unmatched(request: Request, person: StaffOrOverseer, id: str, after: Asked = "") -> HTMLResponse:
    matching = _apis(request, person).matching
    shown = await matching.get(f"/plans/{id}")
    listed = await part(matching.get(f"/plans/{id}/unmatched", {"after": after or None, "limit": 50}))
    following = listed.content["next"] if listed.ok else None
    return await page(
        request,
        "plans/unmatched.html",
        plan=shown,
        listed=listed,
        next_href=address(f"/plans/{id}/unmatched", after=following) if following else None,
    )


@router.get("/plans/{id}/map")
async def on_map(request: Request, person: StaffOrOverseer, id: str) -> HTMLResponse:
    matching = _apis(request, person).matching
    shown = await matching.get(f"/plans/{id}")
    pairs = await part(_all(matching, f"/plans/{id}/pairs"))
    flows = arcs(pairs.content[0]) if pairs.ok else []
    return await page(
        request,
        "plans/map.html",
        plan=shown,
        pairs=pairs,
        more=pairs.ok and pairs.content[1],
        flows=flows,
        map=world_map(flows),
    )


@router.get("/plans/{id}/people/{registration_id}")
async def explained(request: Request, person: StaffOrOverseer, id: str, registration_id: str) -> HTMLResponse:
    matching = _apis(request, person).matching
    plan, told = await asyncio.gather(
        matching.get(f"/plans/{id}"), matching.get(f"/plans/{id}/people/{registration_id}")
    )
    return await page(request, "plans/explained.html", plan=plan, told=told, registration_id=registration_id)


@router.post("/plans/{id}/cancel")
async def cancel(request: Request, person: StaffOrOverseer, id: str) -> Response:
    try:
        await _apis(request, person).matching.post(f"/plans/{id}/cancel")
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem)
    _ = language_of(request).gettext
    return done(request, f"/plans/{id}", _("The plan is cancelled."))


@router.post("/plans/{id}/publish")
async def publish(request: Request, person: StaffOrOverseer, id: str, form: Form) -> Response:
    order: dict[str, Any] = {}
    if days := form.text("answer_days"):
        order["answer_days"] = int(days) if days.isdigit() else days
    if registrations := form.list("registrations"):
        order["registrations"] = registrations
    try:
        await _apis(request, person).matching.post(f"/plans/{id}/publish", order)
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem, entered=form)
    return done(request, f"/plans/{id}")
