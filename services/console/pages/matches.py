"""Exchanges: propose days, answer, take back, cancel; one match and the list of one's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import AllApis, Api, ApiProblem, Part, part, parts
from services.console.domain.calendar import Span
from services.console.domain.own_grant import Step, commitment_step, own_steps
from services.console.filters import address
from services.console.forms import Form
from services.console.own import OTHER, Side, own_registrations, side_in
from services.console.pages import staff_matches
from services.console.pages.partners import FOUND_AMONG
from services.console.people import Participant, Person, SignedIn
from services.console.rendering import language_of, page
from services.console.stays import Choice, choose, expected_lump_sum, span_between, spans
from services.console.timelines import timeline_of
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)

GROUPS: Final = (
    ("yours", ("proposed",)),
    ("theirs", ("proposed",)),
    ("partnerships", ("agreed",)),
    ("approved", ("approved",)),
    ("ended", ("declined", "withdrawn", "expired", "refused", "cancelled")),
)
"""How the list of one's own exchanges is divided: whose turn it is, and in which states."""
LIVING: Final = ("proposed", "agreed", "approved")
"""States in which two have a match, and cannot have another one."""


@router.get("/matches")
async def matches(request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_matches.staff_matches(request, person)
    apis = _apis(request, person)
    shown = await parts(matches=apis.matching.get("/matches", {"limit": 200}), own=own_registrations(apis))
    own = shown["own"].content or []
    return await page(
        request,
        "matches/list.html",
        part="list",
        groups=_grouped(shown["matches"].content["items"], own) if shown["matches"].ok else {},
        matches=shown["matches"],
        own=shown["own"],
    )


@router.get("/matches/new")
async def new(request: Request, person: Participant) -> Response:
    return await _new(request, person, request.query_params)


@router.post("/matches")
async def propose(request: Request, person: Participant, form: Form) -> Response:
    matching = _apis(request, person).matching
    visitor, host = form.text("visitor"), form.text("host")
    days = {name: form.text(name) for name in ("first_day", "last_day")}
    try:
        made = await matching.post(
            "/matches", {"visitor_registration_id": visitor, "host_registration_id": host, **days}
        )
    except ApiProblem as problem:
        there = await _proposed_already(matching, visitor, host, days) if problem.status == 409 else None
        if there is None:
            return await _new(request, person, form, problem)
        made = there  # sent twice
    _ = language_of(request).gettext
    return done(
        request, f"/matches/{made['id']}", _("Your proposal is on its way. They get a mail and can answer.")
    )


@router.get("/matches/{id}")
async def match(id: str, request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_matches.staff_match(request, person, id)
    return await _match(request, person, id)


@router.post("/matches/{id}/accept")
async def accept(id: str, request: Request, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    said = _("You have said yes. What comes next is below.")
    return await _step(request, person, id, "accept", None, said, form)


@router.post("/matches/{id}/counter")
async def counter(id: str, request: Request, person: Participant, form: Form) -> Response:
    days = {name: form.text(name) for name in ("first_day", "last_day", "reason")}
    try:
        await _apis(request, person).matching.post(f"/matches/{id}/counter", days)
    except ApiProblem as problem:
        return await _other_days(request, person, id, form, problem)
    _ = language_of(request).gettext
    return done(
        request, f"/matches/{id}", _("You have proposed other days. Now the other organisation answers.")
    )


@router.get("/matches/{id}/counter")
async def other_days(id: str, request: Request, person: Participant) -> Response:
    return await _other_days(request, person, id, request.query_params)


@router.post("/matches/{id}/decline")
async def decline(id: str, request: Request, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    said = _("You have declined. The other organisation is told.")
    return await _step(request, person, id, "decline", {"reason": form.text("reason")}, said, form)


@router.post("/matches/{id}/withdraw")
async def withdraw(id: str, request: Request, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    said = _("Your proposal is withdrawn. The other organisation is told.")
    return await _step(request, person, id, "withdraw", {"reason": form.text("reason")}, said, form)


@router.post("/matches/{id}/cancel")
async def cancel(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    _ = language_of(request).gettext
    said = _("The exchange is cancelled. Everybody concerned is told.")
    return await _step(request, person, id, "cancel", {"reason": form.text("reason")}, said, form)


async def _step(
    request: Request, person: Person, id: str, verb: str, body: Any, said: str, form: Form
) -> Response:
    """Take a step, and lead back to the match; refused, the match is shown as it is by now, and why not."""
    try:
        await _apis(request, person).matching.post(f"/matches/{id}/{verb}", body)
    except ApiProblem as problem:
        shown = _match if person.is_participant else staff_matches.staff_match
        return await shown(request, person, id, problem=problem, tried=verb, reason=form.text("reason"))
    return done(request, f"/matches/{id}", said)


async def _match(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    tried: str = "",
    reason: str = "",
) -> Response:
    apis = _apis(request, person)
    found, own, timeline = await asyncio.gather(
        apis.matching.get(f"/matches/{id}"),
        part(own_registrations(apis)),
        timeline_of(request.app.state.root, request, person, id),
    )
    side = side_in(found, own.content or [])
    asked: dict[str, Any] = {}
    if found["state"] == "approved":
        asked["commitment"] = apis.matching.get(f"/matches/{id}/commitment")
    if found["state"] in ("approved", "cancelled") and side == "visitor":
        asked["grant"] = apis.funding.get(f"/grants/grant-{id}")
        asked["account"] = apis.funding.get(f"/grants/grant-{id}/bank-account")
    shown = await parts(**asked)
    return await page(
        request,
        "matches/match.html",
        part="case",
        status=problem.status if problem else 200,
        match=found,
        own=own,
        side=side,
        other=OTHER[side] if side else None,
        asked=side is not None and found[side]["registration_id"] in found["awaits"],
        timeline=timeline,
        problem=problem,
        tried=tried,
        reason=reason,
        commitment=shown.get("commitment"),
        grant=shown.get("grant"),
        steps=_steps(request, found, side, shown),
        is_over=await _is_over(request, person, id),
    )


def _steps(
    request: Request, match: Mapping[str, Any], side: Side | None, shown: Mapping[str, Part]
) -> list[Step]:
    """What is still to be done about an approved match, by whoever looks and by others."""
    if match["state"] != "approved" or side is None:
        return []
    language = language_of(request)
    steps: list[Step] = []
    if (commitment := shown["commitment"]).ok:
        steps.append(commitment_step(commitment.content, side, say=language.gettext))
    if "grant" in shown and shown["grant"].ok:
        has_account = shown["account"].ok
        steps += own_steps(
            shown["grant"].content, has_account=has_account, say=language.gettext, day=language.day
        )
    return steps


async def _is_over(request: Request, person: Person, id: str) -> bool:
    """Whether the report is validated, so that there is a certificate."""
    exchange = await request.app.state.root.cases.exchange(person, id)
    return exchange is not None and exchange.counts


async def _new(
    request: Request, person: Person, given: Mapping[str, str], problem: ApiProblem | None = None
) -> Response:
    apis = _apis(request, person)
    registrations: dict[Side, str] = {"visitor": given.get("visitor", ""), "host": given.get("host", "")}
    own_ids = {line["id"] for line in await own_registrations(apis)}
    side: Side | None = next((role for role, id in registrations.items() if id in own_ids), None)
    if side is None:
        raise NotFound("Choose a partner first, among your suggestions or in the catalogue.")
    own_id, partner_id = registrations[side], registrations[OTHER[side]]
    looked_for = FOUND_AMONG[OTHER[side]]
    mine, partner, matches = await asyncio.gather(
        apis.registration.get(f"/registrations/{own_id}"),
        apis.matching.get(f"/catalogue/{partner_id}", {"side": looked_for, "for": own_id}),
        apis.matching.get("/matches", {"registration": own_id, "limit": 200}),
    )
    wished = [mine["submission"]["preferences"]["working_days"], partner["preferred_working_days"]]
    places: dict[Side, Any] = {side: mine["party"]["place"], OTHER[side]: partner}
    choice = choose(
        places["host"],
        yours=spans(mine["submission"]["availability"]),
        theirs=spans(partner["availability"]),
        chosen=span_between(given.get("first_day", ""), given.get("last_day", "")),
        today=_today(request),
        wished=wished[0 if side == "visitor" else 1] or wished[0] or wished[1],
        taken=_taken(matches["items"]),
    )
    return await page(
        request,
        "matches/new.html",
        part="days",
        status=problem.status if problem else 200,
        side=side,
        looked_for=looked_for,
        mine=mine,
        partner=partner,
        there=_between(matches["items"], registrations),
        registrations=registrations,
        here="/matches/new",
        host_country=places["host"]["country"],
        preferred=_preferred(request, mine["party"]["partnership"], partner["partnership"]),
        choice=choice,
        typed=given,
        estimate=await _estimate(apis, places, choice),
        problem=problem,
        address=address,
    )


async def _other_days(
    request: Request, person: Person, id: str, given: Mapping[str, str], problem: ApiProblem | None = None
) -> Response:
    apis = _apis(request, person)
    found, own = await asyncio.gather(apis.matching.get(f"/matches/{id}"), own_registrations(apis))
    side = side_in(found, own)
    if side is None or found[side]["registration_id"] not in found["awaits"]:
        return await _match(request, person, id, problem=problem)
    partner = found[OTHER[side]]
    own_id = found[side]["registration_id"]
    mine, matches, profile = await asyncio.gather(
        apis.registration.get(f"/registrations/{own_id}"),
        apis.matching.get("/matches", {"registration": own_id, "limit": 200}),
        part(
            apis.matching.get(f"/catalogue/{partner['registration_id']}", {"side": FOUND_AMONG[OTHER[side]]})
        ),
    )
    places: dict[Side, Any] = {"visitor": found["visitor"]["place"], "host": found["host"]["place"]}
    before = Span.of(found["stay"])
    choice = choose(
        places["host"],
        yours=spans(mine["submission"]["availability"]),
        theirs=spans(profile.content["availability"]) if profile.ok else [],
        chosen=span_between(given.get("first_day", ""), given.get("last_day", "")),
        before=before,
        today=_today(request),
        wished=mine["submission"]["preferences"]["working_days"],
        taken=_taken(one for one in matches["items"] if one["id"] != id),
    )
    return await page(
        request,
        "matches/other_days.html",
        part="days",
        status=problem.status if problem else 200,
        match=found,
        side=side,
        partner=partner,
        profile=profile,
        here=f"/matches/{id}/counter",
        registrations={},
        host_country=places["host"]["country"],
        preferred=_preferred(request, *(found[role]["partnership"] for role in ("visitor", "host"))),
        choice=choice,
        typed=given,
        estimate=await _estimate(apis, places, choice),
        problem=problem,
        address=address,
    )


def _taken(matches: Iterable[Mapping[str, Any]]) -> list[Span]:
    """The days of exchanges both have agreed to."""
    return [Span.of(match["stay"]) for match in matches if match["state"] in ("agreed", "approved")]


def _between(matches: list[dict[str, Any]], registrations: Mapping[Side, str]) -> dict[str, Any] | None:
    """The match that these two have already, if it has not ended."""
    return next(
        (
            match
            for match in matches
            if match["state"] in LIVING
            and all(match[side]["registration_id"] == id for side, id in registrations.items())
        ),
        None,
    )


async def _proposed_already(
    matching: Api, visitor: str, host: str, days: Mapping[str, str]
) -> dict[str, Any] | None:
    """The proposal of these two for these days, where there is one."""
    found = await matching.get("/matches", {"registration": visitor, "state": "proposed", "limit": 200})
    return next(
        (one for one in found["items"] if one["host"]["registration_id"] == host and one["stay"] == days),
        None,
    )


async def _estimate(apis: AllApis, places: Mapping[Side, Any], choice: Choice) -> Part | None:
    if choice.chosen is None or not choice.possible:
        return None
    return await part(expected_lump_sum(apis, places["visitor"], places["host"], choice.chosen))


def _preferred(request: Request, *partnerships: str | None) -> list[tuple[str, int]]:
    """Which of the partnerships prefer stays of so many working days at least."""
    known = [request.app.state.root.partnerships.get(id) for id in dict.fromkeys(partnerships) if id]
    return [(one.name, one.preferred_working_days) for one in known if one and one.preferred_working_days]


def _grouped(
    found: list[dict[str, Any]], own: list[dict[str, Any]]
) -> dict[str, list[tuple[dict[str, Any], Side | None]]]:
    """Each match with one's own side in it, in the groups of `GROUPS`, the next stay first."""
    groups: dict[str, list[tuple[dict[str, Any], Side | None]]] = {name: [] for name, _ in GROUPS}
    for match in sorted(found, key=lambda one: str(one["stay"]["first_day"])):
        side = side_in(match, own)
        asked = side is not None and match[side]["registration_id"] in match["awaits"]
        name = next(
            name for name, states in GROUPS if match["state"] in states and (name != "yours" or asked)
        )
        groups[name].append((match, side))
    return groups


def _today(request: Request) -> date:
    today: date = request.app.state.root.clock().date()
    return today


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis
