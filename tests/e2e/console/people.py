"""People at the console: they sign in as anybody does, and then ask for pages or look at them."""

from __future__ import annotations

import os
import re
import shutil
from html import unescape
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from playwright.async_api import Browser, BrowserContext

CHROMIUM: Final = os.environ.get("CXC_TEST_CHROMIUM") or shutil.which("chromium")

_ACTION: Final = re.compile(r'<form method="post" action="([^"]+)"')
WIDE: Final[Any] = {"width": 1280, "height": 900}


async def sign_in(console: str, seat: dict[str, str]) -> httpx.AsyncClient:
    """A browser without a screen, in which somebody has signed in; follows no redirects."""
    client = httpx.AsyncClient(base_url=console, timeout=30)
    offered = await client.get("/sign-in", params={"to": "/home"}, follow_redirects=True)
    action = _ACTION.search(offered.text)
    assert action, f"{offered.url} offers nothing to choose: {offered.text[:500]}"
    # One after the other: at the end of the way is a page, which need not be there for everybody.
    answer = await client.post(str(offered.url.join(unescape(action[1]))), data=seat)
    while answer.is_redirect and urlsplit(answer.headers["location"]).path not in ("/home", ""):
        answer = await client.get(str(answer.url.join(answer.headers["location"])))
    assert answer.is_redirect, f"{answer.url} answered {answer.status_code}: {answer.text[:500]}"
    return client


async def in_browser(browser: Browser, client: httpx.AsyncClient | None, **options: Any) -> BrowserContext:
    """A browser in which whoever signed in with that client has signed in; nobody without one."""
    context = await browser.new_context(viewport=WIDE, locale="en-GB", **options)
    if client is not None:
        console = str(client.base_url)
        host = urlsplit(console).hostname
        await context.add_cookies(
            [
                {"name": cookie.name, "value": cookie.value or "", "url": console}
                for cookie in client.cookies.jar
                if cookie.domain in (host, f"{host}.local", "")
            ]
        )
    return context
