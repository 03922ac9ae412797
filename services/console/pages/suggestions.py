"""The best partners for a registration, with what speaks for each of them and against."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.apis import parts
from services.console.own import Side
from services.console.pages.partners import FOUND_AMONG, sides_of
from services.console.people import SignedIn
from services.console.rendering import page

router = APIRouter(include_in_schema=False)

ROLES: Final[tuple[Side, Side]] = ("visitor", "host")
AT_ONCE: Final = 10


@router.get("/registrations/{id}/suggestions")
async def suggestions(id: str, request: Request, person: SignedIn) -> Response:
    apis = request.app.state.root.apis.as_(person.token)
    registration = await apis.registration.get(f"/registrations/{id}")
    roles = [role for role in ROLES if role in registration["party"]["roles"]]
    asked = request.query_params.get("as")
    role = asked if asked in roles else next(iter(roles), "visitor")
    shown = await parts(
        found=apis.matching.get(f"/{role}s/{id}/suggestions", {"limit": AT_ONCE}),
        matches=apis.matching.get("/matches", {"registration": id, "limit": 50}),
    )
    return await page(
        request,
        "suggestions/list.html",
        registration=registration,
        own=person.is_participant,
        roles=roles,
        role=role,
        looked_for=FOUND_AMONG["host" if role == "visitor" else "visitor"],
        sides=sides_of,
        found=shown["found"],
        matches=shown["matches"],
    )
