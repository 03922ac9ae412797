"""The audit search: what people did, as the registration service wrote it down, and all that happened."""

from __future__ import annotations

from datetime import date
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.apis import Part, part
from services.console.case_rows import Happening, Page
from services.console.filters import PLACE, chosen
from services.console.people import StaffOrOverseer
from services.console.rendering import language_of, page
from services.console.timelines import TITLES, Telling

router = APIRouter(include_in_schema=False)

FILTERS: Final = ("by", "about", "type", "action", "first_day", "last_day")


def _(sentence: str) -> str:
    # Marks what is told to people; it is translated where it is written.
    return sentence


ACTIONS: Final = {
    "register": _("Registered"),
    "amend": _("Changed"),
    "confirm_interest": _("Said to be still interested"),
    "attach_cv": _("Sent a CV"),
    "remove_cv": _("Removed the CV"),
    "accept": _("Accepted"),
    "reject": _("Turned down"),
    "ask": _("Asked for more information"),
    "assign": _("Handed to another partnership"),
    "withdraw": _("Withdrew"),
    "undo": _("Took a decision back"),
    "merge": _("Found two to be the same organisation"),
    "unmerge": _("Found two not to be the same after all"),
    "distinct": _("Said that two are not the same"),
    "import": _("Sent a spreadsheet"),
    "export": _("Downloaded a list"),
    "erase": _("Erased personal data"),
}
"""What the registration service writes down of people."""
AT_ONCE: Final = 50


@router.get("/audit")
async def listing(request: Request, person: StaffOrOverseer) -> Response:
    root, query = request.app.state.root, request.query_params
    asked, place = chosen(query, FILTERS), query.get(PLACE)
    what = "happenings" if query.get("what") == "happenings" else "decisions"
    language = language_of(request)
    say = language.gettext
    trail = None
    if what == "decisions":
        api = root.apis.as_(person.token).registration
        renamed = {name: value for name, value in asked.items() if name not in ("about", "type")}
        trail = await part(
            api.get("/audit", {**renamed, "registration": asked.get("about"), "limit": AT_ONCE, PLACE: place})
        )
    telling = Telling(language, root.partnerships, None, person, today=root.clock().date())
    found = None
    if what == "happenings":
        found = await root.cases.happenings(
            person,
            actor=asked.get("by"),
            subject=asked.get("about"),
            type=[asked["type"]] if "type" in asked else [],
            mails=bool(query.get("mails")),
            first_day=_day(asked.get("first_day")),
            last_day=_day(asked.get("last_day")),
            after=place,
            limit=AT_ONCE,
        )
    return await page(
        request,
        "audit/list.html",
        part="list",
        what=what,
        asked=asked,
        place=place,
        mails=bool(query.get("mails")),
        action_words={action: say(word) for action, word in ACTIONS.items()},
        actions_named=[(action, say(word)) for action, word in ACTIONS.items()],
        actors=[
            *((who, language.role(who)) for who in ("visitor", "host", "participant")),
            *((one.id, one.name) for one in root.partnerships),
        ],
        types=sorted(
            ((type, say(title)) for type, title in TITLES.items() if "/" not in type), key=lambda one: one[1]
        ),
        entries=[(one, telling.happening(one)) for one in found.rows] if found else [],
        names=await root.cases.names(person, _cases_of(trail, found)),
        next=found.next if found else None,
        trail=trail,
    )


def _cases_of(trail: Part | None, found: Page[Happening] | None) -> list[str]:
    if trail is not None and trail.ok:
        return [one["registration_id"] for one in trail.content["items"] if one["registration_id"]]
    return [one.cases[0] for one in found.rows if one.cases] if found else []


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
