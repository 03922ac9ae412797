"""One's own registration: where it stands, what is next, change it, its CV, invitations, withdraw it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.agenda import agenda
from services.console.answers import done
from services.console.apis import Api, ApiProblem, Part, ServiceDown, parts
from services.console.domain.registration_form import (
    STEPS,
    Content,
    column_of,
    faults_of,
    filled_in,
    values_of,
)
from services.console.forms import Form
from services.console.pages.drafts import form_options, rows_wanted, sent_fields
from services.console.people import Participant, Person
from services.console.rendering import language_of, page
from services.console.timelines import timeline_of

router = APIRouter(include_in_schema=False)

AMENDABLE: Final = frozenset({"eligible", "ineligible", "needs_review", "accepted", "lapsed"})
"""States in which a registration can be sent again."""
OPEN: Final = AMENDABLE - {"lapsed"}
"""States in which it can be withdrawn."""
LIVE: Final = frozenset({"proposed", "agreed", "approved"})
PDF: Final = "application/pdf"


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


async def own_registration(
    request: Request,
    person: Person,
    id: str,
    *,
    problem: ApiProblem | ServiceDown | None = None,
    entered: Mapping[str, str] | None = None,
) -> Response:
    """The page; with `problem`, why what was `entered` could not be done. Raises what the API says."""
    root = request.app.state.root
    apis = root.apis.as_(person.token)
    case, shown, row, waits, told = await asyncio.gather(
        apis.registration.get(f"/registrations/{id}"),
        parts(
            versions=apis.registration.get(f"/registrations/{id}/versions", {"limit": 200}),
            matches=apis.matching.get("/matches", {"registration": id, "limit": 200}),
            invitations=apis.matching.get(f"/registrations/{id}/invitations"),
            reminders=apis.notifications.get("/reminders", {"limit": 200}),
        ),
        root.cases.registration(person, id),
        root.cases.waiting(person, limit=200),
        timeline_of(root, request, person, id),
    )
    reminders = shown["reminders"]
    about = {id, *(row.exchanges if row else ())}
    ahead = await asyncio.gather(
        *(timeline_of(root, request, person, match["id"], most=1) for match in _live(shown["matches"]))
    )
    told += sorted(
        (entry for entries in ahead for entry in entries if entry.kind != "done"),
        key=lambda entry: ("late", "now", "next").index(entry.kind),
    )
    todo = agenda(
        [wait for wait in waits.rows if wait.case in about],
        [one for one in reminders.content["items"] if one["case"] in about] if reminders.ok else [],
        root.clock().date(),
    )
    partnership = case["party"]["partnership"]
    return await page(
        request,
        "registrations/own_case.html",
        status=problem.status if problem else 200,
        part="case",
        versions=shown["versions"],
        matches=shown["matches"],
        invitations=shown["invitations"],
        case=case,
        told=told,
        # The question itself is asked above it.
        todo=[one for one in todo if one.kind != "question"],
        partnership=root.partnerships.get(partnership) if partnership else None,
        values={step.name: values_of(case["submission"], step) for step in STEPS},
        column_of=column_of,
        amendable=case["state"] in AMENDABLE,
        open=case["state"] in OPEN,
        just_sent="sent" in request.query_params,
        problem=problem,
        entered=entered or {},
    )


def _live(matches: Part) -> list[dict[str, Any]]:
    """The matches that may still become a visit, or one that is approved."""
    return [one for one in matches.content["items"] if one["state"] in LIVE] if matches.ok else []


@router.get("/registrations/{id}/amend")
async def change(request: Request, id: str, person: Participant) -> Response:
    case = await _api(request, person).get(f"/registrations/{id}")
    return await _show_form(request, person, case, case["submission"], int(case["version"]))


@router.post("/registrations/{id}/amend")
async def amend(request: Request, id: str, person: Participant, form: Form) -> Response:
    """Send it again, whole: what the form does not show stays as it is."""
    _ = language_of(request).gettext
    api, fields = _api(request, person), sent_fields(form)
    case = await api.get(f"/registrations/{id}")
    content: Content = case["submission"]
    for step in STEPS:
        content = filled_in(content, step, fields)
    seen, then = form.text("seen"), form.text("then")
    if rows := rows_wanted(then):
        return await _show_form(request, person, case, content, seen, blank=rows)
    if seen != str(case["version"]):
        # Sent once more from the page that says so, it is meant.
        return await _show_form(request, person, case, content, int(case["version"]), changed_since=True)
    try:
        after = await api.put(f"/registrations/{id}", content)
    except (ApiProblem, ServiceDown) as trouble:
        return await _show_form(request, person, case, content, seen, trouble=trouble)
    told = _("Your changes are sent, and the rules were applied anew.")
    if after["question"] is None and case["question"] is not None:
        told = _("Your answer is sent: the partnership goes on with your registration.")
    return done(request, f"/registrations/{id}", told)


@router.get("/registrations/{id}/withdraw")
async def ask_to_withdraw(request: Request, id: str, person: Participant) -> Response:
    return await _show_withdrawal(request, person, id)


@router.post("/registrations/{id}/withdraw")
async def withdraw(request: Request, id: str, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    reason = form.text("reason")
    if form.text("sure") != "true":
        return await _show_withdrawal(request, person, id, reason=reason, asked=True)
    try:
        await _api(request, person).post(f"/registrations/{id}/withdraw", {"reason": reason})
    except (ApiProblem, ServiceDown) as trouble:
        return await _show_withdrawal(request, person, id, reason=reason, trouble=trouble)
    return done(request, f"/registrations/{id}", _("Your registration is withdrawn."))


@router.post("/registrations/{id}/confirm-interest")
async def confirm_interest(request: Request, id: str, person: Participant) -> Response:
    _ = language_of(request).gettext
    try:
        await _api(request, person).post(f"/registrations/{id}/confirm-interest")
    except (ApiProblem, ServiceDown) as trouble:
        return await own_registration(request, person, id, problem=trouble)
    return done(request, f"/registrations/{id}", _("Thank you: your registration stays open."))


@router.post("/registrations/{id}/cv")
async def send_cv(request: Request, id: str, person: Participant, form: Form) -> Response:
    _ = language_of(request).gettext
    file = form.file("cv")
    try:
        if file is None:
            why = _("Choose a PDF file first.")
            raise ApiProblem(422, _("No file"), why, [{"pointer": "/cv", "detail": why}])
        await _api(request, person).send(
            "PUT",
            f"/registrations/{id}/cv",
            params={"name": (file.filename or "cv.pdf")[-200:]},
            content=await file.read(),
            headers={"Content-Type": PDF},
        )
    except (ApiProblem, ServiceDown) as trouble:
        return await own_registration(request, person, id, problem=trouble, entered={"part": "cv"})
    return done(request, f"/registrations/{id}#cv-title", _("Your CV is kept with the registration."))


@router.post("/registrations/{id}/cv/remove")
async def remove_cv(request: Request, id: str, person: Participant) -> Response:
    _ = language_of(request).gettext
    try:
        await _api(request, person).delete(f"/registrations/{id}/cv")
    except (ApiProblem, ServiceDown) as trouble:
        return await own_registration(request, person, id, problem=trouble, entered={"part": "cv"})
    return done(request, f"/registrations/{id}#cv-title", _("The CV is deleted for good."))


async def _show_form(
    request: Request,
    person: Person,
    case: Mapping[str, Any],
    content: Content,
    seen: int | str,
    *,
    trouble: ApiProblem | ServiceDown | None = None,
    changed_since: bool = False,
    blank: Mapping[str, int] | None = None,
) -> Response:
    faults = faults_of(trouble.errors if isinstance(trouble, ApiProblem) else [], content)
    return await page(
        request,
        "registrations/own_amend.html",
        status=409 if changed_since else trouble.status if trouble else 200,
        case=case,
        steps=STEPS,
        values={step.name: values_of(content, step) for step in STEPS},
        current={step.name: values_of(case["submission"], step) for step in STEPS},
        column_of=column_of,
        seen=seen,
        errors=faults.errors,
        others=faults.others,
        trouble=trouble,
        changed_since=changed_since,
        blank=blank or {},
        amendable=case["state"] in AMENDABLE,
        options=await form_options(request, person),
    )


async def _show_withdrawal(
    request: Request,
    person: Person,
    id: str,
    *,
    reason: str = "",
    asked: bool = False,
    trouble: ApiProblem | ServiceDown | None = None,
) -> Response:
    apis = request.app.state.root.apis.as_(person.token)
    case = await apis.registration.get(f"/registrations/{id}")
    shown: dict[str, Any] = await parts(
        matches=apis.matching.get("/matches", {"registration": id, "limit": 200})
    )
    return await page(
        request,
        "registrations/own_withdraw.html",
        status=trouble.status if trouble else 200,
        **shown,
        case=case,
        open=case["state"] in OPEN,
        reason=reason,
        asked=asked,
        trouble=trouble,
    )
