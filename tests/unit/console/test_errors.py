"""What is shown when something is refused or fails: a page to people, problem details to programs."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr
from pymongo.errors import AutoReconnect
from starlette.exceptions import HTTPException

from services.console.apis import ApiProblem, ServiceDown
from services.console.pages.errors import show_errors
from services.console.rendering import Pages
from services.console.settings import ConsoleSettings
from services.console.signing_in.cookies import Cookies
from shared.errors import Forbidden
from shared.http import create_api
from shared.partnerships import SHIPPED_PARTNERSHIPS, Partnerships
from shared.settings import KafkaSettings

SETTINGS = ConsoleSettings(
    kafka=KafkaSettings(bootstrap="127.0.0.1:1"),
    mongo_url=SecretStr("mongodb://127.0.0.1:1"),
    issuer="http://issuer.example",
    jwks_url="http://issuer.example/jwks.json",
    session_key=SecretStr("k" * 32),
)
BROWSER = {"Accept": "text/html,*/*;q=0.8"}
HTMX = {"HX-Request": "true", "Accept": "*/*"}

REFUSED: dict[str, Exception] = {
    "/forbidden": Forbidden("This page is for staff of a partnership."),
    "/refused": ApiProblem(409, "A rule forbids this", "It is too late for that."),
    "/malformed": ApiProblem(422, "Malformed", "Two.", [{"pointer": "/first_day", "detail": "is over"}]),
    "/away": ServiceDown("matching"),
    "/mongo": AutoReconnect("gone"),
    "/broken": RuntimeError("what nobody should read"),
    "/teapot": HTTPException(418, "I'm a teapot"),
}


class Nobody:
    """No sessions at all."""

    cookies = Cookies("http://127.0.0.1:8000")

    async def person_of(self, request: Any) -> None:
        return None


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    async def begin() -> Any:
        async def close() -> None:
            pass

        partnerships = Partnerships.load(SHIPPED_PARTNERSHIPS)
        return SimpleNamespace(pages=Pages(SETTINGS, partnerships), sessions=Nobody(), close=close)

    app: FastAPI = create_api(SETTINGS, title="t", description="d", routers=[], bootstrap=begin)

    @app.get("/{name}")
    async def refuse(name: str) -> None:
        raise REFUSED.get(f"/{name}") or HTTPException(404)

    @app.middleware("http")
    async def token(request: Any, call_next: Any) -> Any:
        request.state.csrf = "ab" * 32
        return await call_next(request)

    show_errors(app)
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nowhere", 404, "There is no such page here"),
        ("/forbidden", 403, "This page is for staff of a partnership."),
        ("/refused", 409, "It is too late for that."),
        ("/malformed", 422, "is over"),
        ("/away", 503, "A part of the platform is away at the moment"),
        ("/mongo", 503, "A part of the platform is away at the moment"),
        ("/broken", 500, "Something went wrong on our side"),
        ("/teapot", 418, "This could not be done"),
    ],
)
def test_people_get_a_page_with_a_way_on(client: TestClient, path: str, status: int, says: str) -> None:
    answer = client.get(path, headers=BROWSER)
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")
    assert says in answer.text
    assert 'href="/"' in answer.text
    assert "what nobody should read" not in answer.text


def test_programs_get_problem_details(client: TestClient) -> None:
    for path in REFUSED:
        answer = client.get(path, headers={"Accept": "application/json"})
        assert answer.headers["content-type"] == "application/problem+json", path
        assert answer.json()["status"] == answer.status_code


def test_htmx_puts_it_where_troubles_stand_and_leaves_the_page(client: TestClient) -> None:
    answer = client.get("/refused", headers=HTMX)
    assert answer.status_code == 409
    assert answer.headers["hx-retarget"] == "#trouble"
    assert "It is too late for that." in answer.text
    assert "<html" not in answer.text


def test_it_is_said_in_the_readers_language(client: TestClient) -> None:
    answer = client.get("/nowhere", headers={**BROWSER, "Accept-Language": "it"})
    assert "Qui non c" in answer.text
    assert '<html lang="it"' in answer.text


def test_when_to_try_again_is_kept(client: TestClient) -> None:
    assert client.get("/mongo", headers=BROWSER).headers["retry-after"] == "5"
