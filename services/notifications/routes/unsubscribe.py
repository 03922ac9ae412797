"""Leaving a kind of mail by the link of one (RFC 8058), for anybody who has the mail, without signing in."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse

from services.notifications.bootstrap import Notifications
from services.notifications.domain.rules import Channel
from services.notifications.domain.unsubscription import Leaving
from services.notifications.domain.wishes import Wishes
from services.notifications.languages import language_for
from services.notifications.pages import page
from services.notifications.routes.root import Root, change
from services.notifications.unsubscribing import unsubscriptions_of
from services.notifications.use_cases.unsubscribe import unsubscribe
from shared.errors import Malformed

router = APIRouter(tags=["unsubscribing"])

_HTML: Final[dict[str, Any]] = {"text/html": {"schema": {"type": "string"}}}
_UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: {"description": "A page that says that the link is none of ours", "content": _HTML}
}
_FORM: Final = {
    "type": "object",
    "properties": {
        "List-Unsubscribe": {"const": "One-Click", "description": "As mail programs send it."},
        "mails": {"enum": ["off", "on"], "description": "As the page's buttons send it."},
    },
}


@router.get(
    "/unsubscribe/{token}",
    summary="What the link of a mail would switch off",
    response_class=HTMLResponse,
    response_description="A page with a button, in the reader's language. It changes nothing.",
    responses=_UNKNOWN,
)
async def ask(token: str, notifications: Root, request: Request) -> HTMLResponse:
    """Mail scanners follow links, so nothing is done before the button is pressed."""
    leaving = _read(notifications, token)
    if leaving is None:
        return _page(notifications, request, "unknown")
    wishes = await notifications.transactions.read(lambda uow: uow.wishes.that_hold_for(leaving.person))
    kinds = leaving.kinds(notifications.rules.kinds)
    gets_mails = wishes is None or any(Channel.EMAIL in wishes.of_kind(kind).channels for kind in kinds)
    return _page(notifications, request, "ask" if gets_mails else "off", leaving, wishes)


@router.post(
    "/unsubscribe/{token}",
    summary="Get no more mails of this kind, or get them again",
    response_class=HTMLResponse,
    response_description="A page that says what holds now.",
    responses=_UNKNOWN,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/x-www-form-urlencoded": {"schema": _FORM},
                "multipart/form-data": {"schema": _FORM},
            },
        }
    },
)
async def leave(token: str, notifications: Root, request: Request) -> HTMLResponse:
    """`List-Unsubscribe=One-Click`, as mail programs send it, does the same as `mails=off`.

    `mails=on` takes it back. Done twice it changes nothing. The inbox goes on, and so do mails that cannot
    wait.
    """
    leaving = _read(notifications, token)
    if leaving is None:
        return _page(notifications, request, "unknown")
    mails = _wants_mails(await request.body())
    wishes = await change(notifications, request, lambda uow: unsubscribe(uow, leaving, mails=mails))
    return _page(notifications, request, "on" if mails else "off", leaving, wishes)


def _read(notifications: Notifications, token: str) -> Leaving | None:
    unsubscriptions = unsubscriptions_of(notifications.settings)
    leaving = unsubscriptions.read(token) if unsubscriptions else None
    return leaving if leaving and leaving.kinds(notifications.rules.kinds) else None


def _wants_mails(body: bytes) -> bool:
    # RFC 8058 lets it come as multipart/form-data, too; for one fixed field that needs no parser.
    if b"List-Unsubscribe" in body and b"One-Click" in body:
        return False
    wanted = parse_qs(body.decode("ascii", "replace")).get("mails")
    if wanted not in (["on"], ["off"]):
        raise Malformed("Send the form field List-Unsubscribe=One-Click, or mails=off, or mails=on.")
    return wanted == ["on"]


def _page(
    notifications: Notifications,
    request: Request,
    state: str,
    leaving: Leaving | None = None,
    wishes: Wishes | None = None,
) -> HTMLResponse:
    asked = request.headers.get("accept-language", "")[:2].lower()
    reader = language_for((wishes and wishes.language) or asked)
    kind = notifications.rules.kinds.get(leaving.kind) if leaving else None
    return page(
        "unsubscribe",
        status=404 if leaving is None else 200,
        language=reader.code,
        state=state,
        kind=reader.gettext(kind.label) if kind else None,
        every_kind=reader.gettext("Mails of every kind"),
        wishes=f"{notifications.settings.public_url.rstrip('/')}/wishes",
    )
