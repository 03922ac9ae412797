"""Signing in at the organisation's own provider, coming back, and signing out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import structlog
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.console.pages.resuming import typed_again
from services.console.people import SignInFirst
from services.console.rendering import page
from services.console.signing_in.provider import ProviderAway, ProviderRefused
from shared.errors import CxcError, Unauthenticated
from shared.security import KeysUnavailable

if TYPE_CHECKING:
    from services.console.bootstrap import Console

router = APIRouter(include_in_schema=False)
_log = structlog.get_logger(__name__)

_OWN_PATH: Final = re.compile(r"/(?!/)[!-\[\]-~]{0,1999}")
_NOT_BACK_TO: Final = ("/sign-in", "/signed-in", "/sign-out", "/signed-out")


class Interrupted(CxcError):
    """Nobody began this sign-in in this browser, or it is over."""

    code = "sign-in-interrupted"
    status = 400
    title = "This sign-in was interrupted"


class NoAccess(CxcError):
    """The provider knows the person, and what it says of them opens nothing here."""

    code = "no-access"
    status = 403
    title = "You have no access here yet"


@router.get("/sign-in")
async def sign_in(request: Request, to: str = "/home") -> Response:
    """Lead to the provider, to come back to the page `to`."""
    console: Console = request.app.state.root
    try:
        leads_to = await console.sessions.attempt(request.state.browser, own_path(to))
    except ProviderAway as away:
        return await _failed(request, away, to)
    answer = RedirectResponse(leads_to, status_code=303)
    console.sessions.cookies.set(answer, "browser", request.state.browser)
    return answer


@router.get("/signed-in")
async def signed_in(
    request: Request,
    state: str = "",
    code: str = "",
    error: str = "",
    error_description: str = "",
    iss: str | None = None,
) -> Response:
    """Where the provider leads back to: a session begins, with an id nobody had before."""
    console: Console = request.app.state.root
    sessions = console.sessions
    browser = sessions.cookies.browser_of(request)
    attempt = await sessions.attempted(browser, state) if browser else None
    if attempt is None:
        return await _failed(request, Interrupted("No attempt of this browser fits, or it is over."), "/")
    to = attempt["to"]
    try:
        if not sessions.provider.is_this(iss):
            raise ProviderRefused("Another sign-in service answered than the one that was asked.")
        if error or not code:
            raise ProviderRefused(f"{error_description or error or 'It sent no code'}.")
        tokens = await sessions.provider.finish(
            code, nonce=attempt["nonce"], code_verifier=attempt["code_verifier"]
        )
        id = await sessions.begin(tokens)
    except (ProviderAway, ProviderRefused, KeysUnavailable) as failure:
        return await _failed(request, failure, to)
    except Unauthenticated as failure:
        return await _failed(request, NoAccess(failure.detail), to)
    await sessions.end(request)
    answer = RedirectResponse(to, status_code=303)
    sessions.let_in(answer, id)
    return answer


@router.post("/sign-out")
async def sign_out(request: Request) -> Response:
    """End the session here, then at the provider."""
    console: Console = request.app.state.root
    tokens = await console.sessions.end(request)
    leads_to = await console.sessions.provider.leave(tokens) if tokens else None
    request.state.person = None
    answer: Response
    if leads_to is None:
        answer = RedirectResponse("/signed-out", status_code=303)
    else:
        # Forms lead to own pages alone (form-action): this one goes on to the provider's by itself.
        answer = await page(request, "signing_in/signed_out.html", leads_to=leads_to)
        answer.headers["Refresh"] = f"0; url={leads_to}"
    console.sessions.let_go(answer)
    return answer


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    """What is said after signing out."""
    return await page(request, "signing_in/signed_out.html", leads_to=None)


async def sign_in_first(request: Request, error: Exception) -> Response:
    """Lead whoever has no session to sign in, and back; what was typed into a form is kept for them."""
    assert isinstance(error, SignInFirst)
    if (typed := await typed_again(request, status=Unauthenticated.status)) is not None:
        return typed
    by_htmx = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    if by_htmx or request.method not in ("GET", "HEAD"):
        came_from = urlsplit(request.headers.get("HX-Current-URL") or request.headers.get("Referer", ""))
    else:
        came_from = urlsplit(str(request.url))
    to = own_path(came_from.path + (f"?{came_from.query}" if came_from.query else ""))
    leads_to = f"/sign-in?{urlencode({'to': to})}"
    if by_htmx:
        return Response(status_code=204, headers={"HX-Redirect": leads_to})
    return RedirectResponse(leads_to, status_code=303)


def own_path(to: str) -> str:
    """A path of the console to lead somebody to; the first page for anything else."""
    is_own = _OWN_PATH.fullmatch(to) is not None and urlsplit(to).path not in _NOT_BACK_TO
    return to if is_own else "/"


async def _failed(request: Request, failure: CxcError, to: str) -> Response:
    _log.warning("not_signed_in", code=failure.code, reason=failure.detail)
    return await page(
        request,
        "signing_in/failed.html",
        status=failure.status,
        failure=failure,
        again=f"/sign-in?{urlencode({'to': own_path(to)})}",
        public_url=request.app.state.root.settings.public_url,
    )
