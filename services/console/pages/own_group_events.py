"""Group events as organisations see them: places left, sign up, leave; the host signs for its visitors."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import AllApis, ApiProblem, Part, part
from services.console.forms import Form, SentForm
from services.console.own import own_registrations
from services.console.people import Participant, Person
from services.console.rendering import language_of, page
from services.console.signing import not_meant

router = APIRouter(include_in_schema=False)

COMING = ("open", "full", "closed")
OVER = ("held", "cancelled")


async def own_group_events(request: Request, person: Person) -> Response:
    """The list of group events for somebody who acts for an organisation."""
    apis = _apis(request, person)
    found = await part(apis.matching.get("/group-events", {"limit": 100}))
    events = found.content["items"] if found.ok else []
    return await page(
        request,
        "group_events/own_list.html",
        coming=sorted((one for one in events if one["state"] in COMING), key=_first_day),
        over=sorted((one for one in events if one["state"] in OVER), key=_first_day, reverse=True),
        events=found,
    )


async def own_group_event(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
    left_out: list[Any] | None = None,
) -> Response:
    """One group event, and where the organisation stands in it."""
    apis = _apis(request, person)
    event, own = await asyncio.gather(apis.matching.get(f"/group-events/{id}"), part(own_registrations(apis)))
    lines = own.content or []
    ids = {line["id"] for line in lines}
    hosts = event["host"]["registration_id"] in ids
    commitments: Part | None = None
    if hosts and event["state"] not in ("planned", "cancelled"):
        commitments = await part(apis.matching.get(f"/group-events/{id}/commitments"))
    return await page(
        request,
        "group_events/own_event.html",
        part="event",
        status=problem.status if problem else 200,
        event=event,
        own=own,
        hosts=hosts,
        mine=[one for one in event["participants"] if one["organisation"]["registration_id"] in ids],
        may_come=[line for line in lines if line["state"] == "accepted" and not hosts],
        commitments=commitments,
        problem=problem,
        step=step,
        entered=entered,
        left_out=left_out or [],
    )


@router.post("/group-events/{id}/sign-up")
async def sign_up(id: str, request: Request, person: Participant, form: Form) -> Response:
    registration = form.text("registration")
    try:
        event = await _apis(request, person).matching.post(
            f"/group-events/{id}/participants", {"registration_id": registration}
        )
    except ApiProblem as problem:
        return await own_group_event(request, person, id, problem=problem, step="sign-up")
    mine = next(
        one for one in event["participants"] if one["organisation"]["registration_id"] == registration
    )
    _ = language_of(request).gettext
    said = _("You have a place.") if mine["has_place"] else _("You are on the waiting list.")
    return done(request, f"/group-events/{id}", said)


@router.post("/group-events/{id}/leave")
async def leave(id: str, request: Request, person: Participant, form: Form) -> Response:
    try:
        await _apis(request, person).matching.post(
            f"/group-events/{id}/participants/{form.text('registration')}/leave",
            {"reason": form.text("reason")},
        )
    except ApiProblem as problem:
        return await own_group_event(request, person, id, problem=problem, step="leave", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/group-events/{id}", _("You have left. Your place goes to the next who waits."))


@router.post("/group-events/{id}/commitments")
async def sign_for_all(id: str, request: Request, person: Participant, form: Form) -> Response:
    matching = _apis(request, person).matching
    event = await matching.get(f"/group-events/{id}")
    problem = not_meant(request, form, event["host"]["organisation"])
    if problem is not None:
        return await own_group_event(request, person, id, problem=problem, step="sign", entered=form)
    seen = [one.partition(":") for one in form.list("documents")]
    documents = [{"match_id": match, "sha256": sha256} for match, _, sha256 in seen]
    try:
        signed = await matching.post(f"/group-events/{id}/sign", {"documents": documents})
    except ApiProblem as refused:
        return await own_group_event(request, person, id, problem=refused, step="sign", entered=form)
    left_out = [one for one in signed if one["why_not_signed"]]
    if left_out:
        return await own_group_event(request, person, id, left_out=left_out)
    say = language_of(request).gettext
    return done(request, f"/group-events/{id}", say("You have signed the commitments of your visitors."))


def _first_day(event: dict[str, Any]) -> str:
    return str(event["days"]["first_day"])


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis
