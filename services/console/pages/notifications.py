"""What the platform told whom: the delivery log, and one message as its recipient saw it."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, Response

from services.console.apis import Api, part, parts
from services.console.filters import PLACE, Chosen, chosen
from services.console.languages import CLOCK
from services.console.people import Person, StaffOrOverseer
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

FILTERS: Final = (
    *("words", "state", "channel", "kind", "urgency", "address", "first_day", "last_day"),
    *("about", "case", "registration", "fact_type", "correlation", "digest"),
)
STATES: Final = ("pending", "gathered", "digested", "sent", "failed", "cancelled", "skipped")
CHANNELS: Final = ("email", "inbox", "chat")
MAIL: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'self'"
URGENCIES: Final = ("critical", "normal", "digest")


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


def searched(asked: Chosen) -> dict[str, Any]:
    """The search as the API takes it: days as moments, by the clock of the pages."""
    wanted: dict[str, Any] = {
        name: value for name, value in asked.items() if name not in ("first_day", "last_day")
    }
    if first := _day(asked.get("first_day")):
        wanted["since"] = _midnight(first)
    if last := _day(asked.get("last_day")):
        wanted["before"] = _midnight(last + timedelta(1))
    return wanted


def _day(given: object) -> date | None:
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        return None


def _midnight(day: date) -> str:
    return datetime.combine(day, time(), CLOCK).isoformat()


@router.get("/notifications")
async def log(request: Request, person: StaffOrOverseer) -> Response:
    asked = chosen(request.query_params, FILTERS)
    place = request.query_params.get(PLACE)
    api = _api(request, person)
    shown: dict[str, Any] = await parts(
        messages=api.get("/notifications", {**searched(asked), "limit": 50, PLACE: place}),
        options=api.get("/wishes/kinds"),
    )
    return await page(
        request,
        "notifications/log.html",
        part="list",
        **shown,
        asked=asked,
        place=place,
        states=STATES,
        channels=CHANNELS,
        urgencies=URGENCIES,
    )


@router.get("/notifications/{id}")
async def one(request: Request, id: str, person: StaffOrOverseer) -> Response:
    message = await _api(request, person).get(f"/notifications/{id}")
    return await page(request, "notifications/message.html", message=message)


@router.get("/notifications/{id}/mail")
async def mail(request: Request, id: str, person: StaffOrOverseer) -> Response:
    """The mail alone, for a frame: it has styles of its own, and runs and loads nothing."""
    found = await part(_api(request, person).send("GET", f"/notifications/{id}/mail"))
    headers = {"Content-Security-Policy": MAIL, "Cache-Control": "private, no-store"}
    if found.ok:
        return HTMLResponse(found.content.text, headers=headers)
    _ = language_of(request).gettext
    why = found.problem.detail if found.problem else _("It cannot be shown at the moment.")
    return PlainTextResponse(why, found.problem.status if found.problem else 503, headers=headers)
