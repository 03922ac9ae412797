"""The report on a stay: saved bit by bit and handed in by its writer, judged at the same address by staff."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console import words
from services.console.answers import done
from services.console.apis import Api, ApiProblem, ServiceDown
from services.console.domain.calendar import Span, no_holidays
from services.console.domain.judging import number
from services.console.domain.report_form import content, days_off, days_to_fill, fields
from services.console.forms import Form, SentForm
from services.console.pages import staff_grants
from services.console.people import Participant, Person, SignedIn
from services.console.rendering import language_of, page
from services.console.stays import holidays_at

router = APIRouter(include_in_schema=False)


@router.get("/grants/{id}/report")
async def report(id: str, request: Request, person: SignedIn) -> Response:
    if not person.is_participant:
        return await staff_grants.staff_report(request, person, id)
    return await _report(id, request, person)


@router.post("/grants/{id}/report")
async def save(id: str, request: Request, person: Participant, form: Form) -> Response:
    funding = _funding(request, person)
    _ = language_of(request).gettext
    try:
        await funding.put(f"/grants/{id}/report", _sent(form))
        if form.text("then") == "submit":
            await funding.post(f"/grants/{id}/report/submission")
    except ApiProblem as problem:
        return await _report(id, request, person, problem=problem, entered=form)
    if form.text("then") == "submit":
        return done(request, f"/grants/{id}", _("Your report is handed in. Your partnership reads it now."))
    return done(request, f"/grants/{id}/report", _("Your report is saved. Hand it in when it is complete."))


@router.post("/grants/{id}/report/draft")
async def save_meanwhile(id: str, request: Request, person: Participant, form: Form) -> Response:
    problem: ApiProblem | ServiceDown | None = None
    saved: Any = None
    try:
        saved = await _funding(request, person).put(f"/grants/{id}/report", _sent(form))
    except (ApiProblem, ServiceDown) as refused:
        problem = refused
    return await page(
        request,
        "grants/report_saved.html",
        edition=saved["edition"] if saved else form.text("edition"),
        at=request.app.state.root.clock(),
        problem=problem,
    )


async def _report(
    id: str,
    request: Request,
    person: Person,
    *,
    problem: ApiProblem | None = None,
    entered: SentForm | None = None,
) -> Response:
    funding = _funding(request, person)
    grant, told = await asyncio.gather(funding.get(f"/grants/{id}"), funding.get(f"/grants/{id}/report"))
    planned = Span.of(told["planned"])
    filled = dict(entered) if entered is not None else fields(told["form"])
    days = days_to_fill(filled, planned)
    return await page(
        request,
        "grants/report.html",
        status=problem.status if problem else 200,
        grant=grant,
        report=told,
        open=told["state"] in ("draft", "returned"),
        edition=entered.text("edition") if entered is not None and problem is None else told["edition"],
        filled=filled,
        planned=planned,
        days=days,
        off=days_off(days, holidays_at(grant["host"]["place"]) or no_holidays),
        goals=words.GOALS,
        problem=problem,
    )


def _sent(form: SentForm) -> dict[str, Any]:
    edition = form.text("edition")
    return {**content(form, words.GOALS), "edition": number(edition) if edition else None}


def _funding(request: Request, person: Person) -> Api:
    funding: Api = request.app.state.root.apis.as_(person.token).funding
    return funding
