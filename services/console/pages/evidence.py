"""The evidence of a stay: its sender adds files and hands them in; staff judge them at the same address."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem
from services.console.files import passed_on
from services.console.forms import Form
from services.console.pages import staff_grants
from services.console.people import Participant, Person, SignedIn
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

KINDS: Final = ("boarding_pass", "ticket", "invoice", "attendance_list", "other")
AT_ONCE: Final = 5
"""Files that can be sent with one form."""


@router.get("/grants/{id}/evidence")
async def evidence(id: str, request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_grants.staff_evidence(request, person, id)
    return await _evidence(id, request, person)


@router.post("/grants/{id}/evidence")
async def add(id: str, request: Request, person: Participant, form: Form) -> Response:
    """Send each file on as it is; what one of them is refused for does not keep the others away."""
    funding = _funding(request, person)
    asked = {"kind": form.text("kind"), "note": form.text("note")}
    files = form.files("files")[:AT_ONCE]
    refused: list[tuple[str, ApiProblem]] = []
    for file in files:
        try:
            await funding.send(
                "POST",
                f"/grants/{id}/evidence",
                params={**asked, "name": (file.filename or "")[-200:]},
                content=await file.read(),
                headers={"Content-Type": file.content_type or "application/octet-stream"},
            )
        except ApiProblem as problem:
            refused.append((file.filename or "", problem))
    if refused or not files:
        return await _evidence(id, request, person, refused=refused, nothing=not files)
    ngettext = language_of(request).catalogue.ngettext
    said = ngettext("%(num)s file is added.", "%(num)s files are added.", len(files))
    return done(request, f"/grants/{id}/evidence", said % {"num": len(files)})


@router.post("/grants/{id}/evidence/submission")
async def submit(id: str, request: Request, person: Participant, form: Form) -> Response:
    try:
        await _funding(request, person).post(f"/grants/{id}/evidence/submission")
    except ApiProblem as problem:
        return await _evidence(id, request, person, problem=problem)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}", _("Your evidence is handed in. Your partnership looks at it now."))


@router.post("/grants/{id}/evidence/{file}/delete")
async def delete(id: str, file: str, request: Request, person: Participant, form: Form) -> Response:
    try:
        await _funding(request, person).delete(f"/grants/{id}/evidence/{file}")
    except ApiProblem as problem:
        return await _evidence(id, request, person, problem=problem)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}/evidence", _("The file is deleted."))


@router.get("/grants/{id}/evidence/{file}")
async def download(id: str, file: str, request: Request, person: SignedIn, shown: bool = False) -> Response:
    return await passed_on(_funding(request, person), f"/grants/{id}/evidence/{file}", shown=shown)


async def _evidence(
    id: str,
    request: Request,
    person: Person,
    *,
    problem: ApiProblem | None = None,
    refused: list[tuple[str, ApiProblem]] | None = None,
    nothing: bool = False,
) -> Response:
    funding = _funding(request, person)
    grant = await funding.get(f"/grants/{id}")
    told = await funding.get(f"/grants/{id}/evidence")
    worst = problem or (refused[0][1] if refused else None)
    return await page(
        request,
        "grants/evidence.html",
        status=worst.status if worst else 422 if nothing else 200,
        grant=grant,
        evidence=told,
        kinds=KINDS,
        at_once=AT_ONCE,
        largest=request.app.state.root.settings.evidence_max_bytes,
        most=request.app.state.root.settings.evidence_max_files,
        problem=problem,
        refused=refused or [],
        nothing=nothing,
    )


def _funding(request: Request, person: Person) -> Api:
    funding: Api = request.app.state.root.apis.as_(person.token).funding
    return funding
