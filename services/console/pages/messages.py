"""Messages between two organisations: read one, and answer it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import ApiProblem, part
from services.console.forms import Form
from services.console.own import own_registrations
from services.console.people import Participant, Person
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)


@router.get("/messages/{id}")
async def message(id: str, request: Request, person: Participant) -> Response:
    return await _message(id, request, person)


@router.post("/messages/{id}/answer")
async def answer(id: str, request: Request, person: Participant, form: Form) -> Response:
    matching = request.app.state.root.apis.as_(person.token).matching
    found = await matching.get(f"/messages/{id}")
    words = form.text("text")
    try:
        await matching.post(
            f"/catalogue/{found['sender_registration_id']}/messages",
            {"from": found["receiver_registration_id"], "text": words},
        )
    except ApiProblem as problem:
        return await _message(id, request, person, words=words, problem=problem)
    _ = language_of(request).gettext
    return done(request, f"/messages/{id}", _("Your answer is on its way."))


async def _message(
    id: str, request: Request, person: Person, *, words: str = "", problem: ApiProblem | None = None
) -> Response:
    apis = request.app.state.root.apis.as_(person.token)
    found = await apis.matching.get(f"/messages/{id}")
    own = await part(own_registrations(apis))
    return await page(
        request,
        "messages/message.html",
        status=problem.status if problem else 200,
        message=found,
        roles={line["id"]: line["roles"] for line in own.content or []},
        own=own,
        words_written=words,
        problem=problem,
    )
