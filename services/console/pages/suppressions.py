"""Addresses that mails do not reach: why, and the way back once the mailbox works again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.filters import PLACE
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


@router.get("/suppressions")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    place = request.query_params.get(PLACE)
    addresses = await part(_api(request, person).get("/suppressions", {"limit": 50, PLACE: place}))
    return await page(request, "suppressions/list.html", addresses=addresses, place=place)


@router.get("/suppressions/{id}")
async def one(request: Request, id: str, person: StaffOrOverseer) -> Response:
    return await _address(request, person, id)


@router.post("/suppressions/{id}/restore")
async def restore(request: Request, id: str, person: StaffOrOverseer) -> Response:
    try:
        await _api(request, person).delete(f"/suppressions/{id}")
    except ApiProblem as problem:
        return await _address(request, person, id, problem)
    _ = language_of(request).gettext
    return done(request, f"/suppressions/{id}", _("Mails go there again, from the next one on."))


async def _address(request: Request, person: Person, id: str, problem: ApiProblem | None = None) -> Response:
    return await page(
        request,
        "suppressions/address.html",
        status=problem.status if problem else 200,
        address=await _api(request, person).get(f"/suppressions/{id}"),
        restores=person.is_staff or person.operates,
        problem=problem,
    )
