"""Addresses that mails do not reach: why, and the way back."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.filters import PLACE, address
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


@router.get("/suppressions")
async def suppressions(request: Request, person: StaffOrOverseer) -> Response:
    place = request.query_params.get(PLACE)
    found = await part(_api(request, person).get("/suppressions", {PLACE: place, "limit": 50}))
    next_place = found.content["next"] if found.ok else None
    return await page(
        request,
        "suppressions/list.html",
        part="list",
        found=found,
        next_page=address("/suppressions", after=next_place) if next_place else None,
    )


@router.get("/suppressions/{id}")
async def suppression(id: str, request: Request, person: StaffOrOverseer) -> Response:
    return await _shown(id, request, person)


@router.post("/suppressions/{id}/restore")
async def restore(id: str, request: Request, person: StaffOrOverseer) -> Response:
    try:
        await _api(request, person).delete(f"/suppressions/{id}")
    except ApiProblem as problem:
        return await _shown(id, request, person, problem)
    _ = language_of(request).gettext
    return done(request, f"/suppressions/{id}", _("Mails go there again, from the next one on."))


async def _shown(id: str, request: Request, person: Person, problem: ApiProblem | None = None) -> Response:
    return await page(
        request,
        "suppressions/suppression.html",
        status=problem.status if problem else 200,
        found=await _api(request, person).get(f"/suppressions/{id}"),
        problem=problem,
    )
