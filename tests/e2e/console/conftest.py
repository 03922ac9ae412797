"""The sample programme, played through once, and people in browsers who look at it."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright
from rich.console import Console

from ops.demo import first_day_of_sample, play, sample_platform
from ops.demo.outside import letters_from_sample
from ops.platform import Platform, Ports
from ops.sample import SAMPLE_PARTNERSHIPS
from shared.contracts.funding import GrantPaid, GrantReserved
from shared.partnerships import Partnerships
from tests.e2e.console.pages import Who

CHROMIUM: Final = os.environ.get("CXC_TEST_CHROMIUM") or shutil.which("chromium")
ORGANISATIONS: Final = 40
MATCHES: Final = 5
PAID: Final = 2


@dataclass
class Programme:
    """A platform on which something has happened, and the people who have to do with it."""

    platform: Platform
    known: dict[str, str]
    """What pages can be about: the id of a registration, a match, a grant …"""
    seats: dict[Who, dict[str, str]]
    """What each says of itself when signing in."""

    @property
    def url(self) -> str:
        return self.platform.api_url("console")

    def at(self, path: str) -> str:
        """The address of a page, its names filled in."""
        return self.url + path.format_map(self.known)


@pytest.fixture(scope="session")
async def programme(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Programme]:
    """The sample programme: some exchanges are paid, others approved, many only in the pool."""
    quiet = Console(quiet=True)
    partnerships = Partnerships.load(SAMPLE_PARTNERSHIPS)
    letters = letters_from_sample(1, ORGANISATIONS, first_day_of_sample(), partnerships)
    home: Path = tmp_path_factory.mktemp("programme")
    with sample_platform(home / "state", ports=Ports.any(), say=print) as platform:
        await asyncio.to_thread(platform.start)
        await asyncio.to_thread(platform.wait_ready, within_s=120)
        story, _ = await play(platform, partnerships, letters, quiet, matches=MATCHES, pays=PAID)
        paid = story.all(GrantPaid)[0]
        grant = next(one for one in story.all(GrantReserved) if one.grant_id == paid.grant_id)
        known = {
            "registration": grant.visitor.registration_id,
            "host_registration": grant.host.registration_id,
            "match": grant.match_id,
            "grant": grant.grant_id,
            "payment": paid.payment_id,
            "partnership": grant.partnership,
        }
        seats: dict[Who, dict[str, str]] = {
            "participant": {"role": "participant", "organisation": grant.visitor.owner},
            "host": {"role": "participant", "organisation": grant.host.owner},
            "staff": {"role": "staff", "partnership": grant.partnership, "seat": "1"},
            "officer": {"role": "staff", "partnership": grant.partnership, "seat": "2"},
            "support_office": {"role": "support_office"},
            "auditor": {"role": "auditor"},
        }
        yield Programme(platform, known, seats)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium; CXC_TEST_CHROMIUM names another."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed: apt-get install chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()
