"""Decisions about many registrations: foreseen, taken, looked up, and undone."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.datastructures import QueryParams

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.filters import PLACE, chosen
from services.console.forms import Form
from services.console.pages.registrations import FILTERS, MANY
from services.console.people import Person, Staff, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

_WORDS: Final = {"accept": "reason", "reject": "reason", "ask": "question"}
"""What the API calls the words that go with each decision."""


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


def proposed(form: Form) -> dict[str, Any]:
    """The decision in a form as the registration API takes it, about those chosen or all that match."""
    decision = form.text("decision")
    asked: dict[str, Any] = {"decision": decision, _WORDS.get(decision, "reason"): form.text("words")}
    if decision == "ask" and form.text("answer_by"):
        asked["answer_by"] = form.text("answer_by")
    if form.text("choice") == "all":
        asked["filter"] = chosen(QueryParams(form.text("filter")), FILTERS, many=MANY)
    else:
        asked["registrations"] = form.list("registrations")
    return asked


async def _foreseen(
    request: Request, person: Person, form: Form, *, problem: ApiProblem | None = None
) -> Response:
    asked, back = proposed(form), f"/registrations?{form.text('filter')}".rstrip("?")
    if not asked.get("registrations") and "filter" not in asked:
        _ = language_of(request).gettext
        return done(request, back, _("Tick at least one, or choose all that match the filter."), "warning")
    preview = await part(_api(request, person).post("/decisions/preview", asked))
    refused = problem or preview.problem
    return await page(
        request,
        "decisions/preview.html",
        status=refused.status if refused else 200,
        preview=preview,
        problem=problem,
        asked=asked,
        said=form.text("words"),
        choice=form.text("choice"),
        filter=form.text("filter"),
        back=back,
    )


@router.post("/decisions/preview")
async def foresee(request: Request, person: Staff, form: Form) -> Response:
    return await _foreseen(request, person, form)


@router.post("/decisions")
async def decide(request: Request, person: Staff, form: Form) -> Response:
    try:
        decision = await _api(request, person).post(
            "/decisions", proposed(form) | {"basis": form.text("basis")}
        )
    except ApiProblem as problem:
        # Somebody else was quicker with one of them: the new preview shows how things stand now.
        return await _foreseen(request, person, form, problem=problem)
    _ = language_of(request).gettext
    return done(request, f"/decisions/{decision['id']}", _("Decided: the organisations are told."))


@router.get("/decisions")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    asked = chosen(request.query_params, ("kind", "by"))
    place = request.query_params.get(PLACE)
    lines = await part(_api(request, person).get("/decisions", {**asked, "limit": 50, PLACE: place}))
    return await page(request, "decisions/list.html", part="list", lines=lines, asked=asked, place=place)


@router.get("/decisions/{id}")
async def one(request: Request, id: str, person: StaffOrOverseer) -> Response:
    return await _decision(request, person, id)


@router.post("/decisions/{id}/undo")
async def undo(request: Request, id: str, person: Staff, form: Form) -> Response:
    reason = form.text("reason")
    try:
        undone = await _api(request, person).post(f"/decisions/{id}/undo", {"reason": reason})
    except ApiProblem as problem:
        return await _decision(request, person, id, problem=problem, reason=reason)
    return await _decision(request, person, id, kept=undone["kept"])


async def _decision(request: Request, person: Person, id: str, **told: Any) -> Response:
    decision = await _api(request, person).get(f"/decisions/{id}")
    problem = told.get("problem")
    return await page(
        request,
        "decisions/decision.html",
        status=problem.status if problem else 200,
        decision=decision,
        names=await names_of(request, person, decision),
        may_undo=person.caller.is_staff_of(decision["partnership"]),
        **{"problem": None, "reason": "", "kept": None, **told},
    )


async def names_of(request: Request, person: Person, decision: dict[str, Any]) -> dict[str, str]:
    """What the organisations of a decision are called, by their registrations."""
    cases = request.app.state.root.cases
    ids = [item["registration_id"] for item in (*decision["items"], *decision["left_out"])]
    names: dict[str, str] = await cases.names(person, ids)
    return names
