"""Who would get what of an event, when and why, and who would not: shown, and not sent."""

from __future__ import annotations

import json
from functools import cache

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.apis import ApiProblem, Part, part
from services.console.forms import Form
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import page
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
    text = form.text("event")
    return await _shown(request, event=text, preview=await _previewed(request, person, text))


async def _previewed(request: Request, person: Person, text: str) -> Part:
    try:
        event = json.loads(text)
    except ValueError as error:
        why = f"It is not JSON: {error}. Paste the whole event, from its first brace to its last."
        return Part(problem=ApiProblem(422, "This is no event", why))
    api = request.app.state.root.apis.as_(person.token).notifications
    return await part(api.post("/previews", {"event": event}))


async def _shown(request: Request, *, event: str, example: str = "", preview: Part | None = None) -> Response:
    return await page(
        request,
        "notifications/preview.html",
        status=preview.problem.status if preview and preview.problem else 200,
        event=event,
        example=example,
        examples=list(examples()),
        preview=preview,
    )
