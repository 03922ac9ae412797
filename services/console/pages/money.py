"""The money of a partnership: overview, ledger, forecast, report to the funder, all there is to download."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response, StreamingResponse

from services.console.apis import Api, ApiProblem, part, parts
from services.console.domain.books import (
    Line,
    accounts_followed,
    ledger_csv,
    opening,
    periods,
    running,
    slices,
)
from services.console.files import passed_on
from services.console.filters import Chosen, chosen
from services.console.pages.scope import chosen_partnership, known_partnership
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import page

router = APIRouter(include_in_schema=False)

LEDGER_FILTERS: Final = ("grant", "account", "first_day", "last_day")
LINES: Final = 50
AT_ONCE: Final = 200
"""Entries that are asked for at once where all of them are wanted."""

Asked = Annotated[str, Query(max_length=200)]


@router.get("/money")
async def overview(request: Request, person: StaffOrOverseer, partnership: Asked = "") -> HTMLResponse:
    about = chosen_partnership(request, person, partnership)
    funding = request.app.state.root.apis.as_(person.token).funding
    found = await parts(
        budget=funding.get(f"/partnerships/{about.id}/budget"),
        progress=funding.get(f"/partnerships/{about.id}/progress"),
        board=funding.get("/readiness", {"partnership": about.id, "limit": 1}),
        to_release=funding.get("/payments", {"state": "prepared", "limit": 50}),
    )
    return await page(
        request,
        "money/overview.html",
        part="list",
        partnership=about,
        slices=slices(found["budget"].content) if found["budget"].ok else [],
        budget=found["budget"],
        progress=found["progress"],
        board=found["board"],
        to_release=found["to_release"],
    )


@router.get("/money/ahead")
async def ahead(request: Request, person: StaffOrOverseer, partnership: Asked = "") -> HTMLResponse:
    """Where the money is heading: the page shows it when it is there, as a simulation may take a moment."""
    about = chosen_partnership(request, person, partnership)
    funding = request.app.state.root.apis.as_(person.token).funding
    forecast = await part(funding.get(f"/partnerships/{about.id}/forecast", {"months": 3}))
    return await page(request, "money/ahead.html", part="ahead", partnership=about, forecast=forecast)


@router.get("/partnerships/{id}/ledger")
async def ledger(request: Request, person: StaffOrOverseer, id: str) -> HTMLResponse:
    partnership = known_partnership(request, person, id)
    funding = request.app.state.root.apis.as_(person.token).funding
    filters = chosen(request.query_params, LEDGER_FILTERS)
    before = request.query_params.get("before") or None
    asked = {**filters, "newest_first": True, "after": before, "limit": LINES}
    found = await part(funding.get(f"/partnerships/{id}/ledger", asked))
    lines: list[Line] = []
    if found.ok:
        lines = list(running(opening(found.content["before"]), reversed(found.content["items"])))
    return await page(
        request,
        "money/ledger.html",
        part="list",
        partnership=partnership,
        found=found,
        lines=lines[::-1],
        accounts=accounts_followed(filters),
        filters=filters,
    )


@router.get("/partnerships/{id}/ledger.csv")
async def ledger_file(request: Request, person: StaffOrOverseer, id: str) -> Response:
    known_partnership(request, person, id)
    funding = request.app.state.root.apis.as_(person.token).funding
    filters = chosen(request.query_params, LEDGER_FILTERS)
    # The first page is asked for before anything is said: a refusal is a page, not half a file.
    first = await funding.get(f"/partnerships/{id}/ledger", {**filters, "limit": AT_ONCE})
    return StreamingResponse(
        _csv(funding, id, filters, first),
        media_type="text/csv; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="ledger-{id}.csv"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        },
    )


async def _csv(funding: Api, id: str, filters: Chosen, first: dict[str, Any]) -> AsyncIterator[str]:
    found, head = first, True
    while True:
        yield ledger_csv(found["items"], head=head)
        head = False
        if found["next"] is None:
            return
        found = await funding.get(
            f"/partnerships/{id}/ledger", {**filters, "limit": AT_ONCE, "after": found["next"]}
        )


@router.get("/partnerships/{id}/forecast")
async def forecast(
    request: Request,
    person: StaffOrOverseer,
    id: str,
    months: Annotated[int, Query(ge=3, le=36)] = 12,
) -> HTMLResponse:
    about = known_partnership(request, person, id)
    funding = request.app.state.root.apis.as_(person.token).funding
    found = await part(funding.get(f"/partnerships/{id}/forecast", {"months": months}))
    return await page(
        request,
        "money/forecast.html",
        partnership=about,
        months=months,
        found=found,
    )


@router.get("/partnerships/{id}/forecast.{ending}")
async def forecast_picture(
    request: Request,
    person: StaffOrOverseer,
    id: str,
    ending: Literal["svg", "png"],
    months: Annotated[int, Query(ge=1, le=36)] = 12,
    width: Annotated[int, Query(ge=320, le=2400)] = 960,
) -> Response:
    funding = request.app.state.root.apis.as_(person.token).funding
    asked = {"months": months, "width": width}
    return await passed_on(
        funding, f"/partnerships/{id}/forecast.{ending}", params=asked, shown=ending == "svg"
    )


@router.get("/partnerships/{id}/report")
async def report(
    request: Request, person: StaffOrOverseer, id: str, first: Asked = "", last: Asked = ""
) -> HTMLResponse:
    return await _report(request, person, id, first, last)


async def _report(
    request: Request, person: Person, id: str, first: str, last: str, problem: ApiProblem | None = None
) -> HTMLResponse:
    today = request.app.state.root.clock().date()
    return await page(
        request,
        "money/report.html",
        status=problem.status if problem else 200,
        partnership=known_partnership(request, person, id),
        periods=periods(today),
        first=first or today.replace(month=1, day=1).isoformat(),
        last=last or today.isoformat(),
        problem=problem,
    )


@router.get("/partnerships/{id}/report.{ending}")
async def report_file(
    request: Request,
    person: StaffOrOverseer,
    id: str,
    ending: Literal["xlsx", "pdf"],
    first: Asked,
    last: Asked,
) -> Response:
    funding = request.app.state.root.apis.as_(person.token).funding
    try:
        return await passed_on(
            funding, f"/partnerships/{id}/report.{ending}", params={"from": first, "to": last}
        )
    except ApiProblem as problem:
        return await _report(request, person, id, first, last, problem)


@router.get("/reports")
async def reports(request: Request, person: StaffOrOverseer, partnership: Asked = "") -> HTMLResponse:
    about = chosen_partnership(request, person, partnership)
    today = request.app.state.root.clock().date()
    return await page(request, "money/reports.html", partnership=about, periods=periods(today), today=today)
