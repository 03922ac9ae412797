"""Webhook endpoints: what is sent to a system outside, what arrived, and what is to be sent once more."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.filters import PLACE, address, chosen
from services.console.forms import Form
from services.console.languages import CLOCK
from services.console.people import Person, SignedIn
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

FILTERS: Final = ("state", "event_type")
STATES: Final = ("waiting", "delivered", "failed", "skipped")


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


@router.get("/webhooks")
async def webhooks(request: Request, person: SignedIn) -> Response:
    return await _list(request, person)


@router.post("/webhooks")
async def register(request: Request, person: SignedIn, form: Form) -> Response:
    wanted = _described(form)
    try:
        made = await _api(request, person).post("/webhooks", {**wanted, "contact": wanted["contact"] or None})
    except ApiProblem as problem:
        return await _list(request, person, sent=wanted, problem=problem)
    return await page(request, "webhooks/secret.html", status=201, endpoint=made, is_new=True)


@router.get("/webhooks/{id}")
async def webhook(id: str, request: Request, person: SignedIn) -> Response:
    return await _one(id, request, person)


@router.post("/webhooks/{id}")
async def change(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    _ = language_of(request).gettext
    return await _patched(id, request, person, _described(form), _("The endpoint is changed."))


@router.post("/webhooks/{id}/disable")
async def disable(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    _ = language_of(request).gettext
    wanted = {"state": "disabled", "why": form.text("why")}
    return await _patched(id, request, person, wanted, _("Nothing is sent there until you enable it again."))


@router.post("/webhooks/{id}/enable")
async def enable(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    _ = language_of(request).gettext
    wanted = {"state": "enabled", "missed": form.text("missed", "send")}
    return await _patched(id, request, person, wanted, _("Events are sent there again."))


@router.post("/webhooks/{id}/delete")
async def delete(id: str, request: Request, person: SignedIn) -> Response:
    try:
        await _api(request, person).delete(f"/webhooks/{id}")
    except ApiProblem as problem:
        return await _one(id, request, person, problem=problem)
    _ = language_of(request).gettext
    return done(request, "/webhooks", _("The endpoint is deleted; nothing more is sent there."))


@router.post("/webhooks/{id}/secret")
async def rotate(id: str, request: Request, person: SignedIn) -> Response:
    try:
        made = await _api(request, person).post(f"/webhooks/{id}/secret", {"overlap_hours": 24})
    except ApiProblem as problem:
        return await _one(id, request, person, problem=problem)
    return await page(request, "webhooks/secret.html", endpoint=made, is_new=False)


@router.post("/webhooks/{id}/test")
async def test(id: str, request: Request, person: SignedIn) -> Response:
    try:
        answer = await _api(request, person).post(f"/webhooks/{id}/test")
    except ApiProblem as problem:
        return await _one(id, request, person, problem=problem)
    return await _one(id, request, person, pinged=answer)


@router.post("/webhooks/{id}/replay")
async def replay(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    since = form.text("since")
    try:
        moment = datetime.fromisoformat(since).replace(tzinfo=CLOCK).isoformat()
    except ValueError:
        moment = since  # the API says what is wrong with it
    try:
        asked = {"since": moment, "only": form.text("only", "failed")}
        again = await _api(request, person).post(f"/webhooks/{id}/replay", asked)
    except ApiProblem as problem:
        return await _one(id, request, person, problem=problem)
    ngettext = language_of(request).catalogue.ngettext
    said = ngettext(
        "%(num)s event is sent once more.", "%(num)s events are sent once more.", again["deliveries"]
    )
    return done(request, f"/webhooks/{id}", said % {"num": again["deliveries"]})


@router.get("/webhooks/{id}/deliveries/{delivery}")
async def delivery(id: str, delivery: str, request: Request, person: SignedIn) -> Response:
    found = await _api(request, person).get(f"/webhooks/{id}/deliveries/{delivery}")
    event = json.dumps(found["event"], indent=2, ensure_ascii=False)
    return await page(request, "webhooks/delivery.html", id=id, found=found, event=event)


@router.post("/webhooks/{id}/deliveries/{delivery}/replay")
async def replay_one(id: str, delivery: str, request: Request, person: SignedIn) -> Response:
    await _api(request, person).post(f"/webhooks/{id}/deliveries/{delivery}/replay")
    _ = language_of(request).gettext
    return done(request, f"/webhooks/{id}", _("The event is sent once more."))


def _described(form: Form) -> dict[str, Any]:
    return {
        "url": form.text("url"),
        "events": form.text("events").replace(",", " ").split(),
        "description": form.text("description"),
        "contact": form.text("contact"),
    }


async def _patched(id: str, request: Request, person: Person, wanted: dict[str, Any], said: str) -> Response:
    try:
        await _api(request, person).patch(f"/webhooks/{id}", wanted)
    except ApiProblem as problem:
        return await _one(id, request, person, sent=wanted if "url" in wanted else None, problem=problem)
    return done(request, f"/webhooks/{id}", said)


async def _list(
    request: Request, person: Person, *, sent: dict[str, Any] | None = None, problem: ApiProblem | None = None
) -> Response:
    place = request.query_params.get(PLACE)
    found = await _api(request, person).get("/webhooks", {PLACE: place, "limit": 50})
    return await page(
        request,
        "webhooks/list.html",
        status=problem.status if problem else 200,
        endpoints=found["items"],
        next_page=address("/webhooks", after=found["next"]) if found["next"] else None,
        sent=sent or {"url": "", "events": ["*"], "description": "", "contact": ""},
        problem=problem,
    )


async def _one(
    id: str,
    request: Request,
    person: Person,
    *,
    sent: dict[str, Any] | None = None,
    pinged: dict[str, Any] | None = None,
    problem: ApiProblem | None = None,
) -> Response:
    api = _api(request, person)
    asked = chosen(request.query_params, FILTERS)
    place = request.query_params.get(PLACE)
    endpoint = await api.get(f"/webhooks/{id}")
    deliveries = await part(api.get(f"/webhooks/{id}/deliveries", {**asked, PLACE: place, "limit": 50}))
    next_place = deliveries.content["next"] if deliveries.ok else None
    return await page(
        request,
        "webhooks/webhook.html",
        part="deliveries",
        status=problem.status if problem else 200,
        endpoint=endpoint,
        sent=sent or {**endpoint, "contact": endpoint["contact"] or ""},
        asked=asked,
        states=STATES,
        deliveries=deliveries,
        next_page=address(f"/webhooks/{id}", asked, after=next_place) if next_place else None,
        pinged=pinged,
        problem=problem,
    )
