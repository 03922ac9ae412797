"""The sample programme, played through once on a platform of its own, and who has to do with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from rich.console import Console

from ops.demo import first_day_of_sample, play, sample_platform
from ops.demo.outside import letters_from_sample
from ops.issuer import issue_token
from ops.platform import Platform, Ports
from ops.sample import SAMPLE_PARTNERSHIPS
from shared.contracts.funding import GrantPaid, GrantReserved
from shared.partnerships import Partnerships
from tests.e2e.console.pages import Who

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


@asynccontextmanager
async def sample_programme(
    home: Path, *, organisations: int = ORGANISATIONS, matches: int = MATCHES, pays: int = PAID
) -> AsyncIterator[Programme]:
    """Some exchanges are paid, others approved, most organisations only in the pool."""
    partnerships = Partnerships.load(SAMPLE_PARTNERSHIPS)
    letters = letters_from_sample(1, organisations, first_day_of_sample(), partnerships)
    with sample_platform(home / "state", ports=Ports.any(), say=print) as platform:
        await asyncio.to_thread(platform.start)
        await asyncio.to_thread(platform.wait_ready, within_s=240)
        quiet = Console(quiet=True)
        story, _ = await play(platform, partnerships, letters, quiet, matches=matches, pays=pays)
        paid = story.all(GrantPaid)[0]
        grant = next(one for one in story.all(GrantReserved) if one.grant_id == paid.grant_id)
        known = {
            "registration": grant.visitor.registration_id,
            "host_registration": grant.host.registration_id,
            "match": grant.match_id,
            "grant": grant.grant_id,
            "payment": paid.payment_id,
            "partnership": grant.partnership,
            "draft": await _draft_of(platform, grant.visitor.owner),
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


async def _draft_of(platform: Platform, organisation: str) -> str:
    """A registration that the organisation has begun and not sent."""
    token = issue_token(
        platform.issuer_key, issuer=platform.issuer_url, role="participant", organisation=organisation
    )
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as client:
        begun = await client.post(
            f"{platform.api_url('registration')}/drafts", json={"organisation": {"name": "Begun (sample)"}}
        )
    return str(begun.raise_for_status().json()["id"])
