"""Registrations that may be of one organisation: side by side, to be merged or found to be two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.domain.side_by_side import compared
from services.console.filters import PLACE, chosen
from services.console.forms import Form
from services.console.people import Person, Staff, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

SHOWN: Final = ("organisation", "kind", "country", "city", "postcode", "street", "website", "identifiers")
"""What a side says of its organisation, as it is shown."""


NOTHING: Final[Mapping[str, str]] = {}


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


@router.get("/duplicates")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    asked = chosen(request.query_params, ("state", "min_score", "partnership"))
    state = request.query_params.get("state", "open")
    place = request.query_params.get(PLACE)
    pairs = await part(
        _api(request, person).get("/duplicates", {**asked, "state": state or None, "limit": 50, PLACE: place})
    )
    return await page(
        request,
        "duplicates/list.html",
        part="list",
        pairs=pairs,
        asked=asked,
        state=state,
        place=place,
    )


@router.get("/duplicates/{id}")
async def one(request: Request, id: str, person: StaffOrOverseer) -> Response:
    return await _pair(request, person, id)


@router.post("/duplicates/{id}/merge")
async def merge(request: Request, id: str, person: Staff, form: Form) -> Response:
    _ = language_of(request).gettext
    return await _judged(request, person, form, id, f"/duplicates/{id}/merge", _("They share one visit now."))


@router.post("/duplicates/{id}/distinct")
async def distinct(request: Request, id: str, person: Staff, form: Form) -> Response:
    _ = language_of(request).gettext
    return await _judged(
        request, person, form, id, f"/duplicates/{id}/distinct", _("Noted: these are two organisations.")
    )


@router.post("/duplicates/{id}/undo")
async def undo(request: Request, id: str, person: Staff, form: Form) -> Response:
    _ = language_of(request).gettext
    pair = await _api(request, person).get(f"/duplicates/{id}")
    return await _judged(
        request,
        person,
        form,
        id,
        f"/merges/{pair['merge_id']}/undo",
        _("The merge is undone: each has its own visit again."),
    )


async def _judged(request: Request, person: Person, form: Form, id: str, command: str, told: str) -> Response:
    name = f"{command.rpartition('/')[2]}_reason"
    entered = {name: form.text(name)}
    try:
        await _api(request, person).post(command, {"reason": entered[name]})
    except ApiProblem as problem:
        return await _pair(request, person, id, problem=problem, entered=entered)
    return done(request, f"/duplicates/{id}", told)


async def _pair(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    entered: Mapping[str, str] = NOTHING,
) -> Response:
    pair = await _api(request, person).get(f"/duplicates/{id}")
    sides = pair["sides"]
    return await page(
        request,
        "duplicates/pair.html",
        status=problem.status if problem else 200,
        pair=pair,
        rows=compared(sides[0], sides[1], SHOWN) if len(sides) == 2 else [],
        judges=person.caller.is_staff_of(*(side["partnership"] for side in sides)),
        problem=problem,
        entered=entered,
    )
