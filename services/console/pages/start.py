"""Where somebody begins who has signed in."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.console.navigation import entries_for
from services.console.pages.own_home import own_home
from services.console.people import SignedIn

router = APIRouter(include_in_schema=False)


@router.get("/home")
async def home(request: Request, person: SignedIn) -> Response:
    """An organisation's own page; others to the first of what the top of the page offers them."""
    if person.is_participant:
        return await own_home(request, person)
    return RedirectResponse(entries_for(person)[0].href, status_code=303)
