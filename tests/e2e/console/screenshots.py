"""Pictures of every page, wide and narrow: `make screenshots`.

All go to `var/screenshots`, to be looked at; those that the README shows also to `docs/pictures`.
"""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from playwright.async_api import Browser, async_playwright

from tests.e2e.console.pages import PAGES, Shown, Who
from tests.e2e.console.people import CHROMIUM, in_browser, sign_in
from tests.e2e.console.programme import Programme, sample_programme

ALL: Final = Path("var/screenshots")
SHOWN: Final = Path("docs/pictures")
IN_README: Final[dict[str, tuple[str, Who]]] = {
    "console-programme.png": ("/", "anybody"),
    "console-participant.png": ("/matches/{match}", "participant"),
    "console-today.png": ("/today", "staff"),
    "console-money.png": ("/money", "staff"),
}
SIZES: Final[dict[str, Any]] = {
    "wide": {"width": 1280, "height": 900},
    "narrow": {"width": 320, "height": 640},
}


async def main() -> None:
    if CHROMIUM is None:
        sys.exit("No Chromium is installed: apt-get install chromium, or name one with CXC_TEST_CHROMIUM.")
    shutil.rmtree(ALL, ignore_errors=True)
    ALL.mkdir(parents=True)
    SHOWN.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        async with (
            sample_programme(Path(home), organisations=120, matches=14, pays=3) as programme,
            async_playwright() as driver,
        ):
            browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            for who in dict.fromkeys(shown.who[0] for shown in PAGES):
                await _pictures_of(browser, programme, who)
            await browser.close()
    print(f"{len(list(ALL.iterdir()))} pictures in {ALL}, {len(IN_README)} of them in {SHOWN}")


async def _pictures_of(browser: Browser, programme: Programme, who: Who) -> None:
    """What one person sees, of the pages that are first of all theirs."""
    client = await sign_in(programme.url, programme.seats[who]) if who in programme.seats else None
    context = await in_browser(browser, client)
    page = await context.new_page()
    for shown in PAGES:
        if shown.who[0] != who or shown.like is not None:
            continue
        for size, viewport in SIZES.items():
            await page.set_viewport_size(viewport)
            await page.goto(programme.at(shown.path), wait_until="load")
            await page.screenshot(path=ALL / f"{_name(shown)}-{size}.png", full_page=True)
    for name, (path, whose) in IN_README.items():
        if whose == who:
            await page.set_viewport_size(SIZES["wide"])
            await page.goto(programme.at(path), wait_until="load")
            await page.screenshot(path=SHOWN / name)
    await context.close()


def _name(shown: Shown) -> str:
    return re.sub(r"[^a-z]+", "-", f"{shown.who[0]} {shown.path}".lower()).strip("-")[:80]


if __name__ == "__main__":
    asyncio.run(main())
