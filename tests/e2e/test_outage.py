"""What is away for a while is missed and nothing more: the others go on, and it catches up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import httpx
import pytest

from ops.issuer import issue_token
from ops.platform import Platform
from shared.messaging.topics import SERVICES
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import OutsideSystem

pytestmark = pytest.mark.e2e

FUNDING: Final = ("funding-api", "funding-worker")
APIS: Final = tuple(f"{name}-api" for name in SERVICES)
WORKERS: Final = tuple(f"{name}-worker" for name in SERVICES)


@asynccontextmanager
async def away(platform: Platform, *names: str) -> AsyncIterator[None]:
    """These processes are stopped while the block lasts."""
    for name in names:
        await asyncio.to_thread(platform.stop_one, name)
    try:
        yield
    finally:
        for name in names:
            await asyncio.to_thread(platform.start_one, name)


async def grants_of(onlooker: Onlooker, visitor_id: str) -> list[str]:
    found = await onlooker.documents("funding", "grants", {"visitor.registration_id": visitor_id})
    return [grant["state"] for grant in found]


async def test_without_funding_the_others_go_on_and_it_catches_up_when_it_is_back(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    sender = outside_system("no-funding")
    others = [name for name in (*APIS, *WORKERS) if name not in FUNDING]
    visitor = sender.registration_id("exchange-v")
    await onlooker.ready(*others, *FUNDING)
    async with away(platform, *FUNDING):
        await sender.publish(*sender.pair("exchange"))

        async def approved_and_all_ready() -> bool:
            assert set((await onlooker.statuses(*others)).values()) == {200}
            subjects = [mail["Subject"] for mail in await onlooker.mails_to(sender.address("exchange-v"))]
            return any("approved" in subject.lower() for subject in subjects)

        await onlooker.eventually("the visitor hears of the approval", approved_and_all_ready)
        assert await grants_of(onlooker, visitor) == []
    await onlooker.ready(*FUNDING)
    await onlooker.drained()
    assert await grants_of(onlooker, visitor) == ["reserved"]
    told = await onlooker.documents(
        "notifications",
        "notifications",
        {"address": sender.address("exchange-v"), "fact_type": "cxc.grant.reserved.v1"},
    )
    assert [one["state"] for one in told] == ["sent"]


async def test_without_mongodb_nobody_is_ready_nothing_is_half_done_and_all_recover(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    sender = outside_system("no-mongodb")
    organisation = sender.visitor("posted")
    token = issue_token(
        platform.issuer_key, issuer=platform.issuer_url, role="external", subject=sender.source
    )
    await onlooker.ready(*APIS, *WORKERS)
    async with (
        httpx.AsyncClient(
            base_url=platform.api_url("registration"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        ) as registering,
        away(platform, "mongo"),
    ):
        await sender.publish(sender.event("published", sender.visitor("published")))
        answer = await registering.post("/registrations", json=organisation)
        assert answer.status_code == 503
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0
        assert "Nothing was changed" in answer.json()["detail"]

        await onlooker.unready(*APIS, *WORKERS)
    await onlooker.ready(*APIS, *WORKERS)
    await onlooker.mailed([sender.address("published")])

    by_name = {"submission.organisation.name": organisation["organisation"]["name"]}
    assert await onlooker.documents("registration", "registrations", by_name) == []
    async with httpx.AsyncClient(
        base_url=platform.api_url("registration"), headers={"Authorization": f"Bearer {token}"}
    ) as registering:
        answer = await registering.post("/registrations", json=organisation)
    assert answer.status_code == 201
    await onlooker.mailed([sender.address("posted")])
    assert len(await onlooker.documents("registration", "registrations", by_name)) == 1
