"""What went wrong, as a page for browsers; programs get problem details as from every API."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from services.console.apis import ApiProblem
from services.console.pages.signing_in import sign_in_first
from services.console.people import SignInFirst, anybody
from services.console.rendering import only_part, page
from shared.http import PROBLEM_JSON

_log = structlog.get_logger(__name__)

_KEPT: Final = ("Retry-After", "Allow")


def show_errors(app: FastAPI) -> None:
    """Have everything that is refused or fails shown as a page to who reads pages; call this last."""
    app.add_exception_handler(ApiProblem, _on_refusal)
    handlers: dict[Any, Any] = app.exception_handlers
    handlers.update({error: _shown(handler) for error, handler in handlers.items()})


async def _on_refusal(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)
    if error.status == 401:  # its token ended just now
        return await sign_in_first(request, SignInFirst())
    body = {"type": "about:blank", "title": error.title, "status": error.status, "detail": error.detail}
    if error.errors:
        body["errors"] = error.errors
    return JSONResponse(body, status_code=error.status, media_type=PROBLEM_JSON)


def _shown(handler: Any) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def handle(request: Request, error: Exception) -> Response:
        answer: Response = await handler(request, error)
        if answer.media_type != PROBLEM_JSON or not reads_pages(request):
            return answer
        try:
            return await _as_page(request, answer)
        except Exception as failed:  # noqa: BLE001 - what was wrong at first is to be said in any case
            _log.error("error_page_failed", path=request.url.path, exc_info=failed)
            return answer

    return handle


def reads_pages(request: Request) -> bool:
    """Whether the answer is for somebody's eyes: a browser or htmx asks, and not for a file or a stream."""
    return "HX-Request" in request.headers or "text/html" in request.headers.get("Accept", "")


async def _as_page(request: Request, answer: Response) -> Response:
    problem = json.loads(bytes(answer.body))
    try:
        await anybody(request)
    except Exception:  # noqa: BLE001 - whoever it is: the page says what is wrong without it
        request.state.person = None
    shown = await page(
        request,
        "errors/problem.html",
        status=answer.status_code,
        part="trouble",
        problem=problem,
    )
    for name in _KEPT:
        if name in answer.headers:
            shown.headers[name] = answer.headers[name]
    if only_part(request):
        shown.headers["HX-Retarget"] = "#trouble"
        shown.headers["HX-Reswap"] = "innerHTML show:window:top"
    return shown
