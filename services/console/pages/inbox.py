"""What somebody's organisation, or desk, was told: to read, to put away, and to see come in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html import escape
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response
from starlette.responses import StreamingResponse

from services.console.answers import done
from services.console.apis import Api, part, parts
from services.console.filters import PLACE, address, chosen
from services.console.forms import Form
from services.console.pages.signing_in import own_path
from services.console.people import Person, SignedIn
from services.console.rendering import language_of, page

router = APIRouter(include_in_schema=False)

FILTERS: Final = ("unread", "archived", "kind", "about")
Step = Literal["read", "unread", "archive", "unarchive"]


def _api(request: Request, person: Person) -> Api:
    api: Api = request.app.state.root.apis.as_(person.token).notifications
    return api


@router.get("/inbox")
async def inbox(request: Request, person: SignedIn) -> Response:
    asked = chosen(request.query_params, FILTERS)
    api = _api(request, person)
    found = await parts(
        entries=api.get("/inbox", {**asked, "limit": 20, PLACE: request.query_params.get(PLACE)}),
        counted=api.get("/inbox/unread"),
        options=api.get("/wishes/kinds"),
    )
    if found["entries"].problem:  # whoever has none
        raise found["entries"].problem
    entries = found["entries"].content or {"items": [], "next": None}
    return await page(
        request,
        "inbox/inbox.html",
        part="list",
        asked=asked,
        entries=found["entries"],
        items=[{**entry, "path": path_of(entry["link"])} for entry in entries["items"]],
        next_page=address("/inbox", asked, after=entries["next"]) if entries["next"] else None,
        here=address("/inbox", asked),
        counted=found["counted"],
        kinds=[
            (kind["kind"], kind["label"]) for kind in (found["options"].content or {"kinds": []})["kinds"]
        ],
    )


@router.get("/inbox/unread")
async def unread(request: Request, person: SignedIn) -> Response:
    """The figure beside the word in the menu; nothing where nothing is unread."""
    counted = await part(_api(request, person).get("/inbox/unread"))
    if not counted.ok or not counted.content["unread"]:
        return HTMLResponse("")
    _ = language_of(request).gettext
    figure = f"{counted.content['unread']}{'+' if counted.content['more'] else ''}"
    return HTMLResponse(f'{figure}<span class="visually-hidden"> {escape(_("unread"))}</span>')


@router.get("/inbox/live")
async def live(request: Request, person: SignedIn) -> Response:
    """Says when the inbox has changed, until the token runs out; the browser then asks again by itself."""
    stream = _api(request, person).events(
        "/inbox/stream", request.headers.get("Last-Event-ID"), params={"seconds": 600}
    )
    first = await anext(stream, b"")  # who may not follow is told so by the status

    async def told() -> AsyncIterator[bytes]:
        yield first
        async for some in stream:
            yield some

    return StreamingResponse(told(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.post("/inbox/read")
async def read_all(request: Request, person: SignedIn, form: Form) -> Response:
    cleared = await _api(request, person).post("/inbox/read", _those(form))
    ngettext = language_of(request).catalogue.ngettext
    said = ngettext(
        "%(num)s message is marked as read.", "%(num)s messages are marked as read.", cleared["changed"]
    )
    return done(request, own_path(form.text("back", "/inbox")), said % {"num": cleared["changed"]})


@router.post("/inbox/archive")
async def archive_read(request: Request, person: SignedIn, form: Form) -> Response:
    cleared = await _api(request, person).post("/inbox/archive", _those(form))
    ngettext = language_of(request).catalogue.ngettext
    said = ngettext("%(num)s message is put away.", "%(num)s messages are put away.", cleared["changed"])
    return done(request, own_path(form.text("back", "/inbox")), said % {"num": cleared["changed"]})


@router.post("/inbox/{id}/open")
async def open_entry(id: str, request: Request, person: SignedIn) -> Response:
    """Mark an entry as read, and lead to what it is about."""
    entry = await _api(request, person).post(f"/inbox/{id}/read")
    return done(request, path_of(entry["link"]))


@router.post("/inbox/{id}/{step}")
async def change(id: str, step: Step, request: Request, person: SignedIn, form: Form) -> Response:
    await _api(request, person).post(f"/inbox/{id}/{step}")
    return done(request, own_path(form.text("back", "/inbox")))


def path_of(link: str) -> str:
    """The page of the console that a link of a mail leads to, wherever the console is reached at."""
    parts = urlsplit(link)
    return own_path(parts.path + (f"?{parts.query}" if parts.query else ""))


def _those(form: Form) -> dict[str, Any]:
    """Which entries are meant: none that came after the page was shown."""
    return {"until": form.text("until") or None, "kinds": form.list("kind")}
