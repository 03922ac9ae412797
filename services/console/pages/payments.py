"""Payments: prepared by one officer, released by another, answered by the bank."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.console.answers import done
from services.console.apis import AllApis, ApiProblem, parts
from services.console.files import passed_on
from services.console.forms import Form
from services.console.pages.scope import known_partnership
from services.console.people import Staff, StaffOrOverseer
from services.console.rendering import page

router = APIRouter(include_in_schema=False)

STATES: Final = ("prepared", "released", "settled", "withdrawn")


def _apis(request: Request, person: StaffOrOverseer) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis


@router.get("/payments")
async def payments(
    request: Request,
    person: StaffOrOverseer,
    state: Annotated[str, Query(max_length=20)] = "",
    after: Annotated[str, Query(max_length=200)] = "",
) -> HTMLResponse:
    return await _list(request, person, state=state, after=after)


async def _list(
    request: Request,
    person: StaffOrOverseer,
    *,
    state: str = "",
    after: str = "",
    problem: ApiProblem | None = None,
    ticked: list[str] | None = None,
) -> HTMLResponse:
    funding = _apis(request, person).funding
    found = await parts(
        payable=funding.get("/readiness", {"state": "payable", "limit": 200}),
        listed=funding.get("/payments", {"state": state or None, "after": after or None}),
    )
    partnership = person.caller.partnership and known_partnership(request, person, person.caller.partnership)
    return await page(
        request,
        "payments/payments.html",
        part="list",
        status=problem.status if problem else 200,
        partnership=partnership,
        state=state,
        states=STATES,
        problem=problem,
        ticked=ticked,
        payable=found["payable"],
        listed=found["listed"],
    )


@router.post("/payments")
async def prepare(request: Request, person: Staff, form: Form) -> Response:
    grants = form.list("grants")
    if not grants:
        nothing = ApiProblem(422, "Nothing is chosen", "Tick at least one lump sum that is to be paid.")
        return await _list(request, person, problem=nothing, ticked=[])
    try:
        prepared = await _apis(request, person).funding.post("/payments", {"grants": grants})
    except ApiProblem as problem:
        return await _list(request, person, problem=problem, ticked=grants)
    return done(
        request, f"/payments/{prepared['id']}", "The payment is prepared. A second officer releases it."
    )


@router.post("/payments/bank-answers")
async def bank_answers(request: Request, person: Staff, form: Form) -> HTMLResponse:
    taken: Any = None
    problem: ApiProblem | None = None
    file = form.file("file")
    if file is None or not file.filename:
        problem = ApiProblem(422, "No file", "Choose the file that the bank gave you.")
    else:
        try:
            answer = await _apis(request, person).funding.send(
                "POST",
                "/payments/bank-answers",
                content=await file.read(),
                headers={"Content-Type": "application/xml"},
            )
            taken = answer.json()
        except ApiProblem as refused:
            problem = refused
    return await page(
        request,
        "payments/bank_answers.html",
        status=problem.status if problem else 200,
        taken=taken,
        problem=problem,
        name=file.filename if file else "",
    )


@router.get("/payments/{id}")
async def payment(request: Request, person: StaffOrOverseer, id: str) -> HTMLResponse:
    return await _one(request, person, id)


async def _one(
    request: Request,
    person: StaffOrOverseer,
    id: str,
    *,
    problem: ApiProblem | None = None,
    step: str = "",
    entered: Form | None = None,
) -> HTMLResponse:
    funding = _apis(request, person).funding
    shown = await funding.get(f"/payments/{id}")
    return await page(
        request,
        "payments/payment.html",
        part="list",
        status=problem.status if problem else 200,
        payment=shown,
        partnership=known_partnership(request, person, shown["partnership"]),
        prepared_it=shown["prepared_by"] == person.caller.subject,
        released_it=shown["released_by"] == person.caller.subject,
        acts=person.caller.is_staff_of(shown["partnership"]),
        problem=problem,
        step=step,
        entered=entered,
    )


@router.post("/payments/{id}/release")
async def release(request: Request, person: Staff, id: str, form: Form) -> Response:
    body = {"execute_on": form.text("execute_on") or None}
    try:
        await _apis(request, person).funding.post(f"/payments/{id}/release", body)
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem, step="release", entered=form)
    return done(
        request, f"/payments/{id}", "The payment is released. Fetch the file and hand it to the bank."
    )


@router.post("/payments/{id}/withdraw")
async def withdraw(request: Request, person: Staff, id: str, form: Form) -> Response:
    body: dict[str, Any] = {"reason": form.text("reason")}
    if grants := form.list("grants"):
        body["grants"] = grants
    try:
        await _apis(request, person).funding.post(f"/payments/{id}/withdraw", body)
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem, step="withdraw", entered=form)
    return done(request, f"/payments/{id}", "It is taken out, and can be prepared again.")


@router.post("/payments/{id}/give-up")
async def give_up(request: Request, person: Staff, id: str, form: Form) -> Response:
    try:
        await _apis(request, person).funding.post(f"/payments/{id}/give-up", {"reason": form.text("reason")})
    except ApiProblem as problem:
        return await _one(request, person, id, problem=problem, step="give-up", entered=form)
    return done(request, f"/payments/{id}", "Noted: the bank did not take the file.")


@router.get("/payments/{id}/pain.001.xml")
async def file(request: Request, person: StaffOrOverseer, id: str) -> Response:
    return await passed_on(_apis(request, person).funding, f"/payments/{id}/pain.001.xml")
