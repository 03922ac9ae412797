"""Lump sums: the amount and why, the financial agreement, the bank account, the documents of a stay."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part, parts
from services.console.choices import countries
from services.console.domain.judging import day_marks
from services.console.domain.own_grant import own_steps
from services.console.files import passed_on
from services.console.forms import Form, SentForm
from services.console.pages import staff_grants
from services.console.people import Participant, Person, SignedIn
from services.console.rendering import language_of, page
from services.console.signing import not_meant

router = APIRouter(include_in_schema=False)

ADDRESS: Final = ("street", "building_number", "post_code", "town", "country")


@router.get("/grants")
async def grants(request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_grants.staff_grants(request, person)
    found = await part(_funding(request, person).get("/grants", {"limit": 50}))
    return await page(request, "grants/list.html", grants=found)


@router.get("/grants/{id}")
async def grant(id: str, request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_grants.staff_grant(request, person, id)
    return await _grant(id, request, person)


@router.post("/grants/{id}/agreement/signature")
async def sign(id: str, request: Request, person: Participant, form: Form) -> Response:
    funding = _funding(request, person)
    organisation = (await funding.get(f"/grants/{id}"))["visitor"]["organisation"]
    agreement = await funding.get(f"/grants/{id}/agreement")
    if "VO" not in agreement["missing"] and agreement["sha256"] == form.text("sha256"):
        return done(request, f"/grants/{id}#agreement")  # sent twice
    if (problem := not_meant(request, form, organisation)) is not None:
        return await _grant(id, request, person, problem=problem, step="agreement", entered=form)
    try:
        await funding.post(f"/grants/{id}/agreement/signatures", {"sha256": form.text("sha256")})
    except ApiProblem as problem:
        return await _grant(id, request, person, problem=problem, step="agreement")
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}#agreement", _("You have signed. Your partnership signs next."))


@router.post("/grants/{id}/bank-account")
async def give_account(id: str, request: Request, person: Participant, form: Form) -> Response:
    body = {
        "holder": form.text("holder"),
        "address": {name: form.text(name) for name in ADDRESS},
        "iban": form.text("iban"),
        "bic": form.text("bic") or None,
    }
    try:
        await _funding(request, person).put(f"/grants/{id}/bank-account", body)
    except ApiProblem as problem:
        return await _grant(id, request, person, problem=problem, step="account", entered=form)
    _ = language_of(request).gettext
    said = _("Your account is kept, encrypted. You get a mail that there is one, without its number.")
    return done(request, f"/grants/{id}#account", said)


@router.get("/grants/{id}/agreement.pdf")
async def agreement_file(id: str, request: Request, person: SignedIn, shown: bool = False) -> Response:
    return await passed_on(_funding(request, person), f"/grants/{id}/agreement.pdf", shown=shown)


@router.get("/grants/{id}/certificate.pdf")
async def certificate(id: str, request: Request, person: SignedIn, shown: bool = False) -> Response:
    return await passed_on(_funding(request, person), f"/grants/{id}/certificate.pdf", shown=shown)


async def _grant(
    id: str,
    request: Request,
    person: Person,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
) -> Response:
    funding = _funding(request, person)
    found = await funding.get(f"/grants/{id}")
    shown = await parts(
        agreement=funding.get(f"/grants/{id}/agreement"),
        account=funding.get(f"/grants/{id}/bank-account"),
        report=funding.get(f"/grants/{id}/report"),
        evidence=funding.get(f"/grants/{id}/evidence"),
    )
    language = language_of(request)
    return await page(
        request,
        "grants/grant.html",
        part="way",
        status=problem.status if problem else 200,
        grant=found,
        marks=day_marks(found["lump_sum"]["days"]) if found["lump_sum"] else {},
        steps=own_steps(found, has_account=shown["account"].ok, say=language.gettext, day=language.day),
        countries=countries(language),
        problem=problem,
        step=step,
        entered=entered,
        agreement=shown["agreement"],
        account=shown["account"],
        report=shown["report"],
        evidence=shown["evidence"],
    )


def _funding(request: Request, person: Person) -> Api:
    funding: Api = request.app.state.root.apis.as_(person.token).funding
    return funding
