"""Who would get what of an event, when and why, and who would not: shown, and not sent."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.apis import ApiProblem, Part, part
from services.console.forms import Form
from services.console.languages import CLOCK
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page
from shared.contracts.catalogue import EVENT_MODELS
from shared.contracts.examples import golden_examples

router = APIRouter(include_in_schema=False)


@cache
def examples() -> dict[str, str]:
    """An event of each type that something may come of, as it is on the wire, by its name."""
    return {
        name: json.dumps(example, indent=2, ensure_ascii=False)
        for name, example in golden_examples().items()
        if example["type"] in EVENT_MODELS
    }


@router.get("/previews")
async def ask(request: Request, person: StaffOrOverseer) -> Response:
    example = request.query_params.get("example", "")
    return await _shown(request, event=examples().get(example, ""), example=example)


@router.post("/previews")
async def preview(request: Request, person: StaffOrOverseer, form: Form) -> Response:
    text, at = form.text("event"), form.text("at")
    return await _shown(request, event=text, at=at, preview=await _previewed(request, person, text, at))


async def _previewed(request: Request, person: Person, text: str, at: str) -> Part:
    try:
        event = json.loads(text)
    except ValueError as error:
        _ = language_of(request).gettext
        why = _("It is not JSON: %s. Paste the whole event, from its first brace to its last.") % error
        return Part(problem=ApiProblem(422, _("This is no event"), why))
    asked = {"event": event} | ({"at": moment(at)} if at else {})
    return await part(request.app.state.root.apis.as_(person.token).notifications.post("/previews", asked))


def moment(entered: str) -> str:
    """What a field for day and time holds, by the clock of the pages; what is none is left as it is."""
    try:
        return datetime.fromisoformat(entered).replace(tzinfo=CLOCK).isoformat()
    except ValueError:
        return entered


async def _shown(
    request: Request, *, event: str, at: str = "", example: str = "", preview: Part | None = None
) -> Response:
    return await page(
        request,
        "notifications/preview.html",
        status=preview.problem.status if preview and preview.problem else 200,
        event=event,
        at=at,
        example=example,
        examples=list(examples()),
        preview=preview,
    )
