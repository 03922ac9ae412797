"""The catalogue: browse and search it, save searches, look at one organisation and write to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console import choices
from services.console.answers import done
from services.console.apis import AllApis, ApiProblem, Part, part, parts
from services.console.domain.calendar import Span, marks, months, no_holidays
from services.console.filters import PLACE, address
from services.console.forms import Form
from services.console.own import OTHER, Side, accepted_as, own_registrations
from services.console.pages.partners import FOUND_AMONG, sides_of
from services.console.people import Participant, Person, SignedIn
from services.console.rendering import language_of, page
from services.console.stays import holidays_at, spans
from shared.contracts.vocabulary import COUNTRIES
from shared.partnerships import Partnerships

router = APIRouter(include_in_schema=False)

FILTERS: Final = (
    *("text", "topic", "country", "ecosystem", "goal", "kind", "language", "partnership"),
    *("available_from", "available_to", "free_places"),
)
LOOKED_FOR: Final[Mapping[str, Side]] = {"hosts": "host", "visitors": "visitor"}
AT_ONCE: Final = 20
SHOWN_MONTHS: Final = 6


@router.get("/catalogue")
async def browse(request: Request, person: SignedIn) -> Response:
    return await _browse(request, person)


@router.post("/catalogue/searches")
async def save_search(request: Request, person: SignedIn, form: Form) -> Response:
    side, seeker = _side(form.text("side")), form.text("for")
    asked = {name: value for name in FILTERS if (value := form.text(name))}
    try:
        await _apis(request, person).matching.post(
            "/searches", {"name": form.text("name"), "side": side, "filter": asked}, {"for": seeker or None}
        )
    except ApiProblem as problem:
        return await _browse(request, person, {"side": side, "for": seeker, **asked}, problem)
    back = address("/catalogue", asked, {"side": side, "for": seeker})
    _ = language_of(request).gettext
    return done(request, back, _("The search is saved: you get a mail when somebody new meets it."))


@router.post("/catalogue/searches/{id}/delete")
async def delete_search(id: str, request: Request, person: SignedIn, form: Form) -> Response:
    side, seeker = _side(form.text("side")), form.text("for")
    await _apis(request, person).matching.delete(f"/searches/{id}", {"for": seeker or None})
    back = address("/catalogue", {"side": side, "for": seeker})
    _ = language_of(request).gettext
    return done(request, back, _("The search is deleted: it sends no more mails."))


@router.get("/catalogue/{registration_id}")
async def profile(registration_id: str, request: Request, person: SignedIn) -> Response:
    return await _profile(request, person, registration_id, request.query_params)


@router.post("/catalogue/{registration_id}/messages")
async def write(registration_id: str, request: Request, person: Participant, form: Form) -> Response:
    side, sender, words = _side(form.text("side")), form.text("from"), form.text("text")
    try:
        await _apis(request, person).matching.post(
            f"/catalogue/{registration_id}/messages", {"from": sender, "text": words}
        )
    except ApiProblem as problem:
        asked = {"side": side, "for": sender}
        return await _profile(request, person, registration_id, asked, words=words, problem=problem)
    back = address(f"/catalogue/{registration_id}", {"side": side, "for": sender})
    _ = language_of(request).gettext
    return done(request, back, _("Your message is on its way. You get a mail when they answer you."))


async def _browse(
    request: Request,
    person: Person,
    query: Mapping[str, str] | None = None,
    problem: ApiProblem | None = None,
) -> Response:
    apis = _apis(request, person)
    own = await _own(apis, person)
    given = query or request.query_params
    side = _side(given.get("side") or _usual_side(own))
    seekers = accepted_as(own.content or [], OTHER[LOOKED_FOR[side]])
    seeker = _seeker(given, seekers, person)
    asked = {name: value for name in FILTERS if (value := given.get(name, "").strip())}
    sort = request.query_params.get("sort") or ("fit" if seeker else "newest")
    if sort == "fit" and not seeker:
        sort = "newest"
    listing = {**asked, "side": side, "for": seeker, "sort": sort, "limit": AT_ONCE}
    keeps_searches = person.is_staff or (person.is_participant and seeker is not None)
    after = request.query_params.get(PLACE)
    shown = await parts(
        profiles=apis.matching.get("/catalogue", {**listing, PLACE: after}),
        **(
            {"searches": apis.matching.get("/searches", {"for": seeker if person.is_participant else None})}
            if keeps_searches
            else {}
        ),
    )
    return await page(
        request,
        "catalogue/list.html",
        part="list",
        status=problem.status if problem else 200,
        profiles=shown["profiles"],
        searches=shown.get("searches"),
        own=own,
        side=side,
        seeker=seeker,
        seekers=seekers,
        sort=sort,
        asked=asked,
        problem=problem,
        address=address,
        countries=_countries(request),
        choices=choices,
        sides=sides_of,
    )


async def _profile(
    request: Request,
    person: Person,
    registration_id: str,
    given: Mapping[str, str],
    *,
    words: str = "",
    problem: ApiProblem | None = None,
) -> Response:
    apis = _apis(request, person)
    own = await _own(apis, person)
    side = _side(given.get("side") or "hosts")
    seekers = accepted_as(own.content or [], OTHER[LOOKED_FOR[side]])
    seeker = _seeker(given, seekers, person)
    found = await apis.matching.get(f"/catalogue/{registration_id}", {"side": side, "for": seeker})
    writers = [line for line in own.content or [] if line["state"] == "accepted"]
    return await page(
        request,
        "catalogue/profile.html",
        status=problem.status if problem else 200,
        profile=found,
        side=side,
        seeker=seeker,
        own_ids={line["id"] for line in own.content or []},
        writers=writers,
        words_written=words,
        problem=problem,
        sides=sides_of,
        address=address,
        **_free_days(found, request.app.state.root.clock().date()),
    )


def _free_days(profile: Mapping[str, Any], today: date) -> dict[str, Any]:
    free = [span for span in spans(profile["availability"]) if span.last >= today]
    if not free:
        return {"months": [], "marks": {}}
    shown = months(Span(max(free[0].first, today), max(span.last for span in free)), most=SHOWN_MONTHS)
    days = [day for month in shown for week in month.weeks for day in week if day is not None]
    holiday = holidays_at(profile) or no_holidays
    return {"months": shown, "marks": marks(days, holiday=holiday, theirs=free)}


def _seeker(given: Mapping[str, str], seekers: Sequence[Mapping[str, Any]], person: Person) -> str | None:
    if (wanted := given.get("for")) is not None and not person.is_participant:
        return wanted or None
    ids = [line["id"] for line in seekers]
    return wanted if wanted in ids else next(iter(ids), None)


async def _own(apis: AllApis, person: Person) -> Part:
    return await part(own_registrations(apis)) if person.is_participant else Part([])


def _usual_side(own: Part) -> str:
    """Whom a host alone looks for are visitors; everybody else looks for hosts first."""
    only_hosts = accepted_as(own.content or [], "host") and not accepted_as(own.content or [], "visitor")
    return FOUND_AMONG["visitor"] if only_hosts else FOUND_AMONG["host"]


def _side(given: str) -> str:
    return given if given in LOOKED_FOR else "hosts"


def _countries(request: Request) -> choices.Choices:
    """Those the partnerships work in; all, where one works in all."""
    partnerships: Partnerships = request.app.state.root.partnerships
    every = all(one.countries for one in partnerships)
    worked_in = {code for one in partnerships for code in one.countries} if every else set(COUNTRIES)
    return [(code, name) for code, name in choices.countries(language_of(request)) if code in worked_in]


def _apis(request: Request, person: Person) -> AllApis:
    apis: AllApis = request.app.state.root.apis.as_(person.token)
    return apis
