"""What is ready to be paid, and what is missing: the payment-readiness board."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.console.apis import part
from services.console.filters import address, chosen
from services.console.people import StaffOrOverseer
from services.console.rendering import page

router = APIRouter(include_in_schema=False)

FILTERS: Final = ("partnership", "waits_for", "gate", "state", "overdue")


@router.get("/readiness")
async def board(request: Request, person: StaffOrOverseer) -> HTMLResponse:
    funding = request.app.state.root.apis.as_(person.token).funding
    filters = chosen(request.query_params, FILTERS)
    found = await part(
        funding.get("/readiness", {**filters, "after": request.query_params.get("after") or None})
    )
    following = found.content["next"] if found.ok else None
    return await page(
        request,
        "money/readiness.html",
        part="list",
        found=found,
        filters=filters,
        next_href=address("/readiness", filters, after=following) if following else None,
        address=lambda **changes: address("/readiness", filters, changes),
    )
