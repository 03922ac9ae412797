"""Group events: one host, one agenda, many visitors. Staff plan and hold them; others see and join them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.case_rows import RegistrationRow
from services.console.domain.programme import MORE_ROWS, agenda_rows, as_filled_in, documents, programme
from services.console.filters import address, chosen
from services.console.forms import Form, SentForm
from services.console.pages import own_group_events
from services.console.people import Anybody, Person, Staff
from services.console.rendering import language_of, page
from services.console.signing import not_meant

router = APIRouter(include_in_schema=False)

STATES: Final = ("planned", "open", "full", "closed", "held", "cancelled")
FOUND: Final = 50
"""Organisations a search looks at."""


def may_come(row: RegistrationRow, event: Mapping[str, Any]) -> bool:
    """Whether it can be put on the list: a visitor from abroad, or somebody of the event's own country."""
    is_local = row.country == event["place"]["country"]
    is_host = row.id == event["host"]["registration_id"]
    return not is_host and (is_local or "visitor" in row.roles)


Words = Annotated[str, Query(max_length=200)]


def _matching(request: Request, person: Person) -> Api:
    matching: Api = request.app.state.root.apis.as_(person.token).matching
    return matching


@router.get("/group-events")
async def group_events(request: Request, person: Anybody) -> Response:
    if person is None:
        return await _public_list(request)
    if person.is_participant:
        return await own_group_events.own_group_events(request, person)
    filters = chosen(request.query_params, ("state", "partnership"))
    after = request.query_params.get("after") or None
    found = await part(_matching(request, person).get("/group-events", {**filters, "after": after}))
    following = found.content["next"] if found.ok else None
    return await page(
        request,
        "group_events/staff_list.html",
        part="list",
        found=found,
        filters=filters,
        states=STATES,
        next_href=address("/group-events", filters, after=following) if following else None,
    )


async def _public_list(request: Request) -> Response:
    matching = request.app.state.root.apis.as_(None).matching
    found = await part(matching.get("/group-events", {"limit": 100}))
    events = found.content["items"] if found.ok else []
    by_day = sorted(events, key=lambda event: str(event["days"]["first_day"]))
    return await page(
        request,
        "group_events/public_list.html",
        events=found,
        coming=[event for event in by_day if event["state"] in own_group_events.COMING],
        over=[event for event in reversed(by_day) if event["state"] == "held"],
    )


# ── plan and change ──────────────────────────────────────────────────────────────────────────


@router.get("/group-events/new")
async def new(request: Request, person: Staff, q: Words = "", host: Words = "") -> Response:
    return await _plan_form(request, person, q=q, filled={"host_registration_id": host})


async def _plan_form(
    request: Request,
    person: Person,
    *,
    q: str = "",
    filled: Mapping[str, Any],
    problem: ApiProblem | None = None,
) -> Response:
    hosts = await request.app.state.root.cases.registrations(
        person,
        search=q,
        state=["accepted"],
        role="host",
        partnership=person.caller.partnership,
        sort="name",
        limit=200,
    )
    return await page(
        request,
        "group_events/new.html",
        status=problem.status if problem else 200,
        hosts=hosts,
        q=q,
        filled=filled,
        blank_rows=MORE_ROWS,
        problem=problem,
    )


def _filled(form: SentForm) -> dict[str, Any]:
    return {**form, "agenda": agenda_rows(form), "approves_at_once": "approves_at_once" in form}


@router.post("/group-events")
async def plan(request: Request, person: Staff, form: Form) -> Response:
    if form.text("then") == "more":
        return await _plan_form(request, person, filled=_filled(form))
    body = {
        **programme(form),
        "host_registration_id": form.text("host_registration_id"),
        "city": form.text("city") or None,
    }
    try:
        event = await _matching(request, person).post("/group-events", body)
    except ApiProblem as problem:
        return await _plan_form(request, person, filled=_filled(form), problem=problem)
    _ = language_of(request).gettext
    return done(
        request, f"/group-events/{event['id']}", _("It is planned. Nobody but you sees it until you open it.")
    )


@router.get("/group-events/{id}/change")
async def change_form(request: Request, person: Staff, id: str) -> Response:
    event = await _matching(request, person).get(f"/group-events/{id}")
    return await _change_form(request, event, as_filled_in(event))


async def _change_form(
    request: Request, event: Mapping[str, Any], filled: Mapping[str, Any], problem: ApiProblem | None = None
) -> Response:
    return await page(
        request,
        "group_events/change.html",
        status=problem.status if problem else 200,
        event=event,
        filled=filled,
        blank_rows=MORE_ROWS,
        problem=problem,
    )


@router.post("/group-events/{id}/change")
async def change(request: Request, person: Staff, id: str, form: Form) -> Response:
    matching = _matching(request, person)
    if form.text("then") == "more":
        return await _change_form(request, await matching.get(f"/group-events/{id}"), _filled(form))
    try:
        await matching.put(f"/group-events/{id}", programme(form))
    except ApiProblem as problem:
        event = await matching.get(f"/group-events/{id}")
        return await _change_form(request, event, _filled(form), problem)
    _ = language_of(request).gettext
    return done(request, f"/group-events/{id}", _("Changed. Who is on the list is told what concerns them."))


# ── one of them ──────────────────────────────────────────────────────────────────────────────


@router.get("/group-events/{id}")
async def group_event(request: Request, person: Anybody, id: str, q: Words = "") -> Response:
    if person is None:
        event = await request.app.state.root.apis.as_(None).matching.get(f"/group-events/{id}")
        return await page(request, "group_events/public_event.html", event=event)
    if person.is_participant:
        return await own_group_events.own_group_event(request, person, id)
    return await _one(request, person, id, q=q)


async def _one(
    request: Request,
    person: Person,
    id: str,
    *,
    q: str = "",
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
    signed: list[dict[str, Any]] | None = None,
) -> Response:
    matching = _matching(request, person)
    event = await matching.get(f"/group-events/{id}")
    holds = person.caller.is_staff_of(event["partnership"])
    commitments = None
    if holds or person.oversees:
        commitments = await part(matching.get(f"/group-events/{id}/commitments"))
    found = None
    if q and person.is_staff:
        rows = await request.app.state.root.cases.registrations(
            person, search=q, state=["accepted"], sort="name", limit=FOUND
        )
        found = [row for row in rows.rows if may_come(row, event)]
    return await page(
        request,
        "group_events/staff_event.html",
        part="list",
        status=problem.status if problem else 200,
        event=event,
        holds=holds,
        commitments=commitments,
        listed={one["organisation"]["registration_id"] for one in event["participants"]},
        found=found,
        q=q,
        problem=problem,
        step=step,
        entered=entered,
        signed=signed,
    )


@router.post("/group-events/{id}/open")
async def open_it(request: Request, person: Staff, id: str) -> Response:
    _ = language_of(request).gettext
    return await _step(request, person, id, "open", {}, _("It is open: organisations can sign up."))


@router.post("/group-events/{id}/close")
async def close_it(request: Request, person: Staff, id: str) -> Response:
    _ = language_of(request).gettext
    return await _step(request, person, id, "close", {}, _("It is closed: nobody can sign up any more."))


@router.post("/group-events/{id}/cancel")
async def cancel_it(request: Request, person: Staff, id: str, form: Form) -> Response:
    _ = language_of(request).gettext
    said = _("It is called off. All on its list are told, with your reason.")
    return await _step(request, person, id, "cancel", {"reason": form.text("reason")}, said, form)


@router.post("/group-events/{id}/list")
async def put_on_list(request: Request, person: Staff, id: str, form: Form) -> Response:
    _ = language_of(request).gettext
    body = {"registration_id": form.text("registration_id")}
    return await _step(request, person, id, "participants", body, _("The organisation is on the list."))


@router.post("/group-events/{id}/list/{registration_id}/leave")
async def take_off_list(
    request: Request, person: Staff, id: str, registration_id: str, form: Form
) -> Response:
    _ = language_of(request).gettext
    body = {"reason": reason} if (reason := form.text("reason")) else {}
    said = _("The organisation is no longer on the list.")
    return await _step(request, person, id, f"participants/{registration_id}/leave", body, said)


async def _step(
    request: Request,
    person: Person,
    id: str,
    step: str,
    body: Mapping[str, Any],
    said: str,
    entered: SentForm | None = None,
) -> Response:
    try:
        await _matching(request, person).post(f"/group-events/{id}/{step}", body)
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem, step=step, entered=entered)
    return done(request, f"/group-events/{id}", said)


@router.post("/group-events/{id}/commitments/signatures")
async def sign(request: Request, person: Staff, id: str, form: Form) -> Response:
    _ = language_of(request).gettext
    matching = _matching(request, person)
    event = await matching.get(f"/group-events/{id}")
    partnership = request.app.state.root.partnerships.require(event["partnership"])
    problem = not_meant(request, form, partnership.name)
    signed: list[dict[str, Any]] = []
    if problem is None:
        try:
            signed = await matching.post(f"/group-events/{id}/sign", {"documents": documents(form)})
        except ApiProblem as refused:
            problem = refused
    if problem is not None:
        return await _one(request, person, id, problem=problem, step="sign")
    if any(one["why_not_signed"] for one in signed):
        return await _one(request, person, id, step="sign", signed=signed)
    return done(request, f"/group-events/{id}#commitments", _("You signed all of them for your partnership."))
