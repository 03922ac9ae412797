"""The search over all cases: registrations and exchanges, for those who look after them."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console import choices
from services.console.case_rows import ExchangeRow, Page, RegistrationRow
from services.console.cases import Cases
from services.console.filters import PLACE, chosen
from services.console.people import StaffOrOverseer
from services.console.rendering import language_of, page
from services.console.timelines import STEPS

router = APIRouter(include_in_schema=False)

FILTERS: Final = ("search", "country", "partnership", "state")
SORTS: Final = {
    "registrations": ("-changed", "-submitted", "name"),
    "exchanges": ("-changed", "-first_day", "first_day"),
}
"""What can be searched, and how each can be sorted."""


@router.get("/cases")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    cases: Cases = request.app.state.root.cases
    query, language = request.query_params, language_of(request)
    what = query.get("what") if query.get("what") in SORTS else "registrations"
    assert what is not None
    asked, place = chosen(query, FILTERS), query.get(PLACE)
    sort = query.get("sort") if query.get("sort") in SORTS[what] else SORTS[what][0]
    assert sort is not None
    waiting = True if query.get("waiting") else None
    search, state = str(asked.get("search", "")), [str(asked["state"])] if "state" in asked else []
    country, partnership = (str(asked.get(name, "")) or None for name in ("country", "partnership"))
    found: Page[RegistrationRow] | Page[ExchangeRow]
    if what == "registrations":
        found = await cases.registrations(
            person,
            search=search,
            state=state,
            country=country,
            partnership=partnership,
            waiting=waiting,
            sort=sort,
            after=place,
        )
    else:
        found = await cases.exchanges(
            person,
            search=search,
            step=state,
            country=country,
            partnership=partnership,
            waiting=waiting,
            sort=sort,
            after=place,
        )
    counts = await cases.counts(person)
    return await page(
        request,
        "cases/list.html",
        part="list",
        what=what,
        asked=asked,
        sort=sort,
        sorts=SORTS[what],
        waiting=waiting,
        place=place,
        found=found,
        counts={name: sum(of_each.values()) for name, of_each in counts.items()},
        states=[(code, language.state(code)) for code in counts[what]],
        owners=[(one.id, one.name) for one in request.app.state.root.partnerships],
        steps=STEPS,
        countries=choices.countries(language),
    )
