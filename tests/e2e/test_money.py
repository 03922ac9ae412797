"""From approved matches to the money in the bank, while funding's processes are killed under the requests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any, Final

import httpx
import pytest

from ops.demo.bank import booked
from ops.demo.paying import DAYS_AHEAD, open_gates
from ops.demo.people import People
from ops.platform import Platform
from shared.contracts.funding import GrantReserved
from shared.contracts.types import EventType
from shared.storage.driver import Document
from tests.e2e.onlooker import Onlooker
from tests.e2e.outside import OutsideSystem

pytestmark = pytest.mark.e2e

PAIRS: Final = 6
FUNDING: Final = ("funding-api", "funding-worker")


class Stubborn(People):
    """Asks again where the service died under a request, or is away."""

    async def call(self, method: str, url: str, token: str, **what: Any) -> httpx.Response:
        was_cut_off = False
        while True:
            try:
                return await super().call(method, url, token, **what)
            except httpx.TransportError:
                was_cut_off = True
            except httpx.HTTPStatusError as refusal:
                status = refusal.response.status_code
                if status == 409 and was_cut_off:
                    return refusal.response  # it was done before the answer got lost
                if status != 503:
                    raise
            await asyncio.sleep(0.1)


@asynccontextmanager
async def ahead_of_the_calendar(platform: Platform, onlooker: Onlooker) -> AsyncIterator[None]:
    """Funding's API lives after the stays; its worker, whose reminders would reach other tests, does not."""
    api = platform.children["funding-api"]
    api.environment["CXC_DAYS_AHEAD"] = str(DAYS_AHEAD)
    platform.restart("funding-api")
    await onlooker.ready(*FUNDING)
    try:
        yield
    finally:
        del api.environment["CXC_DAYS_AHEAD"]
        platform.restart("funding-api")
        await onlooker.ready(*FUNDING)


async def under_fire(
    platform: Platform, onlooker: Onlooker, work: Coroutine[Any, Any, Any], *, after_s: float
) -> None:
    """Let it be done, and kill both of funding's processes a moment after it began."""
    doing = asyncio.create_task(work)
    # Not waiting for anything: a random moment is what the test is about.
    await asyncio.sleep(after_s)
    for name in FUNDING:
        await asyncio.to_thread(platform.kill, name)
    for name in FUNDING:
        await asyncio.to_thread(platform.start_one, name)
    await doing
    await onlooker.ready(*FUNDING)


@pytest.mark.timeout(400)
async def test_lump_sums_are_paid_once_whatever_is_killed_on_their_way_to_the_bank(
    platform: Platform, onlooker: Onlooker, outside_system: Callable[[str], OutsideSystem]
) -> None:
    rng = Random(1100)
    sender = outside_system("money")
    since = await onlooker.mark()
    await sender.publish(*(message for n in range(PAIRS) for message in sender.pair(f"pair-{n}")))

    async def reserved() -> list[GrantReserved]:
        found = [GrantReserved.model_validate(one.event.data) for one in await told(EventType.GRANT_RESERVED)]
        return found if len(found) == PAIRS else []

    async def told(type: EventType) -> list[Any]:
        return [one for one in await onlooker.published(since, "funding") if one.event.type == type]

    grants = await onlooker.eventually("all lump sums are reserved", reserved)
    ids = [grant.grant_id for grant in grants]
    funding = platform.api_url("funding")

    async with ahead_of_the_calendar(platform, onlooker), Stubborn(platform) as people:
        preparing, releasing = (people.staff("open-looms", desk) for desk in ("one", "another"))

        async def all_gates() -> None:
            await asyncio.gather(*(open_gates(people, platform, grant) for grant in grants))

        await under_fire(platform, onlooker, all_gates(), after_s=rng.uniform(0.1, 1.5))

        prepare = people.call("POST", f"{funding}/payments", preparing, json={"grants": ids})
        await under_fire(platform, onlooker, prepare, after_s=rng.uniform(0, 0.1))
        (payment,) = (await people.call("GET", f"{funding}/payments", preparing)).json()["items"]
        url = f"{funding}/payments/{payment['id']}"

        release = people.call("POST", f"{url}/release", releasing, json={})
        await under_fire(platform, onlooker, release, after_s=rng.uniform(0, 0.1))
        file = (await people.call("GET", f"{url}/pain.001.xml", releasing)).content
        assert (await people.call("GET", f"{url}/pain.001.xml", preparing)).content == file

        on = date.fromisoformat((await people.call("GET", url, preparing)).json()["execute_on"])

        def answer(officer: str) -> Coroutine[Any, Any, httpx.Response]:
            xml = {"Content-Type": "application/xml"}
            answers = f"{funding}/payments/bank-answers"
            return people.call("POST", answers, officer, content=booked(file, on), headers=xml)

        async def both_answer() -> None:
            await asyncio.gather(answer(preparing), answer(releasing))

        await under_fire(platform, onlooker, both_answer(), after_s=rng.uniform(0, 0.1))
        assert (await answer(preparing)).json()["already_known"] == PAIRS
        await onlooker.drained("funding", "notifications")

    stored = await onlooker.documents("funding", "grants", {"_id": {"$in": ids}})
    assert Counter(grant["state"] for grant in stored) == {"paid": PAIRS}
    for grant in stored:
        entries = await onlooker.documents("funding", "ledger", {"grant": grant["_id"]})
        assert Counter(entry["why"] for entry in entries) == {"reserved": 1, "committed": 1, "paid": 1}
        assert {entry["amount"] for entry in entries} == {grant["lump_sum"]["amount"]}
    paid = {one.event.id: one.event.subject for one in await told(EventType.GRANT_PAID)}
    assert sorted(paid.values()) == sorted(ids), "each is told of once"
    (budget,) = await onlooker.documents("funding", "budgets", {"_id": "open-looms"})
    assert Decimal(budget["paid"]) == total(stored)


def total(grants: list[Document]) -> Decimal:
    return sum((Decimal(grant["lump_sum"]["amount"]) for grant in grants), Decimal(0))
