"""A form that cannot be taken, as its session is over or a service is away: what was typed is not lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from fastapi import Request, Response
from starlette.datastructures import UploadFile

from services.console.apis import ServiceDown
from services.console.people import Person, anybody
from services.console.rendering import page
from services.console.signing_in.csrf import FIELD
from shared.errors import CxcError

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


async def typed_again(request: Request, *, status: int) -> Response | None:
    """A page that holds what a form sent, to be sent once more; None where nothing was typed.

    Nothing of it is stored: it goes back to the browser that sent it.
    """
    if not _is_own_form(request):
        return None
    form = await request.form()
    typed = [(name, value) for name, value in form.multi_items() if isinstance(value, str) and name != FIELD]
    if not any(value.strip() for _, value in typed):
        return None
    person: Person | None = await anybody(request)
    return await page(
        request,
        "signing_in/typed.html",
        status=status,
        away=status == ServiceDown.status,
        signed_in=person is not None,
        action=f"{request.url.path}?{request.url.query}" if request.url.query else request.url.path,
        typed=typed,
        files=[
            value.filename
            for _, value in form.multi_items()
            if isinstance(value, UploadFile) and value.filename
        ],
    )


async def on_service_away(request: Request, error: Exception) -> Response:
    """A form for a service that is away can be sent once more in a moment."""
    return await _again_or_refused(request, error)


async def on_stale_form(request: Request, error: Exception) -> Response:
    """A form of an earlier session of the same browser is shown once more, with the token of now."""
    return await _again_or_refused(request, error)


async def _again_or_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, CxcError)
    if (again := await typed_again(request, status=error.status)) is not None:
        return again
    handlers = cast(
        "dict[Any, Callable[[Request, Exception], Awaitable[Response]]]", request.app.exception_handlers
    )
    return await handlers[CxcError](request, error)


def _is_own_form(request: Request) -> bool:
    """Whether a page of this site sent it, as the browser itself says, and it is shown whole."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    by_htmx = "HX-Request" in request.headers and "HX-Boosted" not in request.headers
    return (
        request.method == "POST"
        and kind in _FORMS
        and request.headers.get("sec-fetch-site") == "same-origin"
        and not by_htmx
    )
