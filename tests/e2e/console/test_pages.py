"""Every page, as everybody: who is let in, what a browser and those who use it otherwise make of it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx
import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from tests.e2e.console.pages import EVERYBODY, PAGES, Shown, Who
from tests.e2e.console.people import in_browser, sign_in
from tests.e2e.console.programme import Programme

pytestmark = pytest.mark.e2e

MOST_BYTES: Final = 200_000
"""Of a page with all that it loads, compressed."""
_AXE: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}

Clients = dict[Who, httpx.AsyncClient | None]


@pytest.fixture(scope="module")
async def people(programme: Programme) -> AsyncIterator[Clients]:
    """A client for each, signed in but for anybody."""
    clients: Clients = {"anybody": None}
    for who, seat in programme.seats.items():
        clients[who] = await sign_in(programme.url, seat)
    yield clients
    for client in clients.values():
        if client is not None:
            await client.aclose()


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.id)
async def test_a_page_is_seen_by_those_it_is_for_and_by_nobody_else(
    programme: Programme, people: Clients, shown: Shown
) -> None:
    came_out: dict[Who, int] = {}
    async with httpx.AsyncClient(base_url=programme.url, timeout=30) as nobody:
        for who in EVERYBODY:
            answer = await (people[who] or nobody).get(programme.at(shown.path))
            came_out[who] = answer.status_code
            if who not in shown.who and answer.is_redirect:
                leads_to = answer.headers["location"]
                assert shown.leads_on or leads_to.startswith("/sign-in"), (who, leads_to)
                came_out[who] = 401
    let_in = [who for who, status in came_out.items() if status == 200]
    assert let_in == [who for who in EVERYBODY if who in shown.who], came_out
    turned_away = {status for who, status in came_out.items() if who not in shown.who}
    assert turned_away <= {401, 403, 404}, came_out


LOOKED_AT: Final = [shown for shown in PAGES if shown.like is None]


@pytest.mark.parametrize("shown", LOOKED_AT, ids=lambda shown: shown.id)
async def test_a_page_is_light_sound_and_can_be_used_by_all(
    programme: Programme, people: Clients, chromium: Browser, shown: Shown
) -> None:
    context = await in_browser(chromium, people[shown.who[0]])
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda one: said.append(one.text) if one.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    weight = await _weighing(page)
    answer = await page.goto(programme.at(shown.path), wait_until="load")
    assert answer is not None
    assert answer.status == 200
    assert not said, "the browser complains"
    assert sum(weight) < MOST_BYTES
    found = (await Axe().run(page, options=_AXE)).response["violations"]
    assert not found, "\n".join(_in_words(one) for one in found)

    await page.set_viewport_size({"width": 320, "height": 640})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320, "scrolls sideways"
    await context.close()


async def _weighing(page: Page) -> list[int]:
    """What the page loads from now on, in bytes as they were sent."""
    sizes: list[int] = []
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    session.on("Network.loadingFinished", lambda told: sizes.append(int(told["encodedDataLength"])))
    return sizes


def _in_words(violation: dict[str, Any]) -> str:
    nodes = "; ".join(re.sub(r"\s+", " ", node["html"])[:200] for node in violation["nodes"][:3])
    return f"{violation['id']}: {violation['help']} ({len(violation['nodes'])} times): {nodes}"
