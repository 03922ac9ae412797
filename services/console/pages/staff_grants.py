"""Lump sums as staff see and settle them; the addresses are those of everybody (`pages/grants.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part, parts
from services.console.choices import countries
from services.console.domain.books import ACCOUNTS
from services.console.domain.judging import (
    day_marks,
    evidence_return,
    not_working,
    number,
    settlement,
    validation,
)
from services.console.domain.road import road
from services.console.filters import address, chosen
from services.console.forms import Form, SentForm
from services.console.people import Person, Staff, StaffOrOverseer
from services.console.rendering import language_of, page
from services.console.signing import not_meant

router = APIRouter(include_in_schema=False)

STATES: Final = (
    *("reserved", "awaiting_budget", "needs_review", "committed", "payable", "prepared", "released"),
    *("paid", "recovered", "refused", "cancelled"),
)


def _funding(request: Request, person: Person) -> Api:
    funding: Api = request.app.state.root.apis.as_(person.token).funding
    return funding


async def _found(request: Request, person: Person, id: str) -> dict[str, Any]:
    """What every page of a lump sum says at its top, and what its reader may do; raises `ApiProblem`."""
    grant = await _funding(request, person).get(f"/grants/{id}")
    pays = person.caller.is_staff_of(grant["partnership"])
    return {"grant": grant, "acts": pays, "sees_money": pays or person.oversees}


async def staff_grants(request: Request, person: Person) -> HTMLResponse:
    """The list of lump sums for staff and overseers."""
    filters = chosen(request.query_params, ("state", "partnership"))
    after = request.query_params.get("after") or None
    found = await part(_funding(request, person).get("/grants", {**filters, "after": after}))
    following = found.content["next"] if found.ok else None
    return await page(
        request,
        "grants/staff_list.html",
        part="list",
        found=found,
        filters=filters,
        states=STATES,
        next_href=address("/grants", filters, after=following) if following else None,
    )


# ── one lump sum ─────────────────────────────────────────────────────────────────────────────


async def staff_grant(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
) -> HTMLResponse:
    """A lump sum with all that belongs to it, for staff of either partnership and overseers."""
    funding = _funding(request, person)
    top = await _found(request, person, id)
    grant = top["grant"]
    asked = {"agreement": funding.get(f"/grants/{id}/agreement")}
    if top["sees_money"]:
        asked["account"] = funding.get(f"/grants/{id}/bank-account")
        asked["ledger"] = funding.get(
            f"/partnerships/{grant['partnership']}/ledger", {"grant": id, "limit": 200}
        )
    found = await parts(**asked)
    language = language_of(request)
    today = request.app.state.root.clock().date()
    return await page(
        request,
        "grants/staff_grant.html",
        part="road",
        status=problem.status if problem else 200,
        **top,
        agreement=found["agreement"],
        account=found.get("account"),
        ledger=found.get("ledger"),
        accounts=ACCOUNTS,
        steps=road(grant, today=today, say=language.gettext, day=language.day),
        marks=day_marks(grant["lump_sum"]["days"]) if grant["lump_sum"] else {},
        problem=problem,
        step=step,
        entered=entered,
    )


@router.post("/grants/{id}/agreement/countersignature")
async def countersign(request: Request, person: Staff, id: str, form: Form) -> Response:
    funding = _funding(request, person)
    agreement = await funding.get(f"/grants/{id}/agreement")
    problem = not_meant(request, form, agreement["payer"])
    if problem is None:
        try:
            await funding.post(f"/grants/{id}/agreement/signatures", {"sha256": form.text("sha256")})
        except ApiProblem as refused:
            problem = refused
    if problem is not None:
        return await staff_grant(request, person, id, problem=problem, step="sign", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}#agreement", _("You signed the agreement for your partnership."))


@router.post("/grants/{id}/claim")
async def claim(request: Request, person: Staff, id: str, form: Form) -> Response:
    body = {name: form.text(name) for name in ("amount", "return_by", "reason")}
    try:
        await _funding(request, person).post(f"/grants/{id}/claim", body)
    except ApiProblem as problem:
        return await staff_grant(request, person, id, problem=problem, step="claim", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}#back", _("The visitor is asked to pay it back, by mail."))


@router.post("/grants/{id}/recoveries")
async def recover(request: Request, person: Staff, id: str, form: Form) -> Response:
    body = {
        "amount": form.text("recovered"),
        "reference": form.text("reference"),
        "reason": form.text("because"),
    }
    try:
        await _funding(request, person).post(f"/grants/{id}/recoveries", body)
    except ApiProblem as problem:
        return await staff_grant(request, person, id, problem=problem, step="recover", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}#back", _("Noted: the money is in the budget again."))


# ── its report ───────────────────────────────────────────────────────────────────────────────


async def staff_report(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
) -> HTMLResponse:
    """The report on a stay, with what validating it would do."""
    funding = _funding(request, person)
    top = await _found(request, person, id)
    report = await part(funding.get(f"/grants/{id}/report"))
    waits = top["acts"] and report.ok and report.content["state"] == "submitted"
    preview = None
    if waits:
        body = validation(entered) if entered and step == "validate" else None
        body = body or {"edition": report.content["edition"], "accepted_days": []}
        preview = await part(funding.post(f"/grants/{id}/report/validation/preview", body))
    return await page(
        request,
        "grants/staff_report.html",
        part="preview" if step == "validate" else None,
        status=problem.status if problem else 200,
        **top,
        report=report,
        waits=waits,
        preview=preview,
        marks=_marks_of(preview),
        problem=problem,
        step=step,
        entered=entered,
    )


def _marks_of(preview: Any) -> Mapping[Any, Any]:
    return day_marks(preview.content["lump_sum"]["days"]) if preview and preview.ok else {}


@router.post("/grants/{id}/report/preview")
async def preview_validation(request: Request, person: Staff, id: str, form: Form) -> HTMLResponse:
    return await staff_report(request, person, id, step="validate", entered=form)


@router.post("/grants/{id}/report/validation")
async def validate(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _funding(request, person).post(f"/grants/{id}/report/validation", validation(form))
    except ApiProblem as problem:
        return await staff_report(request, person, id, problem=problem, step="validate", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}/report", _("The report is validated: the exchange counts."))


@router.post("/grants/{id}/report/return")
async def return_report(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _funding(request, person).post(f"/grants/{id}/report/return", {"reason": form.text("reason")})
    except ApiProblem as problem:
        return await staff_report(request, person, id, problem=problem, step="return", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}/report", _("The visitor is asked to correct the report."))


# ── its evidence ─────────────────────────────────────────────────────────────────────────────


async def staff_evidence(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: SentForm | None = None,
) -> HTMLResponse:
    """The evidence of a stay, one file open beside the list."""
    top = await _found(request, person, id)
    evidence = await part(_funding(request, person).get(f"/grants/{id}/evidence"))
    files = evidence.content["files"] if evidence.ok else []
    wanted = request.query_params.get("file")
    return await page(
        request,
        "grants/staff_evidence.html",
        status=problem.status if problem else 200,
        **top,
        evidence=evidence,
        shown=next((file for file in files if file["id"] == wanted), files[0] if files else None),
        problem=problem,
        step=step,
        entered=entered,
    )


@router.post("/grants/{id}/evidence/acceptance")
async def accept_evidence(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _funding(request, person).post(
            f"/grants/{id}/evidence/acceptance", {"edition": number(form.text("edition"))}
        )
    except ApiProblem as problem:
        return await staff_evidence(request, person, id, problem=problem, step="accept", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}/evidence", _("The evidence is accepted."))


@router.post("/grants/{id}/evidence/return")
async def return_evidence(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _funding(request, person).post(f"/grants/{id}/evidence/return", evidence_return(form))
    except ApiProblem as problem:
        return await staff_evidence(request, person, id, problem=problem, step="return", entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}/evidence", _("The visitor is told what will not do."))


# ── what staff settle ────────────────────────────────────────────────────────────────────────


@router.get("/grants/{id}/settlement")
async def settling(request: Request, person: StaffOrOverseer, id: str) -> HTMLResponse:
    return await _settlement(request, person, id)


@router.post("/grants/{id}/settlement/preview")
async def preview_settlement(request: Request, person: Staff, id: str, form: Form) -> HTMLResponse:
    try:
        preview = await _funding(request, person).post(f"/grants/{id}/settlement/preview", settlement(form))
    except ApiProblem as problem:
        return await _settlement(request, person, id, problem=problem, entered=form)
    return await _settlement(request, person, id, entered=form, preview=preview)


@router.post("/grants/{id}/settlement")
async def settle(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _funding(request, person).post(f"/grants/{id}/settlement", settlement(form))
    except ApiProblem as problem:
        return await _settlement(request, person, id, problem=problem, entered=form)
    _ = language_of(request).gettext
    return done(request, f"/grants/{id}", _("Settled: the lump sum is calculated again."))


async def _settlement(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | None = None,
    entered: SentForm | None = None,
    preview: Mapping[str, Any] | None = None,
) -> HTMLResponse:
    top = await _found(request, person, id)
    days = top["grant"]["lump_sum"]["days"] if top["grant"]["lump_sum"] else []
    return await page(
        request,
        "grants/staff_settlement.html",
        status=problem.status if problem else 200,
        **top,
        days_off=not_working(days),
        countries=countries(language_of(request)),
        preview=preview,
        marks=day_marks(preview["lump_sum"]["days"]) if preview else {},
        problem=problem,
        entered=entered,
    )
