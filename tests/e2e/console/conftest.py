"""The sample programme for all tests of the console, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.console.people import CHROMIUM
from tests.e2e.console.programme import Programme, sample_programme


@pytest.fixture(scope="package")
async def programme(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Programme]:
    """The sample programme, played through once; its platform ends before that of other tests begins."""
    async with sample_programme(tmp_path_factory.mktemp("programme")) as played:
        yield played


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; CXC_TEST_CHROMIUM names another."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()
