"""Invitations to partners found already: send a link, take it back, and what whoever follows it finds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, ServiceDown, part
from services.console.filters import address
from services.console.forms import Form
from services.console.own import own_registrations
from services.console.pages.own_registrations import OPEN, own_registration
from services.console.people import Anybody, Participant, Person
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

FIELDS: Final = ("email", "role", "first_day", "last_day", "message")


@router.post("/registrations/{id}/invitations")
async def invite(request: Request, id: str, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    entered = {name: form.text(name) for name in FIELDS}
    try:
        await _matching(request, person).post(f"/registrations/{id}/invitations", entered)
    except (ApiProblem, ServiceDown) as trouble:
        return await own_registration(
            request, person, id, problem=trouble, entered={"part": "invitation", **entered}
        )
    told = _("The invitation is on its way to the address you gave, with a link that works once.")
    return done(request, f"/registrations/{id}#invitations", told)


@router.post("/registrations/{id}/invitations/{invitation}/withdraw")
async def withdraw(request: Request, id: str, invitation: str, person: Participant) -> Response:
    _ = language_of(request).gettext
    try:
        await _matching(request, person).post(f"/invitations/{invitation}/withdraw")
    except (ApiProblem, ServiceDown) as trouble:
        return await own_registration(request, person, id, problem=trouble, entered={"part": "invitation"})
    return done(
        request, f"/registrations/{id}#invitations", _("The invitation is withdrawn: its link is dead.")
    )


@router.get("/invitations/{token}")
async def follow(request: Request, token: str, person: Anybody) -> Response:
    return await _show(request, token, person)


@router.post("/invitations/{token}/accept")
async def accept(request: Request, token: str, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    registration = form.text("registration")
    try:
        await _matching(request, person).post(
            f"/invitations/{token}/accept", {"registration_id": registration}
        )
    except (ApiProblem, ServiceDown) as trouble:
        return await _show(request, token, person, trouble=trouble)
    told = _("Accepted: your exchange is agreed as soon as both registrations are accepted.")
    return done(request, f"/registrations/{registration}", told)


async def _show(
    request: Request, token: str, person: Person | None, *, trouble: ApiProblem | ServiceDown | None = None
) -> Response:
    apis = request.app.state.root.apis.as_(person.token if person else None)
    offer = await part(apis.matching.get(f"/invitations/{token}"))
    own = await part(own_registrations(apis)) if person is not None and person.is_participant else None
    fitting = [
        line
        for line in (own.content if own is not None and own.ok else [])
        if offer.ok and line["state"] in OPEN and offer.content["role"] in line["roles"]
    ]
    status = (
        trouble.status if trouble else 503 if offer.down else offer.problem.status if offer.problem else 200
    )
    return await page(
        request,
        "invitations/offer.html",
        status=status,
        token=token,
        offer=offer,
        own=own,
        fitting=fitting,
        to_choose=[(line["id"], f"{line['organisation']}, {line['city']}") for line in fitting],
        register=_form_for(offer.content) if offer.ok else None,
        trouble=trouble,
    )


def _form_for(offer: Mapping[str, Any]) -> str:
    """The form of a registration, begun with what the invitation says."""
    return address(
        "/registrations/new",
        {
            "roles": offer["role"],
            "availability.0.first_day": offer["stay"]["first_day"],
            "availability.0.last_day": offer["stay"]["last_day"],
        },
    )


def _matching(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).matching
    return api
