"""Where somebody begins who has signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.console.navigation import entries_for
from services.console.people import SignedIn

router = APIRouter(include_in_schema=False)


@router.get("/home")
async def home(request: Request, person: SignedIn) -> Response:
    """To the first of what the top of the page offers them."""
    return RedirectResponse(entries_for(person)[0].href, status_code=303)
