"""The Commitment to Quality of an exchange: written together, read beside its document, signed by four."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import AllApis, ApiProblem, part
from services.console.domain.calendar import Span
from services.console.domain.commitment_form import content, rows
from services.console.domain.judging import number
from services.console.files import passed_on
from services.console.forms import Form
from services.console.own import own_registrations, side_in
from services.console.people import Person, SignedIn
from services.console.rendering import language_of, page
from services.console.signing import not_meant

router = APIRouter(include_in_schema=False)


@router.get("/matches/{id}/commitment")
async def commitment(id: str, request: Request, person: SignedIn) -> Response:
    return await _commitment(id, request, person)


@router.post("/matches/{id}/commitment")
async def write(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    written = {**content(form), "version": number(form.text("version"))}
    if form.text("then") == "rows":
        return await _commitment(id, request, person, written=written)
    try:
        await _apis(request, person).matching.put(f"/matches/{id}/commitment", written)
    except ApiProblem as problem:
        return await _commitment(id, request, person, written=written, problem=problem, step="write")
    _ = language_of(request).gettext
    return done(request, f"/matches/{id}/commitment", _("Saved. The document says now what you wrote."))


@router.post("/matches/{id}/commitment/signature")
async def sign(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    apis = _apis(request, person)
    match, found = await asyncio.gather(
        apis.matching.get(f"/matches/{id}"), apis.matching.get(f"/matches/{id}/commitment")
    )
    signer = await _signer(apis, person, match, found)
    _ = language_of(request).gettext
    if signer is None and form.text("sha256") == found["sha256"] and found["state"] != "void":
        # Sent twice, or there is nothing to sign for: the page says which.
        return done(request, f"/matches/{id}/commitment")
    if signer is not None and (problem := not_meant(request, form, signer)) is not None:
        return await _commitment(id, request, person, problem=problem, step="sign")
    try:
        await apis.matching.post(f"/matches/{id}/commitment/sign", {"sha256": form.text("sha256")})
    except ApiProblem as problem:
        return await _commitment(id, request, person, problem=problem, step="sign")
    return done(request, f"/matches/{id}/commitment", _("You have signed. Thank you."))


@router.get("/matches/{id}/commitment.pdf")
async def commitment_file(id: str, request: Request, person: SignedIn, shown: bool = False) -> Response:
    return await passed_on(_apis(request, person).matching, f"/matches/{id}/commitment.pdf", shown=shown)


async def _commitment(
    id: str,
    request: Request,
    person: Person,
    *,
    written: Mapping[str, Any] | None = None,
    problem: ApiProblem | None = None,
    step: str = "",
) -> Response:
    apis = _apis(request, person)
    match, found = await asyncio.gather(
        apis.matching.get(f"/matches/{id}"), apis.matching.get(f"/matches/{id}/commitment")
    )
    shown = written or found
    return await page(
        request,
        "matches/commitment.html",
        status=problem.status if problem else 200,
        match=match,
        commitment=found,
        written=shown,
        rows=rows(shown["agenda"]),
        days=[day.isoformat() for day in Span.of(found["stay"]).days],
        signer=await _signer(apis, person, match, found),
        may_write=not person.oversees and found["state"] != "void",
        editing=written is not None or request.query_params.get("edit") == "yes",
        problem=problem,
        step=step,
    )


async def _signer(
    apis: AllApis, person: Person, match: Mapping[str, Any], found: Mapping[str, Any]
) -> str | None:
    """For whom the person's signature is missing: its organisation's or partnership's name, or None."""
    if person.is_staff:
        sides = {"VOP": "visitor", "HOP": "host"}
        ours = [
            side
            for role, side in sides.items()
            if role in found["missing"] and person.caller.is_staff_of(match[side]["partnership"])
        ]
        return found[ours[0]]["partnership"] if ours else None
    if not person.is_participant:
        return None
    own = await part(own_registrations(apis))
    side = side_in(match, own.content or [])
    missing = {"visitor": "VO", "host": "HO"}.get(side or "") in found["missing"]
    return found[side]["organisation"] if side and missing else None


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis
