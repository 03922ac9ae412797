"""Messages are kept for as long as the setting says, on real MongoDB."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

import pytest

from services.notifications.bootstrap import Notifications, bootstrap
from services.notifications.domain.notification import first_id_at, notification_id
from services.notifications.domain.rules import Channel
from services.notifications.retention import let_go_of_old
from services.notifications.use_cases.notify import notify
from shared.contracts.envelope import now
from shared.contracts.matching import MatchApproved
from tests.builders import an_approved_match, an_envelope
from tests.integration.apis import settings_of

pytestmark = pytest.mark.integration


async def told(root: Notifications, at: datetime, match: MatchApproved | None = None) -> None:
    match = match or an_approved_match()
    fact = an_envelope(match, service="matching", subject=match.match_id).model_copy(update={"time": at})
    await root.transactions.run(lambda uow: notify(uow, fact, match))


async def let_go(root: Notifications, *, until_fewer_than: int) -> None:
    """One round of the companion."""
    messages, stopping = root.database["notifications"], asyncio.Event()
    companion = asyncio.create_task(let_go_of_old(root, stopping))
    try:
        deadline = time.monotonic() + 30
        while await messages.count_documents({}) >= until_fewer_than:
            assert time.monotonic() < deadline, "nothing was deleted in time"
            await asyncio.sleep(0.05)
    finally:
        stopping.set()
        await companion


async def test_what_is_older_goes_and_mails_that_wait_and_younger_ones_stay(
    mongo_url: str, database: str
) -> None:
    at = now() - timedelta(days=31)
    root = await bootstrap(
        settings_of("notifications", mongo_url, kept_days=30), database=database, clock=lambda: at
    )
    messages = root.database["notifications"]
    await told(root, at)
    at += timedelta(days=2)
    await told(root, at)
    before = await messages.count_documents({})
    waiting = await messages.count_documents({"state": "pending"})

    await let_go(root, until_fewer_than=before)
    entries = before - waiting
    assert await messages.count_documents({}) == before - entries // 2
    assert await messages.count_documents({"state": "pending"}) == waiting
    await root.close()


async def test_what_is_kept_for_a_day_only_is_not_told_again_when_it_is_replayed(
    mongo_url: str, database: str
) -> None:
    at = now() - timedelta(days=40)
    root = await bootstrap(
        settings_of("notifications", mongo_url, kept_days=1), database=database, clock=lambda: at
    )
    messages = root.database["notifications"]
    match = an_approved_match()
    await told(root, at, match)
    await messages.update_many({}, {"$set": {"state": "sent"}})
    await let_go(root, until_fewer_than=1)
    # The topics still have it; that it was taken is remembered for 30 days.
    await told(root, at, match)
    assert await messages.count_documents({}) == 0
    await root.close()


def test_ids_lie_in_the_order_of_moments() -> None:
    at = datetime.fromisoformat("2023-01-16T09:30:00.123+00:00")
    id = notification_id("e-1", at, "organisation:o", 0, Channel.EMAIL)
    assert first_id_at(at) <= id < first_id_at(at + timedelta(milliseconds=1))
