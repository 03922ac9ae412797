"""Registrations: the queue of staff, one case, its CV and versions, and what is decided about it."""

from __future__ import annotations

import asyncio
from typing import Any, Final, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console import choices
from services.console.answers import done
from services.console.apis import Api, ApiProblem, parts
from services.console.domain.side_by_side import changed
from services.console.files import passed_on
from services.console.filters import PLACE, chosen
from services.console.forms import Form
from services.console.pages.own_registrations import own_registration
from services.console.pages.staff_registrations import DECISIONS, staff_registration
from services.console.people import Person, SignedIn, StaffOrOverseer
from services.console.rendering import language_of, page
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)

FILTERS: Final = (
    *("text", "verdict", "partnership", "role", "country", "kind", "ecosystem"),
    *("waiting_for", "rule", "submitted_from", "submitted_to"),
)
MANY: Final = ("state",)
NEWEST: Final = "-submitted_at"
AT_ONCE: Final = 50


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


@router.get("/registrations")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    asked = chosen(request.query_params, FILTERS, many=MANY)
    sort, place = request.query_params.get("sort") or NEWEST, request.query_params.get(PLACE)
    api = _api(request, person)
    of_any_state = {name: value for name, value in asked.items() if name not in MANY}
    shown: dict[str, Any] = await parts(
        lines=api.get("/registrations", {**asked, "sort": sort, "limit": AT_ONCE, PLACE: place}),
        counts=api.get("/registrations/counts", of_any_state),
    )
    counts, language = shown["counts"].content, language_of(request)
    return await page(
        request,
        "registrations/list.html",
        part="list",
        **shown,
        asked=asked,
        sort=sort,
        place=place,
        query=urlencode({**asked, "sort": sort}, doseq=True),
        matching=counts
        and sum(counts["by_state"].get(state, 0) for state in asked.get("state", counts["by_state"])),
        countries=choices.countries(language),
        ecosystems=choices.ecosystems(language),
        kinds=choices.kinds(language),
        owners=[(one.id, one.name) for one in request.app.state.root.partnerships],
    )


@router.get("/registrations.{format}")
async def export(request: Request, format: Literal["csv", "xlsx"], person: StaffOrOverseer) -> Response:
    asked = chosen(request.query_params, (*FILTERS, "sort"), many=MANY)
    return await passed_on(_api(request, person), f"/registrations.{format}", params=asked)


@router.get("/registrations/{id}")
async def one(request: Request, id: str, person: SignedIn) -> Response:
    if person.is_participant:
        return await own_registration(request, person, id)
    return await staff_registration(request, person, id)


@router.post("/registrations/{id}/decide")
async def decide(request: Request, id: str, person: StaffOrOverseer, form: Form) -> Response:
    decision = DECISIONS.get(form.text("decision"))
    if decision is None:
        raise NotFound(f"There is no decision “{form.text('decision')}” about a registration.")
    entered = {name: form.text(f"{decision.step}_{name}") for name in decision.fields}
    try:
        await _api(request, person).post(
            f"/registrations/{id}/{decision.step}", {name: value for name, value in entered.items() if value}
        )
    except ApiProblem as problem:
        return await staff_registration(
            request, person, id, problem=problem, entered=entered | {"decision": decision.step}
        )
    _ = language_of(request).gettext
    # Staff who hand a registration over no longer see it.
    return done(request, "/registrations" if decision.leaves else f"/registrations/{id}", _(decision.told))


@router.get("/registrations/{id}/cv")
async def cv(request: Request, id: str, person: SignedIn) -> Response:
    return await passed_on(_api(request, person), f"/registrations/{id}/cv", shown=True)


@router.get("/registrations/{id}/versions/{number}")
async def version(request: Request, id: str, number: int, person: SignedIn) -> Response:
    api = _api(request, person)
    case, sent = await asyncio.gather(
        api.get(f"/registrations/{id}"), api.get(f"/registrations/{id}/versions/{number}")
    )
    return await page(
        request,
        "registrations/version.html",
        case=case,
        sent=sent,
        changes=[changed(**change) for change in sent["changes"]],
    )
