"""Registering, step by step: drafts that are saved after each step, looked at, sent or discarded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.console import choices
from services.console.answers import done
from services.console.apis import Api, ApiProblem, Part, ServiceDown, part
from services.console.domain.registration_form import (
    STEPS,
    Content,
    Step,
    column_of,
    faults_of,
    field_of,
    filled_in,
    fingerprint,
    step_named,
    steps_lacking,
    values_of,
)
from services.console.forms import Form, SentForm
from services.console.people import Participant, Person
from services.console.rendering import language_of, page
from shared.errors import NotFound

router = APIRouter(include_in_schema=False)

FIRST: Final = STEPS[0]
CHECK: Final = "check"
BEGUN_WITH: Final = ("roles", "availability.0.first_day", "availability.0.last_day", "partnership")
"""What a link to the form can fill in of its later steps: an invitation, for one."""


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).registration
    return api


async def form_options(request: Request, person: Person) -> dict[str, Any]:
    """What the fields of the form can be chosen from."""
    language, root = language_of(request), request.app.state.root
    known = await part(root.apis.as_(person.token).notifications.get("/wishes/kinds"))
    spoken = choices.spoken_languages(language)
    return {
        "countries": choices.countries(language),
        "kinds": choices.kinds(language),
        "goals": choices.goals(language),
        "ecosystems": choices.ecosystems(language),
        "spoken": spoken,
        # Any language can be wished for; without this list all of them are offered.
        "mails": [choice for choice in spoken if not known.ok or choice[0] in known.content["languages"]],
        "partnerships": [(one.id, one.name) for one in root.partnerships],
    }


def sent_fields(form: SentForm) -> dict[str, list[str]]:
    """The values of each field."""
    return {name: form.list(name) for name in form}


def rows_wanted(asked: str) -> Mapping[str, int]:
    """Which list of fields somebody wants one more of, by what the button said: `more:availability`."""
    wanted, _, name = asked.partition(":")
    return {name: 1} if wanted == "more" else {}


def _step(name: str) -> Step:
    found = step_named(name)
    if found is None:
        raise NotFound(f"The form has no step “{name}”.")
    return found


async def _draft_or_none(api: Api, id: str) -> dict[str, Any] | None:
    """The draft; None where it was sent, and so is a registration now."""
    try:
        draft: dict[str, Any] = await api.get(f"/drafts/{id}")
    except ApiProblem as problem:
        if problem.status == NotFound.status and (await part(api.get(f"/registrations/{id}"))).ok:
            return None
        raise
    return draft


def _step_of(name: str) -> Step | None:
    return field_of("/" + name.replace(".", "/"))[1]


def _after(step: Step) -> str:
    following = STEPS[STEPS.index(step) + 1 :]
    return following[0].name if following else CHECK


@router.get("/registrations/new")
async def begin(request: Request, person: Participant) -> Response:
    drafts = await part(_api(request, person).get("/drafts"))
    begun_with = {name: value for name in BEGUN_WITH if (value := request.query_params.get(name))}
    return await _show_step(request, person, FIRST, {}, drafts=drafts, begun_with=begun_with)


@router.post("/registrations/new")
async def begin_draft(request: Request, person: Participant, form: Form) -> Response:
    fields = sent_fields(form)
    content: Content = {}
    for step in STEPS:
        if step is FIRST or any(_step_of(name) is step for name in BEGUN_WITH if fields.get(name)):
            content = filled_in(content, step, fields)
    try:
        draft = await _api(request, person).post("/drafts", content)
    except (ApiProblem, ServiceDown) as trouble:
        begun_with = {name: form.text(name) for name in BEGUN_WITH if form.text(name)}
        return await _show_step(request, person, FIRST, content, trouble=trouble, begun_with=begun_with)
    return _go_on(request, draft, FIRST, form.text("then"))


@router.get("/drafts")
async def drafts(request: Request, person: Participant) -> Response:
    found = await part(_api(request, person).get("/drafts", {"limit": 200}))
    return await page(request, "drafts/list.html", drafts=found)


@router.get("/drafts/{id}")
async def go_on(request: Request, id: str, person: Participant) -> Response:
    draft = await _draft_or_none(_api(request, person), id)
    if draft is None:
        return RedirectResponse(f"/registrations/{id}", status_code=303)
    lacking = [step for step in STEPS if step.name in steps_lacking(draft["problems"])]
    to = lacking[0].name if lacking else CHECK
    return RedirectResponse(f"/drafts/{id}/{to}", status_code=303)


@router.get("/drafts/{id}/discard")
async def ask_to_discard(request: Request, id: str, person: Participant) -> Response:
    draft = await _api(request, person).get(f"/drafts/{id}")
    return await page(request, "drafts/discard.html", draft=draft)


@router.post("/drafts/{id}/discard")
async def discard(request: Request, id: str, person: Participant) -> Response:
    _ = language_of(request).gettext
    await _api(request, person).delete(f"/drafts/{id}")
    return done(request, "/drafts", _("The draft is discarded."))


@router.get("/drafts/{id}/check")
async def check(request: Request, id: str, person: Participant) -> Response:
    draft = await _draft_or_none(_api(request, person), id)
    if draft is None:
        return RedirectResponse(f"/registrations/{id}", status_code=303)
    return await _show_check(request, person, draft)


@router.post("/drafts/{id}/send")
async def send(request: Request, id: str, person: Participant, form: Form) -> Response:
    api = _api(request, person)
    trouble: ApiProblem | ServiceDown | None = None
    agreed = form.text("agreed") == "true"
    if agreed:
        try:
            await api.post(f"/drafts/{id}/send", params={"version": form.text("version") or None})
        except (ApiProblem, ServiceDown) as refused:
            trouble = refused
        else:
            return done(request, f"/registrations/{id}?sent=1")
    draft = await api.get(f"/drafts/{id}")
    return await _show_check(request, person, draft, trouble=trouble, agreed=agreed, asked=True)


@router.get("/drafts/{id}/{step}")
async def step(request: Request, id: str, step: str, person: Participant) -> Response:
    draft = await _draft_or_none(_api(request, person), id)
    if draft is None:
        return RedirectResponse(f"/registrations/{id}", status_code=303)
    return await _show_step(request, person, _step(step), draft["content"], draft=draft)


@router.post("/drafts/{id}/{step}")
async def save(request: Request, id: str, step: str, person: Participant, form: Form) -> Response:
    """Save one step; what another window saved in the others meanwhile stays."""
    api, shown, fields = _api(request, person), _step(step), sent_fields(form)
    typed: Content = filled_in({}, shown, fields)
    try:
        draft = await api.get(f"/drafts/{id}")
        typed = filled_in(draft["content"], shown, fields)
        saved_elsewhere = fingerprint(draft["content"], shown) not in (
            form.text("seen"),
            fingerprint(typed, shown),
        )
        if saved_elsewhere:
            return await _show_step(request, person, shown, typed, draft=draft, saved_elsewhere=True)
        answer = await api.send("PUT", f"/drafts/{id}", params={"version": draft["version"]}, json=typed)
    except ApiProblem as problem:
        if problem.status == NotFound.status:
            return await _begin_anew(request, person, id, shown, typed)
        return await _show_step(request, person, shown, typed, id=id, seen=form.text("seen"), trouble=problem)
    except ServiceDown as away:
        return await _show_step(request, person, shown, typed, id=id, seen=form.text("seen"), trouble=away)
    return _go_on(request, answer.json(), shown, form.text("then"))


async def _begin_anew(request: Request, person: Person, id: str, step: Step, typed: Content) -> Response:
    """The draft was sent or discarded in another window: what was typed here is not lost."""
    _ = language_of(request).gettext
    api = _api(request, person)
    if (await part(api.get(f"/registrations/{id}"))).ok:
        told = _("This draft was sent meanwhile. Here is the registration, which you can change.")
        return done(request, f"/registrations/{id}", told, "warning")
    try:
        draft = await api.post("/drafts", typed)
    except (ApiProblem, ServiceDown) as trouble:
        return await _show_step(request, person, step, typed, id=id, trouble=trouble)
    told = _("The draft was discarded meanwhile. What you typed here is kept in a new one.")
    return done(request, f"/drafts/{draft['id']}/{step.name}", told, "warning")


def _go_on(request: Request, draft: Mapping[str, Any], step: Step, then: str) -> Response:
    _ = language_of(request).gettext
    here = f"/drafts/{draft['id']}/{step.name}"
    if rows := rows_wanted(then):
        (name,) = rows
        return RedirectResponse(f"{here}?more={name}#{name}", status_code=303)
    if then == "later":
        kept = _("Your draft is saved. You can go on with it here, on any device.")
        return done(request, "/drafts", kept)
    if then != "anyway" and faults_of(draft["problems"], draft["content"], step):
        return RedirectResponse(f"{here}?look=1", status_code=303)
    return RedirectResponse(f"/drafts/{draft['id']}/{_after(step)}", status_code=303)


async def _show_step(
    request: Request,
    person: Person,
    step: Step,
    content: Content,
    *,
    id: str | None = None,
    draft: Mapping[str, Any] | None = None,
    trouble: ApiProblem | ServiceDown | None = None,
    saved_elsewhere: bool = False,
    seen: str | None = None,
    drafts: Part | None = None,
    begun_with: Mapping[str, str] | None = None,
) -> Response:
    id = draft["id"] if draft else id
    problems = draft["problems"] if draft else []
    looks = "look" in request.query_params and not saved_elsewhere
    faults = faults_of(problems, content, step) if looks else faults_of([], content)
    saved = draft["content"] if draft else {}
    status = 409 if saved_elsewhere else trouble.status if trouble else 200
    return await page(
        request,
        "drafts/step.html",
        status=status,
        id=id,
        draft=draft,
        steps=STEPS,
        column_of=column_of,
        step=step,
        lacking=steps_lacking(problems) if draft else {},
        values=values_of(content, step),
        saved_elsewhere=saved_elsewhere,
        saved=values_of(saved, step),
        seen=seen or fingerprint(saved, step),
        errors=faults.errors,
        others=faults.others,
        looks=looks,
        trouble=trouble,
        blank={request.query_params["more"]: 1} if "more" in request.query_params else {},
        options=await form_options(request, person),
        drafts=drafts,
        begun_with=begun_with or {},
    )


async def _show_check(
    request: Request,
    person: Person,
    draft: Mapping[str, Any],
    *,
    trouble: ApiProblem | ServiceDown | None = None,
    agreed: bool = False,
    asked: bool = False,
) -> Response:
    preview = draft["preview"]
    partnership = (
        request.app.state.root.partnerships.get(preview["partnership"])
        if preview and preview["partnership"]
        else None
    )
    return await page(
        request,
        "drafts/check.html",
        status=trouble.status if trouble else 200,
        id=draft["id"],
        draft=draft,
        steps=STEPS,
        column_of=column_of,
        lacking=steps_lacking(draft["problems"]),
        errors=faults_of(draft["problems"], draft["content"]).errors,
        others=faults_of(draft["problems"], draft["content"]).others,
        values={step.name: values_of(draft["content"], step) for step in STEPS},
        preview=preview,
        partnership=partnership,
        trouble=trouble,
        agreed=agreed,
        asked=asked,
    )
