"""How somebody wants to be told: what by mail or chat, how often, never at night, in which language."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.console.answers import done
from services.console.apis import Api, ApiProblem, part
from services.console.forms import Form
from services.console.people import Person, SignedIn
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

CHANNELS: Final = ("email", "chat")


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


@router.get("/wishes")
async def wishes(request: Request, person: SignedIn) -> Response:
    return await _shown(request, person, None)


@router.post("/wishes")
async def state(request: Request, person: SignedIn, form: Form) -> Response:
    return await _stated(request, person, form, None)


@router.post("/wishes/withdraw")
async def withdraw(request: Request, person: SignedIn) -> Response:
    return await _withdrawn(request, person, None)


@router.get("/wishes/seats/{seat}")
async def seat_s(seat: str, request: Request, person: SignedIn) -> Response:
    return await _shown(request, person, seat)


@router.post("/wishes/seats/{seat}")
async def state_seat_s(seat: str, request: Request, person: SignedIn, form: Form) -> Response:
    return await _stated(request, person, form, seat)


@router.post("/wishes/seats/{seat}/withdraw")
async def withdraw_seat_s(seat: str, request: Request, person: SignedIn) -> Response:
    return await _withdrawn(request, person, seat)


def sent_wishes(form: Form, kinds: list[str]) -> dict[str, Any]:
    """The form as the API takes it: one wish a kind, quiet hours where both ends are given."""
    quiet = {"begins": form.text("begins"), "ends": form.text("ends")}
    return {
        "version": int(form.text("version", "0")) if form.text("version", "0").isdigit() else 0,
        "language": form.text("language") or None,
        "time_zone": form.text("time_zone"),
        "quiet": quiet if any(quiet.values()) else None,
        "kinds": {
            kind: {"channels": form.list(f"channels-{kind}"), "pace": form.text(f"pace-{kind}", "at_once")}
            for kind in kinds
        },
    }


async def _stated(request: Request, person: Person, form: Form, seat: str | None) -> Response:
    api = _api(request, person)
    options = await api.get("/wishes/kinds")
    sent = sent_wishes(form, [kind["kind"] for kind in options["kinds"]])
    try:
        await api.put(_path(seat), sent)
    except ApiProblem as problem:
        return await _shown(request, person, seat, sent=sent, problem=problem)
    _ = language_of(request).gettext
    return done(request, _path(seat), _("From now on you are told as you wish."))


async def _withdrawn(request: Request, person: Person, seat: str | None) -> Response:
    await _api(request, person).delete(_path(seat))
    _ = language_of(request).gettext
    return done(request, "/wishes", _("These wishes are taken back."))


async def _shown(
    request: Request,
    person: Person,
    seat: str | None,
    *,
    sent: dict[str, Any] | None = None,
    problem: ApiProblem | None = None,
) -> Response:
    api = _api(request, person)
    held = await api.get(_path(seat))
    options = await api.get("/wishes/kinds")
    seats = None if seat or person.is_participant else await part(api.get("/wishes/seats"))
    kinds = [kind | (sent["kinds"].get(kind["kind"], {}) if sent else {}) for kind in held["kinds"]]
    return await page(
        request,
        "wishes/wishes.html",
        status=problem.status if problem else 200,
        path=_path(seat),
        seat=seat,
        held=held | ({name: sent[name] for name in ("language", "time_zone", "quiet")} if sent else {}),
        kinds=kinds,
        languages_written=options["languages"],
        paces=options["paces"],
        zones=sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")),
        seats=seats,
        problem=problem,
    )


def _path(seat: str | None) -> str:
    return f"/wishes/seats/{seat}" if seat else "/wishes"
