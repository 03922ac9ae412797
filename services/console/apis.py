"""The other services' APIs, asked with the token of whoever is signed in.

The console decides nothing: what somebody may see or do is each API's own word.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import httpx

from services.console.settings import ConsoleSettings
from shared.errors import CxcError
from shared.messaging.topics import ServiceName

R = TypeVar("R")

Params = Mapping[str, Any]

_TELLS_WITHIN: Final = httpx.Timeout(10.0, read=60.0)
"""An API that tells as it happens says something every 15 seconds, and be it that nothing happens."""


class ServiceDown(CxcError):
    """A service does not answer, or has no database at the moment; the rest can be used."""

    code = "service-down"
    status = 503
    title = "A service is away"

    def __init__(self, service: ServiceName) -> None:
        super().__init__(f"The {service} service does not answer at the moment; try again in a few seconds.")
        self.service = service


@dataclass(eq=False)
class ApiProblem(Exception):
    """An API refused: RFC 9457 problem details, as it sent them."""

    status: int
    title: str
    detail: str
    errors: list[dict[str, Any]] = field(default_factory=list)
    """Where an input is malformed: `pointer` and `detail`."""

    def __str__(self) -> str:
        return f"{self.status} {self.title}: {self.detail}"


class Api:
    """One service's API in the name of one person, or of nobody."""

    def __init__(self, service: ServiceName, client: httpx.AsyncClient, token: str | None) -> None:
        self._service: Final = service
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def get(self, path: str, params: Params | None = None) -> Any:
        """The JSON at a path; raises `ApiProblem` or `ServiceDown`."""
        return (await self.send("GET", path, params=params)).json()

    async def post(self, path: str, body: Any = None, params: Params | None = None) -> Any:
        """What the API answers to a command; None where it has nothing to say."""
        return _content(await self.send("POST", path, json=body, params=params))

    async def put(self, path: str, body: Any = None) -> Any:
        """Like `post`."""
        return _content(await self.send("PUT", path, json=body))

    async def patch(self, path: str, body: Any = None) -> Any:
        """Like `post`."""
        return _content(await self.send("PATCH", path, json=body))

    async def delete(self, path: str, params: Params | None = None) -> Any:
        """Like `post`."""
        return _content(await self.send("DELETE", path, params=params))

    async def send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """The whole answer, for files; raises `ApiProblem` or `ServiceDown`."""
        given = {
            name: value for name, value in (request.pop("params", None) or {}).items() if value is not None
        }
        headers = {**self._headers, **request.pop("headers", {})}
        try:
            answer = await self._client.request(method, path, params=given, headers=headers, **request)
        except httpx.HTTPError as error:
            raise ServiceDown(self._service) from error
        if answer.status_code >= 400:
            raise self._refusal(answer)
        return answer

    async def pages(self, method: str, path: str, **request: Any) -> httpx.Response:
        """A page that an API has for anybody, as it is, also one that refuses; raises `ServiceDown`."""
        try:
            answer = await self._client.request(method, path, **request)
        except httpx.HTTPError as error:
            raise ServiceDown(self._service) from error
        if not answer.headers.get("content-type", "").startswith("text/html"):
            raise self._refusal(answer)
        return answer

    async def events(
        self, path: str, last_event_id: str | None = None, params: Params | None = None
    ) -> AsyncIterator[bytes]:
        """What an API tells as it happens, until it ends; raises `ApiProblem` or `ServiceDown`."""
        headers = self._headers | ({"Last-Event-ID": last_event_id} if last_event_id else {})
        try:
            async with self._client.stream(
                "GET", path, params=params, headers=headers, timeout=_TELLS_WITHIN
            ) as answer:
                if answer.status_code >= 400:
                    await answer.aread()
                    raise self._refusal(answer)
                async for some in answer.aiter_raw():
                    yield some
        except httpx.HTTPError as error:
            raise ServiceDown(self._service) from error

    def _refusal(self, answer: httpx.Response) -> Exception:
        try:
            problem = answer.json()
        except ValueError:
            problem = None
        if answer.status_code in (502, 503, 504) or not isinstance(problem, dict) or "title" not in problem:
            return ServiceDown(self._service)
        return ApiProblem(
            answer.status_code, problem["title"], problem.get("detail", ""), problem.get("errors", [])
        )


@dataclass(frozen=True)
class AllApis:
    """Every service's API in the name of one person, or of nobody."""

    registration: Api
    matching: Api
    funding: Api
    notifications: Api


class Apis:
    """The connections to all APIs; `as_` gives them in somebody's name."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._clients = {
            service: httpx.AsyncClient(base_url=url, timeout=settings.api_timeout_s)
            for service, url in settings.api_urls.items()
        }

    def as_(self, token: str | None) -> AllApis:
        """All APIs with this bearer token; without one, what is open to everybody."""
        return AllApis(**{service: Api(service, client, token) for service, client in self._clients.items()})

    async def close(self) -> None:
        """Let the connections go."""
        await asyncio.gather(*(client.aclose() for client in self._clients.values()))


@dataclass(frozen=True)
class Part:
    """A part of a page: what an API said, or why it could not be had. Templates ask `part.down` first."""

    content: Any = None
    down: ServiceName | None = None
    """The service that is away."""
    problem: ApiProblem | None = None
    """Why the API refused, such as 404 for what somebody may not see."""

    @property
    def ok(self) -> bool:
        """Whether the content is there."""
        return self.down is None and self.problem is None


async def part(asked: Awaitable[Any]) -> Part:
    """What an API says, or why not: one that is away leaves the rest of the page usable."""
    try:
        return Part(await asked)
    except ServiceDown as away:
        return Part(down=away.service)
    except ApiProblem as problem:
        return Part(problem=problem)


async def parts(**asked: Awaitable[Any]) -> dict[str, Part]:
    """Several parts of a page, asked for at the same time."""
    found = await asyncio.gather(*(part(one) for one in asked.values()))
    return dict(zip(asked, found, strict=True))


def _content(answer: httpx.Response) -> Any:
    return answer.json() if answer.content else None
