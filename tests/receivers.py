"""Receivers of webhooks on loopback, with certificates of an authority of the tests' own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import trustme
from aiohttp import web

AUTHORITY = trustme.CA()


@dataclass
class Received:
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its `webhook-id`."""
        return self.headers["webhook-id"]

    @property
    def event(self) -> dict[str, Any]:
        """The CloudEvent it brought."""
        event: dict[str, Any] = orjson.loads(self.body)
        return event


Answering = Callable[[Received], web.Response]


@dataclass
class Receiver:
    """An HTTPS server that answers as the test says, and keeps what it was sent."""

    port: int = 0
    answers: list[int | Answering] = field(default_factory=lambda: [204])
    """For the next requests; the last one stays."""
    received: list[Received] = field(default_factory=list)
    open: asyncio.Event = field(default_factory=asyncio.Event)
    """While not set, requests are kept waiting for their answer."""
    at_once: int = 0
    most_at_once: int = 0

    def __post_init__(self) -> None:
        self.open.set()

    def url(self, host: str = "127.0.0.1", scheme: str = "https") -> str:
        """Where it listens."""
        return f"{scheme}://{host}:{self.port}/hook"

    async def handle(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        received = Received(request.path, headers, await request.read())
        self.received.append(received)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=answer) if isinstance(answer, int) else answer(received)

    @asynccontextmanager
    async def listening(
        self,
        *,
        authority: trustme.CA | None = AUTHORITY,
        names: tuple[str, ...] = ("127.0.0.1", "crm.example"),
    ) -> AsyncIterator[Receiver]:
        """Serve with a certificate for these names; without an authority, without TLS."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        context = None
        if authority is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            authority.issue_cert(*names).configure_cert(context)
        site = web.TCPSite(runner, "127.0.0.1", self.port, ssl_context=context)
        await site.start()
        self.port = runner.addresses[0][1]
        try:
            yield self
        finally:
            self.open.set()
            await runner.cleanup()


def authority_file(directory: Path) -> Path:
    """The certificate of the authority, for a setting."""
    file = directory / "authority.pem"
    AUTHORITY.cert_pem.write_to_path(str(file))
    return file
