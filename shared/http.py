"""What the four APIs have in common: problem details, tokens, health, metrics, size limit."""

from __future__ import annotations

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Protocol

import pymongo
import structlog
from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from pymongo.errors import PyMongoError
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.aggregate import Aggregate
from shared.contracts.envelope import Cause
from shared.contracts.registration import FieldProblem
from shared.errors import PROBLEM_BASE, CxcError, Malformed, TooLarge, Unauthenticated
from shared.messaging.topics import MAX_EVENT_BYTES, ServiceName
from shared.observability import HTTP_SECONDS, configure_logging
from shared.problems import field_problems, in_words
from shared.security import Caller, TokenVerifier
from shared.settings import ServiceSettings
from shared.storage.driver import Client, is_of_unknown_outcome
from shared.storage.store import ConcurrentChange
from shared.storage.transactions import is_outrun, worth_another_try

_log = structlog.get_logger(__name__)

PROBLEM_JSON = "application/problem+json"


class Root(Protocol):
    """What a service's composition root offers its API."""

    @property
    def settings(self) -> ServiceSettings: ...
    @property
    def client(self) -> Client: ...
    async def close(self) -> None: ...


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] = []


_PROBLEMS: Final = {
    401: "No token, or one that does not hold",
    403: "Known, but not entitled",
    404: "No such thing, or not visible to the caller",
    406: "Not in a format that is accepted",
    409: "A rule of the scheme, or the state of the case, forbids it",
    410: "It was there, and is over",
    413: "Larger than the limit",
    422: "Malformed; `errors` says where",
    429: "Too many at once; end one, or try again later",
    503: "A server this one needs is away; try again",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem responses of a route, for its OpenAPI description.

    What follows from its shape (a token, a body, parameters) is described without being named.
    """
    problem = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: {"description": _PROBLEMS[status], "content": problem} for status in statuses}


class _Api(FastAPI):
    """FastAPI, except that it describes problems as they are sent."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            _describe_problems(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema


def _describe_problems(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            responses = operation["responses"]
            if responses.get("422", {}).get("description") == "Validation Error":
                del responses["422"]  # FastAPI's own, which is never sent
            follow = {401, 503} if operation.get("security") else set()
            if "requestBody" in operation:
                follow |= {413, 422}
            if any(parameter["in"] == "query" for parameter in operation.get("parameters", [])):
                follow.add(422)
            for status, response in problem_responses(*follow).items():
                responses.setdefault(str(status), response)
            operation["responses"] = dict(sorted(responses.items()))
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas.update({**problem.pop("$defs"), "Problem": problem})


_bearer = HTTPBearer(
    auto_error=False, description="A token of the installation's issuer; `cxc token` prints one."
)


async def authenticated(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """The caller the bearer token stands for."""
    if credentials is None:
        raise Unauthenticated("Send a bearer token: 'Authorization: Bearer …'.")
    verifier: TokenVerifier = request.app.state.verifier
    return await verifier.verify(credentials.credentials)


Authenticated = Annotated[Caller, Depends(authenticated)]


async def authenticated_or_nobody(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller | None:
    """The caller the bearer token stands for; None without one, but a token that does not hold is refused."""
    return None if credentials is None else await authenticated(request, credentials)


Anybody = Annotated[Caller | None, Depends(authenticated_or_nobody)]

Limit = Annotated[int, Query(ge=1, le=200, description="How many at the most.")]
After = Annotated[str | None, Query(max_length=200, description="`next` of the page before.")]


def next_of(page: Sequence[Aggregate], limit: int) -> str | None:
    """The `after` of the page that follows; None where a page is not full and so the last one."""
    return page[-1].id if len(page) == limit else None


def cause_of(request: Request) -> Cause:
    """The cause a request is for what it changes: its trace goes on in the events."""
    return Cause(traceparent=request.headers.get("traceparent"))


def create_api(
    settings: ServiceSettings,
    *,
    title: str,
    description: str,
    routers: Sequence[APIRouter],
    bootstrap: Callable[[], Awaitable[Root]],
    body_limits: Mapping[str, int] | None = None,
) -> FastAPI:
    """An API of one service; `bootstrap` is called when it starts, and its root closed when it ends.

    `body_limits`: bytes a body may have by the pattern of its path (`/imports`, `/registrations/*/cv`);
    elsewhere as many as an event may have.
    """
    service = settings.service
    configure_logging(f"{service}-api", settings.log_level, settings.log_format)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.root = await bootstrap()
        # What the process lives with, such as a list of places, is not looked through again and again:
        # that stopped every request for a tenth of a second, now and then.
        gc.collect()
        gc.freeze()
        try:
            yield
        finally:
            await app.state.root.close()

    app = _Api(
        title=title,
        description=description,
        version="1",
        lifespan=lifespan,
        separate_input_output_schemas=False,
    )
    app.state.verifier = TokenVerifier(
        issuer=settings.issuer, jwks_url=settings.jwks_url, audience=settings.audience
    )
    app.add_middleware(_Limits, service=service, of_paths=body_limits or {})
    app.add_exception_handler(CxcError, _on_business_error)
    app.add_exception_handler(RequestValidationError, _on_malformed)
    app.add_exception_handler(StarletteHTTPException, _on_http_error)
    app.add_exception_handler(UnicodeEncodeError, _on_unencodable)
    app.add_exception_handler(PyMongoError, _on_unforeseen)
    app.add_exception_handler(ConcurrentChange, _on_unforeseen)
    app.add_exception_handler(Exception, _on_unforeseen)
    app.include_router(_health)
    for router in routers:
        app.include_router(router)
    return app


# ── health ───────────────────────────────────────────────────────────────────────────────────

_health = APIRouter(tags=["health"])


@_health.get("/live", summary="The process answers")
async def live() -> dict[str, str]:
    """200 as long as the process runs."""
    return {"status": "live"}


@_health.get("/ready", summary="Requests can be served", responses={503: {"description": "MongoDB is away"}})
async def ready(request: Request) -> JSONResponse:
    """200 when the database answers within two seconds, else 503."""
    root: Root = request.app.state.root
    try:
        # The driver's own bound: cancelling what it is at can be swallowed, or cost a connection.
        with pymongo.timeout(2.0):
            await root.client.admin.command("ping")
    except Exception as error:  # noqa: BLE001 - whatever keeps the database from answering is the answer
        return JSONResponse({"status": "not ready", "mongodb": f"{type(error).__name__}"}, status_code=503)
    return JSONResponse({"status": "ready", "mongodb": "ok"})


@_health.get("/metrics", summary="Figures in Prometheus' format", response_class=Response)
async def metrics() -> Response:
    """All metrics of this process."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


# ── problems ─────────────────────────────────────────────────────────────────────────────────


def _problem(body: dict[str, Any], headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body, status_code=body["status"], media_type=PROBLEM_JSON, headers=headers)


async def _on_business_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, CxcError)
    headers = {"WWW-Authenticate": "Bearer"} if error.status == 401 else None
    return _problem(error.problem(), headers)


async def _on_malformed(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    problems = field_problems(error.errors())
    errors = [problem.model_dump() for problem in problems]
    return _problem(Malformed(in_words(problems, 5), errors=errors).problem())


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, StarletteHTTPException)
    if isinstance(error.__cause__, CxcError):
        # FastAPI calls whatever interrupts the reading of a body a parsing error.
        return await _on_business_error(request, error.__cause__)
    if isinstance(error.__cause__, (UnicodeDecodeError, RecursionError)):
        return _unreadable("the body is not JSON in UTF-8, or it is nested too deeply")
    if isinstance(error.__cause__, ValueError):
        return _unreadable("the body holds a number of too many digits")  # the only other thing json minds
    body = {
        "type": "about:blank",
        "title": str(error.detail),
        "status": error.status_code,
        "detail": f"{request.method} {request.url.path}: {error.detail}.",
    }
    return _problem(body, dict(error.headers) if error.headers else None)


async def _on_unencodable(request: Request, error: Exception) -> Response:
    assert isinstance(error, UnicodeEncodeError)
    if error.reason == "surrogates not allowed":  # JSON can spell them, and Pydantic stumbles over them
        return _unreadable("the body holds half of a character: a surrogate without its other half")
    return await _on_unforeseen(request, error)


def _unreadable(why: str) -> Response:
    return _problem(Malformed(why, errors=[{"pointer": "", "detail": why}]).problem())


async def _on_unforeseen(request: Request, error: Exception) -> Response:
    if worth_another_try(error):
        body = {
            "type": PROBLEM_BASE + "unavailable",
            "title": "Too many changes at once" if is_outrun(error) else "The database is away",
            "status": 503,
            "detail": "It is not known whether anything was changed; look before you try again."
            if is_of_unknown_outcome(error)
            else "Nothing was changed; try again in a few seconds.",
        }
        return _problem(body, {"Retry-After": "5"})
    _log.error("request_failed", method=request.method, path=request.url.path, exc_info=error)
    body = {
        "type": PROBLEM_BASE + "internal",
        "title": "An error of ours",
        "status": 500,
        "detail": "Nothing was changed. The error is in the service's log.",
    }
    return _problem(body)


class _Limits:
    """Refuses bodies over the limit before they are held in memory, and counts requests by route."""

    def __init__(self, app: ASGIApp, service: ServiceName, of_paths: Mapping[str, int]) -> None:
        self._app = app
        self._service = service
        self._of_paths = of_paths

    def _limit(self, path: str) -> int:
        for pattern, limit in self._of_paths.items():
            if fnmatchcase(path, pattern):
                return limit
        return MAX_EVENT_BYTES

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 500
        limit = self._limit(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            too_large = TooLarge(f"The body has {int(declared)} bytes; the limit is {limit}.")
            await _problem(too_large.problem())(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge(f"The body is over the limit of {limit} bytes.")
            return message

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, counted, watched)
        finally:
            route = getattr(scope.get("route"), "path", "unknown")
            HTTP_SECONDS.labels(self._service, scope["method"], route, status).observe(
                time.perf_counter() - started
            )
