"""What every answer of the console tells the browser to refuse."""

from __future__ import annotations

import secrets
from typing import Final

from fastapi import FastAPI, Request, Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.console.settings import ConsoleSettings
from services.console.signing_in.cookies import Cookies
from services.console.signing_in.csrf import token_for
from services.console.signing_in.flash import carry

CONTENT_SECURITY_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",  # Bootstrap's own marks in its style sheet
        "font-src 'self'",
        "connect-src 'self'",
        "frame-src 'self'",  # documents beside what is decided or signed
        "object-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
        "base-uri 'none'",
    ]
)

_HEADERS: Final = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Protection:
    """Headers on every answer; an id for browsers without a session, so that their forms are their own."""

    def __init__(self, app: ASGIApp, settings: ConsoleSettings) -> None:
        self._app = app
        self._key = settings.session_key
        self._cookies = Cookies(settings.public_url)
        self._headers = dict(_HEADERS)
        if self._cookies.secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)
        known = self._cookies.browser_of(request)
        browser = known or secrets.token_urlsafe(32)
        request.state.browser = browser
        request.state.csrf = token_for(self._key, browser)

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                is_page = headers.get("content-type", "").startswith("text/html")
                if getattr(request.state, "person", None) is not None or is_page:
                    headers.setdefault("Cache-Control", "no-store")
                cookies = Response()
                if known is None and is_page and self._cookies.session_of(request) is None:
                    self._cookies.set(cookies, "browser", browser)
                carry(request, cookies)
                for name, value in cookies.headers.items():
                    if name == "set-cookie":
                        headers.append(name, value)
            await send(message)

        await self._app(scope, receive, protected)


def protect(app: FastAPI, settings: ConsoleSettings) -> None:
    """Put the protection around all of an application: what is answered when a page fails has it too."""
    inner = app.build_middleware_stack
    app.build_middleware_stack = lambda: Protection(inner(), settings)  # type: ignore[method-assign]
