"""The four APIs as their callers meet them: real MongoDB, and tokens of a real issuer's process."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from pydantic import SecretStr

from ops.issuer import Role, ensure_key, issue_token
from ops.processes import Child, free_port
from shared.messaging.topics import ServiceName
from shared.settings import KafkaSettings, ServiceSettings
from shared.storage.driver import Database, DriverName, connect

PARTNERSHIPS = Path(__file__).with_name("partnerships.yaml")


@dataclass(frozen=True)
class As:
    """Who calls: the claims of the token."""

    role: Role
    partnership: str | None = None
    organisation: str | None = None
    subject: str | None = None


NOBODY = None
"""Calls without a token."""

STAFF = As("staff", partnership="hempclub")
WOOL_STAFF = As("staff", partnership="woolclub")
OTHER_STAFF = As("staff", partnership="solarclub")
SUPPORT_OFFICE = As("support_office")
AUDITOR = As("auditor")
EXTERNAL = As("external", subject="/sample/crm")
STRANGER = As("participant", organisation="somebody-else")


def participant(organisation: str) -> As:
    """Someone who acts for the organisation."""
    return As("participant", organisation=organisation)


class Issuer:
    """The local token issuer as a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.jwks_url = f"{self.url}/jwks.json"
        self.key = directory / "key.pem"
        given = ["--port", str(self.port), "--key", str(self.key), "--issuer", self.url]
        self._process = Child(
            "issuer",
            [sys.executable, "-m", "ops.issuer", *given],
            directory / "issuer.log",
            ready_url=self.jwks_url,
        )
        self._token = cache(self._issue)

    def start(self) -> None:
        """Serve the keys; its key file is made unless it is there."""
        ensure_key(self.key)
        self._token.cache_clear()
        self._process.start()
        self._process.wait_until(lambda: self._process.is_ready, within_s=30)

    def stop(self) -> None:
        """Serve nothing any more."""
        self._process.stop()

    def token(self, caller: As) -> str:
        """A token for the caller, signed with the present key."""
        return self._token(caller)

    def _issue(self, caller: As) -> str:
        return issue_token(self.key, issuer=self.url, **asdict(caller))


@dataclass
class Api:
    """One service's API on a database of its own."""

    app: FastAPI
    http: httpx.AsyncClient
    root: Any
    issuer: Issuer

    async def call(self, method: str, path: str, caller: As | None, **request: Any) -> httpx.Response:
        """A request in the caller's name."""
        headers = dict(request.pop("headers", {}))
        if caller is not None:
            headers["Authorization"] = f"Bearer {self.issuer.token(caller)}"
        return await self.http.request(method, path, headers=headers, **request)

    async def get(self, path: str, caller: As | None, **params: Any) -> httpx.Response:
        return await self.call("GET", path, caller, params=params)

    async def post(self, path: str, caller: As | None, body: Any = None) -> httpx.Response:
        return await self.call("POST", path, caller, **({} if body is None else {"json": body}))

    async def stored(self) -> dict[str, list[Any]]:
        """Everything in the database, to compare before and after."""
        return await everything(self.root.database)


async def everything(database: Database) -> dict[str, list[Any]]:
    """All documents of a database by collection, outbox and inbox included."""
    return {
        name: await database[name].find({}).sort("_id", 1).to_list(None)
        for name in sorted(await database.list_collection_names())
    }


def settings_of(service: ServiceName, mongo_url: str, issuer: Issuer | None = None, **more: Any) -> Any:
    """The service's settings for this MongoDB and issuer."""
    model: type[ServiceSettings] = getattr(
        import_module(f"services.{service}.settings"), f"{service.capitalize()}Settings"
    )
    given: dict[str, Any] = {
        "kafka": KafkaSettings(bootstrap="127.0.0.1:1"),
        "mongo_url": SecretStr(mongo_url),
        "issuer": issuer.url if issuer else "https://issuer.example",
        "jwks_url": issuer.jwks_url if issuer else "https://issuer.example/keys",
        "partnerships": PARTNERSHIPS,
        "log_level": "warning",
    }
    return model(**{**given, **more})


@asynccontextmanager
async def running_root(service: ServiceName, settings: Any, database: str) -> AsyncIterator[Any]:
    """The service's composition root on a database of that name."""
    root = await import_module(f"services.{service}.bootstrap").bootstrap(settings, database=database)
    try:
        yield root
    finally:
        await root.close()


@asynccontextmanager
async def running_api(
    service: ServiceName,
    mongo_url: str,
    issuer: Issuer,
    database: str,
    *,
    driver: DriverName = "pymongo",
    **more: Any,
) -> AsyncIterator[Api]:
    """The service's API on a database of that name, dropped at the end; `more` settings than usual."""
    settings = settings_of(service, mongo_url, issuer, mongo_driver=driver, **more)
    app: FastAPI = import_module(f"services.{service}.api").create_app(settings)
    async with running_root(service, settings, database) as root:
        app.state.root = root
        # As in production: an error of ours is an answer, not an exception in the caller.
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"http://{service}.example") as http:
            yield Api(app, http, root, issuer)
    async with connect(mongo_url) as client:
        await client.drop_database(database)


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The RFC 9457 body of a refusal, checked to be one of this status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == status
    assert body["type"] == f"https://clusterxchange.example/problems/{code}"
    assert body["title"]
    assert len(body["detail"].split()) > 1, "the detail is a sentence"
    for error in body.get("errors", []):
        assert error["pointer"] == "" or error["pointer"].startswith("/")
        assert error["detail"]
    return body


def pointers(body: dict[str, Any]) -> list[str]:
    """Where a malformed request is wrong."""
    return [error["pointer"] for error in body["errors"]]
